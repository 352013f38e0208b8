async fn issue() -> Result<Option<Raw>, ProcessorError> {
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
            "issues",
            "/webhook",
        )
        .kinds(&["issue", "sub-task"])
        .events(&["created", "deleted"])
        .when(
            &[
                ::ocean_core::__private::Condition {
                    subject: ::ocean_core::__private::Subject::Pointer("/action"),
                    test: ::ocean_core::__private::Test::In(
                        &[
                            ::ocean_core::__private::Literal::Str("opened"),
                            ::ocean_core::__private::Literal::Int(7i64),
                            ::ocean_core::__private::Literal::Bool(true),
                        ],
                    ),
                },
                ::ocean_core::__private::Condition {
                    subject: ::ocean_core::__private::Subject::Header("x-tenant"),
                    test: ::ocean_core::__private::Test::Ne(
                        ::ocean_core::__private::Literal::Str("other"),
                    ),
                },
                ::ocean_core::__private::Condition {
                    subject: ::ocean_core::__private::Subject::Pointer("/ref"),
                    test: ::ocean_core::__private::Test::Prefix("refs/"),
                },
                ::ocean_core::__private::Condition {
                    subject: ::ocean_core::__private::Subject::Pointer("/ref"),
                    test: ::ocean_core::__private::Test::Suffix("/main"),
                },
            ],
        )
        .requires(&["/issue/key"])
        .guard(filters::is_ours)
        .key(&["/repository/id", "/issue/id"])
        .coalesce()
        .delete(&["deleted"], "/issue")
        .delete_when(
            &[
                ::ocean_core::__private::Condition {
                    subject: ::ocean_core::__private::Subject::Pointer("/action"),
                    test: ::ocean_core::__private::Test::Eq(
                        ::ocean_core::__private::Literal::Str("deleted"),
                    ),
                },
            ],
        )
        .enrich(with_project)
        .retry(::ocean_core::__private::RetryPolicy {
            max_retries: 5u32,
            initial_delay: ::ocean_core::__private::Duration::new(1u64, 500000000u32),
            max_delay: ::ocean_core::__private::Duration::from_secs(60u64),
            exponential_base: 3f64,
        })
        .timeout(::ocean_core::__private::Duration::from_secs(20u64));
}
#[automatically_derived]
#[allow(deprecated, clippy::all, clippy::pedantic)]
impl ::ocean_core::__private::WebhookProcessor for issue {
    const MAX_RETRIES: ::core::primitive::u32 = Self::SPEC.retry.max_retries;
    const INITIAL_RETRY_DELAY: ::ocean_core::__private::Duration = Self::SPEC
        .retry
        .initial_delay;
    const MAX_RETRY_DELAY: ::ocean_core::__private::Duration = Self::SPEC
        .retry
        .max_delay;
    const EXPONENTIAL_BASE: ::core::primitive::f64 = Self::SPEC.retry.exponential_base;
    async fn handle_event(
        &self,
        __cx: &::ocean_core::__private::EventContext<'_>,
    ) -> ::core::result::Result<
        ::ocean_core::__private::Outcome,
        ::ocean_core::__private::ProcessorError,
    > {
        let __returned = ::ocean_core::__private::assert_processor_future_is_send(
                issue(),
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
    async fn authenticate(
        &self,
        __event: &::ocean_core::__private::WebhookEvent,
    ) -> ::core::result::Result<(), ::ocean_core::__private::Rejection> {
        ::ocean_core::__private::CheckResult::into_check(authenticate(__event)).await
    }
    async fn validate_payload(
        &self,
        __event: &::ocean_core::__private::WebhookEvent,
    ) -> ::core::result::Result<(), ::ocean_core::__private::Rejection> {
        ::ocean_core::__private::CheckResult::into_check(validate(__event)).await
    }
    async fn on_error(
        &self,
        __cx: &::ocean_core::__private::EventContext<'_>,
        __error: &::ocean_core::__private::ProcessorError,
    ) {
        ::ocean_core::__private::ReportResult::into_report(on_error(__cx, __error)).await
    }
}
::ocean_core::__private::inventory::submit! {
    ::ocean_core::__private::Registration { spec : & issue::SPEC, make : ||
    ::ocean_core::__private::Arc::new(issue {}), }
}
