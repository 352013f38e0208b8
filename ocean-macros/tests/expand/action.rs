#[cfg(feature = "pings")]
#[cfg_attr(unix, cfg(windows), inline)]
#[allow(unused)]
pub(crate) async fn ping<'a>(
    event: &'a WebhookEvent,
    id: Option<Id<'a, 'static>>,
) -> Outcome<()> {
    todo!()
}
#[cfg(feature = "pings")]
#[cfg_attr(unix, cfg(windows))]
///The processor made of the function [`ping`](fn@ping).
#[allow(non_camel_case_types, unreachable_pub, dead_code)]
#[derive(
    ::core::clone::Clone,
    ::core::marker::Copy,
    ::core::fmt::Debug,
    ::core::default::Default
)]
pub(crate) struct ping {}
#[cfg(feature = "pings")]
#[cfg_attr(unix, cfg(windows))]
#[automatically_derived]
#[allow(unreachable_pub, dead_code, clippy::all, clippy::pedantic)]
impl ping {
    /// What is known of the processor before an event arrives.
    pub(crate) const SPEC: crate::framework::__private::ProcessorSpec = crate::framework::__private::ProcessorSpec::new(
            "ping",
            "/webhook",
        )
        .action()
        .retry(crate::framework::__private::RetryPolicy {
            max_retries: 0u32,
            ..crate::framework::__private::RetryPolicy::DEFAULT
        })
        .needs(
            &[
                <&'_ WebhookEvent as crate::framework::__private::FromEvent>::NEED,
                <Option<Id<'_, 'static>> as crate::framework::__private::FromEvent>::NEED,
            ],
        );
}
#[cfg(feature = "pings")]
#[cfg_attr(unix, cfg(windows))]
#[automatically_derived]
#[allow(deprecated, clippy::all, clippy::pedantic)]
impl crate::framework::__private::WebhookProcessor for ping {
    const MAX_RETRIES: ::core::primitive::u32 = Self::SPEC.retry.max_retries;
    async fn handle_event(
        &self,
        __cx: &crate::framework::__private::EventContext<'_>,
    ) -> ::core::result::Result<
        crate::framework::__private::Outcome,
        crate::framework::__private::ProcessorError,
    > {
        let __argument_0 = <&'_ WebhookEvent as crate::framework::__private::FromEvent>::from_event(
            __cx,
        )?;
        let __argument_1 = <Option<
            Id<'_, 'static>,
        > as crate::framework::__private::FromEvent>::from_event(__cx)?;
        let __returned = crate::framework::__private::assert_processor_future_is_send(
                ping(__argument_0, __argument_1),
            )
            .await;
        crate::framework::__private::HandlerResult::into_result(__returned)
    }
}
#[cfg(feature = "pings")]
#[cfg_attr(unix, cfg(windows))]
crate::framework::__private::inventory::submit! {
    crate ::framework::__private::Registration { spec : & ping::SPEC, make : || crate
    ::framework::__private::Arc::new(ping {}), }
}
