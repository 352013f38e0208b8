pub fn issue() {
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
pub struct issue {}
#[automatically_derived]
#[allow(unreachable_pub, dead_code, clippy::all, clippy::pedantic)]
impl issue {
    /// What is known of the processor before an event arrives.
    pub const SPEC: ::ocean_core::__private::ProcessorSpec = ::ocean_core::__private::ProcessorSpec::new(
        "issue",
        "/",
    );
}
::core::compile_error! {
    "unknown key `kind`; did you mean `kinds`?\nthe keys are `path`, `kinds`, `event`, `events`, `event_prefix`, `when`, `requires`, `guard`, `key`, `coalesce`, `delete_on`, `delete_when`, `delete`, `enrich`, `max_retries`, `initial_retry_delay`, `max_retry_delay`, `exponential_base`, `timeout`, `authenticate`, `validate`, `on_error`, `name`, `action` and `crate`"
}
::core::compile_error! {
    "a webhook processor is asynchronous; write `async fn issue`"
}
::core::compile_error! {
    "a webhook processor returns a `Result`; write `-> Result<RawResults, ProcessorError>` behind the arguments of `issue`, or `-> Result<(), ProcessorError>` for side effects only"
}
::core::compile_error! {
    "a path starts with `/`; write `\"/webhook\"`"
}
