/// Keeps users in step.
impl WebhookProcessor for jira::Users {
    async fn handle_event(
        &self,
        cx: &EventContext<'_>,
    ) -> Result<Outcome, ProcessorError> {
        todo!()
    }
}
#[automatically_derived]
#[allow(unreachable_pub, dead_code, clippy::all, clippy::pedantic)]
impl jira::Users {
    /// What is known of the processor before an event arrives.
    pub const SPEC: ::ocean_core::__private::ProcessorSpec = ::ocean_core::__private::ProcessorSpec::new(
            "Users",
            "/webhook",
        )
        .kinds(&["user"])
        .event_prefix("user_")
        .retry(::ocean_core::__private::RetryPolicy::of::<Self>())
        .docs("Keeps users in step.");
}
::ocean_core::__private::inventory::submit! {
    ::ocean_core::__private::Registration { spec : & < jira::Users > ::SPEC, make :
    ::ocean_core::__private::make_by_default:: < jira::Users >, }
}
