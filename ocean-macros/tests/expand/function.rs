/// Keeps issues in step.
async fn issue(
    payload: Payload<IssueEvent>,
    jira: State<Jira>,
) -> Result<RawResults, JiraError> {
    todo!()
}
///The processor made of the function [`issue`](fn@issue).
#[allow(non_camel_case_types, unreachable_pub, dead_code)]
#[derive(
    ::core::clone::Clone,
    ::core::marker::Copy,
    ::core::fmt::Debug,
    ::core::default::Default
)]
struct issue {}
#[automatically_derived]
#[allow(unreachable_pub, dead_code, clippy::all, clippy::pedantic)]
impl issue {
    /// What is known of the processor before an event arrives.
    const SPEC: ::ocean_core::__private::ProcessorSpec = ::ocean_core::__private::ProcessorSpec::new(
            "issue",
            "/webhook",
        )
        .kinds(&["issue"])
        .needs(
            &[
                <Payload<IssueEvent> as ::ocean_core::__private::FromEvent>::NEED,
                <State<Jira> as ::ocean_core::__private::FromEvent>::NEED,
            ],
        )
        .docs("Keeps issues in step.");
}
#[automatically_derived]
#[allow(deprecated, clippy::all, clippy::pedantic)]
impl ::ocean_core::__private::WebhookProcessor for issue {
    async fn handle_event(
        &self,
        __cx: &::ocean_core::__private::EventContext<'_>,
    ) -> ::core::result::Result<
        ::ocean_core::__private::Outcome,
        ::ocean_core::__private::ProcessorError,
    > {
        let __argument_0 = <Payload<
            IssueEvent,
        > as ::ocean_core::__private::FromEvent>::from_event(__cx)?;
        let __argument_1 = <State<
            Jira,
        > as ::ocean_core::__private::FromEvent>::from_event(__cx)?;
        let __returned = ::ocean_core::__private::assert_processor_future_is_send(
                issue(__argument_0, __argument_1),
            )
            .await;
        match __returned {
            ::core::result::Result::Ok(__value) => {
                ::core::result::Result::Ok(
                    ::ocean_core::__private::IntoOutcome::into_outcome(__value),
                )
            }
            ::core::result::Result::Err(__error) => {
                ::core::result::Result::Err(
                    ::ocean_core::__private::IntoProcessorError::into_processor_error(
                        __error,
                    ),
                )
            }
        }
    }
}
::ocean_core::__private::inventory::submit! {
    ::ocean_core::__private::Registration { spec : & issue::SPEC, make : ||
    ::ocean_core::__private::Arc::new(issue {}), }
}
