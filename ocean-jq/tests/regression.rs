//! Bugs that comparing with the reference has found; expectations are the outputs of jq 1.8.2.

use ocean_jq::{Document, Limits, Options, Program};

/// The first output of each program for the input; `None` where there is an error.
#[track_caller]
fn check(input: &str, cases: &[(&str, Option<&str>)]) {
    let document = Document::parse(input.as_bytes()).expect("valid");
    for (text, expected) in cases {
        let program = Program::compile(text, &Options::default()).expect("valid");
        let output = program.first(&document.root(), &mut Limits::default());
        let output = output.ok().flatten().map(|value| value.to_json_string());
        assert_eq!(output.as_deref(), *expected, "{text}");
    }
}

#[test]
fn dollar_stands_before_a_final_newline_whatever_the_flags() {
    check(
        r#""a\na\n""#,
        &[
            (r#"[match("a$"; "gs").offset]"#, Some(r#"[2]"#)),
            (r#"[match("$"; "gp").offset]"#, Some(r#"[3,4]"#)),
            (r#"[match("\\Z"; "gs").offset]"#, Some(r#"[3,4]"#)),
            (r#"[match("$$"; "gs").offset]"#, Some(r#"[3,4]"#)),
        ],
    );
}

#[test]
fn bounded_repetitions_with_a_plus_are_possessive() {
    check(
        r#""aaaaaaa""#,
        &[
            (r#"[match("a{2}+"; "g").length]"#, Some(r#"[2,2,2]"#)),
            (r#"[match("a{1,2}+a"; "g").length]"#, Some(r#"[3,3]"#)),
            (r#"[match("a{2}++"; "g").length]"#, Some(r#"[6]"#)),
            (r#"[match("(ab?){2,}+"; "g").length]"#, Some(r#"[7]"#)),
        ],
    );
}

#[test]
fn fixed_repetitions_are_never_lazy() {
    check(
        r#""aaaaaaa""#,
        &[
            (r#"[match("a{2}?"; "g").length]"#, Some(r#"[2,2,2]"#)),
            (r#"[match("a{2,3}?"; "g").length]"#, Some(r#"[2,2,2]"#)),
        ],
    );
}

#[test]
fn repeat_ranges_have_bounds() {
    check(
        r#""aaa""#,
        &[(r#"test("a{3,1}")"#, None), (r#"test("a{100001}")"#, None)],
    );
}

#[test]
fn longest_matches_care_not_for_laziness() {
    check(
        r#""aab a""#,
        &[
            (r#"[match("a+?"; "gl").length]"#, Some(r#"[2,1]"#)),
            (r#"[match("a*?b??"; "gl").length]"#, Some(r#"[3,1,0]"#)),
        ],
    );
}

#[test]
fn properties_alone_do_not_fold_case() {
    check(
        r#""aBc""#,
        &[
            (r#"[match("\\p{Lu}"; "gi").offset]"#, Some(r#"[1]"#)),
            (r#"[match("\\p{^Lu}"; "gi").offset]"#, Some(r#"[0,2]"#)),
            (r#"[match("[\\p{Lu}]"; "gi").offset]"#, Some(r#"[0,1,2]"#)),
            (r#"[match("[[:upper:]]"; "gi").offset]"#, Some(r#"[0,1,2]"#)),
        ],
    );
}

#[test]
fn classes_are_those_of_unicode() {
    check(
        r#""a$+~.-²½😀\u200c\u00ad_""#,
        &[
            (
                r#"[match("[[:punct:]]"; "g").string | explode[0]]"#,
                Some(r#"[36,43,126,46,45,128512,95]"#),
            ),
            (
                r#"[match("\\p{Punct}"; "g").string | explode[0]]"#,
                Some(r#"[46,45,95]"#),
            ),
            (
                r#"[match("\\w"; "g").string | explode[0]]"#,
                Some(r#"[97,178,189,95]"#),
            ),
            (
                r#"[match("[\\w]"; "g").string | explode[0]]"#,
                Some(r#"[97,95]"#),
            ),
            (
                r#"[match("[[:graph:]]"; "g").string | explode[0]]"#,
                Some(r#"[97,36,43,126,46,45,178,189,128512,8204,173,95]"#),
            ),
        ],
    );
}

#[test]
fn unknown_posix_brackets_are_errors() {
    check(r#""f""#, &[(r#"test("[[:foo:]]")"#, None)]);
}

#[test]
fn any_character_and_text_segments_have_escapes() {
    check(
        r#""a\r\nb""#,
        &[
            (r#"[match("\\O"; "g").offset]"#, Some(r#"[0,1,2,3]"#)),
            (r#"[match("\\y"; "g").offset]"#, Some(r#"[0,1,3,4]"#)),
            (r#"[match("\\Y"; "g").offset]"#, Some(r#"[2]"#)),
        ],
    );
}

#[test]
fn hexadecimal_escapes_are_bytes() {
    check(
        r#""x é""#,
        &[
            (r#"test("\\xE9")"#, None),
            (r#"[match("\\xC3\\xA9"; "g").offset]"#, Some(r#"[2]"#)),
            (r#"[match("\\x{e9}"; "g").offset]"#, Some(r#"[2]"#)),
            (r#"[match("\\x"; "g").offset]"#, Some(r#"[0]"#)),
        ],
    );
}

#[test]
fn names_may_stand_in_quotes() {
    check(
        r#""baa""#,
        &[
            (r#"[capture("(?'n'a)")]"#, Some(r#"[{"n":"a"}]"#)),
            (r#"[match("(?<q>a)\\k'q'").offset]"#, Some(r#"[1]"#)),
        ],
    );
}

#[test]
fn groups_may_be_called_and_asked_for() {
    check(
        r#""ab c""#,
        &[
            (r#"[match("(?<q>a|b)\\g<q>"; "g").offset]"#, Some(r#"[0]"#)),
            (r#"[match("(a)?(?(1)b|c)"; "g").offset]"#, Some(r#"[0,3]"#)),
            (r#"test("(?(1)a|b)")"#, None),
        ],
    );
}

#[test]
fn looking_behind_takes_what_the_reference_takes() {
    check(
        r#""aab cde""#,
        &[
            (r#"test("(?<=a|bc)d")"#, None),
            (r#"test("(?<=(?:a|bc))d")"#, None),
            (r#"[match("(?<=ab|cd)e"; "g").offset]"#, Some(r#"[6]"#)),
            (r#"[match("(?<=a+)b"; "g").offset]"#, Some(r#"[2]"#)),
            (r#"test("(?<!(a))b")"#, None),
            (r#"test("(?<=a$)b")"#, None),
            (r#"test("(?<=(?=a)a)b")"#, None),
            (r#"test("(?<=\\R)b")"#, None),
        ],
    );
}

#[test]
fn sharp_s_is_two_letters_where_case_does_not_matter() {
    check(
        r#""Straße strasse""#,
        &[
            (r#"[match("ss"; "gi").string]"#, Some(r#"["ß","ss"]"#)),
            (r#"[match("ß"; "gi").string]"#, Some(r#"["ß","ss"]"#)),
            (r#"[match("STRASSE"; "gi").offset]"#, Some(r#"[0,7]"#)),
            (r#"[match("ss"; "g").string]"#, Some(r#"["ss"]"#)),
        ],
    );
}

#[test]
fn word_boundaries_inside_characters_follow_their_bytes() {
    check(
        r#""日本語テキスト é""#,
        &[
            (r#"gsub("\\B"; "?")"#, Some(r#""日?本?語??テ?キ?ス??ト é""#)),
            (r#"gsub("\\b"; "-")"#, Some(r#""-日--本語テキスト- -é--""#)),
            (
                r#"[match("(?:(x)|y)*"; "g").captures[0].string]"#,
                Some(
                    r#"[null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null]"#,
                ),
            ),
        ],
    );
}

#[test]
fn widths_in_date_formats_are_skipped() {
    check(
        r#""2024-03""#,
        &[
            (r#"strptime("%10Y-%2m")[0:2]"#, Some(r#"[2024,2]"#)),
            (r#"strptime("%1EY-%m")[0]"#, Some(r#"2024"#)),
        ],
    );
}

#[test]
fn centuries_have_no_leading_zero() {
    check(
        r#"null"#,
        &[
            (
                r#"[50, 0, 1, 0, 0, 0, 0, 0] | strftime("%C")"#,
                Some(r#""0""#),
            ),
            (
                r#"[1969, 0, 1, 0, 0, 0, 0, 0] | strftime("%C")"#,
                Some(r#""19""#),
            ),
        ],
    );
}

#[test]
fn bytes_that_are_no_text_are_replaced_as_the_reference_does() {
    check(
        r#"null"#,
        &[
            (r#"null | tojson | @base64d"#, Some(r#""��""#)),
            (r#""7aCA" | @base64d"#, Some(r#""�""#)),
            (r#""4ICAQQ==" | @base64d"#, Some(r#""�A""#)),
            (r#""gIBB" | @base64d"#, Some(r#""��A""#)),
            (r#""8J+Y" | @base64d"#, Some(r#""�""#)),
            (r#""w0E=" | @base64d"#, Some(r#""�A""#)),
        ],
    );
}

#[test]
fn escapes_that_mean_nothing_are_letters() {
    check(
        r#""v\u000bp""#,
        &[
            (r#"[match("\\v"; "g").offset]"#, Some(r#"[0]"#)),
            (r#"[match("[\\v]"; "g").offset]"#, Some(r#"[0]"#)),
            (r#"[match("\\p"; "g").offset]"#, Some(r#"[2]"#)),
        ],
    );
}

#[test]
fn no_range_goes_on_behind_a_set() {
    check(
        r#""1-za9d""#,
        &[
            (
                r#"[match("[\\d-z]"; "g").string]"#,
                Some(r#"["1","-","z","9"]"#),
            ),
            (
                r#"[match("[[:alpha:]-9]"; "g").string]"#,
                Some(r#"["-","z","a","9","d"]"#),
            ),
            (r#"[match("[a-c-e]"; "g").string]"#, Some(r#"["-","a"]"#)),
        ],
    );
}

#[test]
fn strptime_knows_no_era_years_and_no_small_halves() {
    check(
        r#""24""#,
        &[
            (r#"strptime("%Ey")"#, None),
            (r#"strptime("%P")"#, None),
            (r#"strptime("%Oy")[0]"#, Some(r#"2024"#)),
        ],
    );
}
