//! Snapshots of expansions, in `tests/expand/`. Run with `UPDATE_EXPECT=1` to accept new ones.

use expect_test::{ExpectFile, expect_file};
use proc_macro2::TokenStream;
use quote::quote;

use crate::expand::webhook_processor;

fn check(args: TokenStream, item: TokenStream, expected: ExpectFile) {
    let expansion = webhook_processor(args, item);
    let file = syn::parse2(expansion).expect("an expansion is a list of items");
    expected.assert_eq(&prettyplease::unparse(&file));
}

#[test]
fn a_function() {
    check(
        quote!(path = "/webhook", kinds = ["issue"]),
        quote! {
            /// Keeps issues in step.
            async fn issue(payload: Payload<IssueEvent>, jira: State<Jira>) -> Result<RawResults, JiraError> {
                todo!()
            }
        },
        expect_file!["../tests/expand/function.rs"],
    );
}

#[test]
fn every_key() {
    check(
        quote!(
            path = "/webhook",
            kinds = ["issue", "sub-task"],
            events = ["created", "deleted"],
            when(pointer = "/action", in = ["opened", 7, true]),
            when(header = "X-Tenant", ne = "other"),
            when(pointer = "/ref", prefix = "refs/"),
            when(pointer = "/ref", suffix = "/main"),
            requires = ["/issue/key"],
            guard = filters::is_ours,
            key = ["/repository/id", "/issue/id"],
            coalesce,
            delete_on = ["deleted"],
            delete_when(pointer = "/action", eq = "deleted"),
            delete = "/issue",
            enrich = with_project,
            max_retries = 5,
            initial_retry_delay = "1500ms",
            max_retry_delay = "1m",
            exponential_base = 3,
            timeout = 20,
            authenticate = authenticate,
            validate = validate,
            on_error = on_error,
            name = "issues"
        ),
        quote! {
            async fn issue() -> Result<Option<Raw>, ProcessorError> {
                todo!()
            }
        },
        expect_file!["../tests/expand/every_key.rs"],
    );
}

#[test]
fn a_public_conditional_action_of_a_renamed_crate() {
    check(
        quote!(
            path = "/webhook",
            action,
            max_retries = 0,
            crate = crate::framework
        ),
        quote! {
            #[cfg(feature = "pings")]
            #[cfg_attr(unix, cfg(windows), inline)]
            #[allow(unused)]
            pub(crate) async fn ping<'a>(event: &'a WebhookEvent, id: Option<Id<'a, 'static>>) -> Outcome<()> {
                todo!()
            }
        },
        expect_file!["../tests/expand/action.rs"],
    );
}

#[test]
fn a_block() {
    check(
        quote!(path = "/webhook", kinds = ["user"], event_prefix = "user_"),
        quote! {
            /// Keeps users in step.
            impl WebhookProcessor for jira::Users {
                async fn handle_event(&self, cx: &EventContext<'_>) -> Result<Outcome, ProcessorError> {
                    todo!()
                }
            }
        },
        expect_file!["../tests/expand/block.rs"],
    );
}

#[test]
fn mistakes() {
    check(
        quote!(path = "webhook", kind = ["issue"]),
        quote! {
            pub fn issue() {
                todo!()
            }
        },
        expect_file!["../tests/expand/mistakes.rs"],
    );
}
