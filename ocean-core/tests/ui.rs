//! Mistakes in the use of `#[webhook_processor]`, one a file, and uses without mistake.
//!
//! To accept what the compiler says now, run with `TRYBUILD=overwrite` and read the difference.

#[test]
fn mistakes_are_reported_where_they_are() {
    let cases = trybuild::TestCases::new();
    cases.pass("tests/ui/pass/*.rs");
    cases.compile_fail("tests/ui/fail/*/*.rs");
}
