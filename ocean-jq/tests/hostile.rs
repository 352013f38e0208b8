//! Programs and inputs that mean harm: every one ends, in an ordinary error or a result, on a
//! thread with a stack of 2 MB.

use ocean_jq::{Document, Error, LimitKind, Limits, Options, Program, Value};

/// Runs on a thread of the size that worker threads have.
fn on_small_stack(work: impl FnOnce() + Send + 'static) {
    let thread = std::thread::Builder::new()
        .stack_size(2 << 20)
        .spawn(work)
        .expect("a thread");
    thread.join().expect("no panic on the thread");
}

/// What became of a program on an input: `ok`, the name of the limit, or another error.
fn outcome(program: &str, input: &str) -> String {
    let document = match Document::parse(input.as_bytes()) {
        Ok(document) => document,
        Err(_) => return "bad input".to_owned(),
    };
    let program = match Program::compile(program, &Options::default()) {
        Ok(program) => program,
        Err(_) => return "compile error".to_owned(),
    };
    let mut limits = Limits::default();
    match program.all(&document.root(), &mut limits) {
        Ok(values) => {
            for value in &values {
                // Whatever comes out can be converted and dropped.
                let _ = value.to_serde();
                let _ = value.to_json_string();
            }
            "ok".to_owned()
        }
        Err(Error::Limit(kind)) => kind.name().to_owned(),
        Err(Error::Halt { .. }) => "halt".to_owned(),
        Err(_) => "error".to_owned(),
    }
}

fn check(cases: &'static [(&'static str, &'static str)]) {
    on_small_stack(move || {
        for (program, expected) in cases {
            let found = outcome(program, "[[1,{\"a\":[2,3]}],\"text\"]");
            assert!(
                expected.split('|').any(|one| one == found),
                "{program}: {found}"
            );
        }
    });
}

#[test]
fn the_nine_of_the_study() {
    check(&[
        ("[range(1e9)]", "bytes|steps"),
        ("def f: f; f", "stack_bytes"),
        ("def f: 1+f; f", "stack_bytes"),
        ("until(false;.)", "steps"),
        ("last(range(1e9))", "steps"),
        ("reduce range(1e9) as $x (0; .+$x)", "steps"),
        ("[limit(1e9;repeat(\"x\"))]", "steps|bytes"),
        ("reduce range(60) as $i (\"x\"; .+.)", "bytes"),
        ("reduce range(60) as $i ([1]; .+.)", "bytes"),
        ("\"abc\"*1000000000", "error|bytes"),
        ("(\"a\"*40)+\"!\" | test(\"(a+)+$\")", "ok"),
        ("halt", "halt"),
    ]);
}

#[test]
fn recursion_of_every_shape() {
    check(&[
        ("def f: [f]; f", "stack_bytes"),
        ("def f: {a: f}; f", "stack_bytes"),
        ("def f: f | f; f", "stack_bytes"),
        ("def f: f, f; f", "stack_bytes"),
        ("def f: if f then 1 else 2 end; f", "stack_bytes"),
        ("def f: try f catch .; f", "stack_bytes"),
        ("def f: f // f; f", "stack_bytes"),
        ("def f: f and f; f", "stack_bytes"),
        ("def f: \"\\(f)\"; f", "stack_bytes"),
        ("def f: .[f]; f", "stack_bytes"),
        ("def f: .[f:f]; f", "stack_bytes"),
        ("def f: f as $x | $x; f", "stack_bytes"),
        ("def f: f as [$x] | $x; f", "stack_bytes"),
        ("def f: reduce f as $x (0; 1); f", "stack_bytes"),
        ("def f: foreach f as $x (0; 1); f", "stack_bytes"),
        ("def f: label $x | f; f", "stack_bytes"),
        ("def f(g): f(g|g); f(.)", "stack_bytes"),
        ("def f(g): f(f(g)); f(.)", "stack_bytes"),
        ("def f($x): f($x + 1); f(0)", "stack_bytes"),
        ("def f: path(f); f", "stack_bytes"),
        ("def f: .[0] | f; path(f)", "stack_bytes|error"),
        ("def f: f |= 1; f", "stack_bytes"),
        ("def f: .a = f; f", "stack_bytes"),
        ("def f: del(f); f", "stack_bytes"),
        ("def f: map(f); [[[1]]] | f", "ok|error|stack_bytes"),
        ("def f: sort_by(f); [1,2] | f", "stack_bytes|error"),
        ("def f: any(f; f); f", "stack_bytes"),
        ("def f: first(f); f", "stack_bytes"),
        ("def f: limit(1; f); f", "stack_bytes"),
        ("def f: walk(f); f", "stack_bytes"),
        ("def f: recurse(f); [f]", "stack_bytes|steps"),
        ("def f: gsub(\"t\"; f); \"text\" | f", "stack_bytes|error"),
        ("def f: until(f; f); f", "stack_bytes"),
        ("def f: env | f; f", "stack_bytes"),
        ("def f: f?; f", "stack_bytes"),
        ("def f: -f; f", "stack_bytes"),
        ("def f: with_entries(f); {a:1} | f", "stack_bytes|error"),
        ("def f: [limit(3; f, 1)]; f", "stack_bytes"),
        ("def f: fromstream(f); f", "stack_bytes"),
        ("def f: IN(f); f", "stack_bytes"),
        ("[recurse([.])]|length", "stack_bytes|steps|bytes"),
        ("[recurse(.;true)]|length", "stack_bytes|steps|bytes"),
        ("def f: def g: f; g; f", "stack_bytes"),
        (
            "def f: . as {a: $x} ?// [$x] ?// $x | f; f",
            "stack_bytes|steps",
        ),
    ]);
}

#[test]
fn growth_of_every_shape() {
    check(&[
        (
            "reduce range(60) as $i (1; [.,.]) | tojson",
            "bytes|steps|output_bytes",
        ),
        ("reduce range(60) as $i (1; [.,.])", "output_bytes"),
        ("reduce range(60) as $i (1; {a:.,b:.}) | . == .", "steps"),
        ("reduce range(60) as $i (1; [.,.]) | flatten", "steps|bytes"),
        (
            "reduce range(60) as $i (1; [.,.]) | [..] | length",
            "steps|bytes",
        ),
        (
            "reduce range(60) as $i (1; [.,.]) | [paths] | length",
            "steps|bytes",
        ),
        (
            "reduce range(60) as $i (1; [.,.]) as $x | [$x,$x] | unique",
            "steps",
        ),
        (
            "reduce range(60) as $i (1; [.,.]) | [tostream] | length",
            "steps|bytes",
        ),
        ("reduce range(60) as $i (1; [.,.]) | contains(.)", "steps"),
        (
            "reduce range(60) as $i (1; [.,.]) | walk(.) | length",
            "steps|bytes",
        ),
        (
            "reduce range(200000) as $i (0; [.]) | tojson | length",
            "ok|bytes",
        ),
        ("reduce range(200000) as $i (0; [.])", "output_depth"),
        (
            "reduce range(200000) as $i (0; {a:.}) | [.,.] | sort | length",
            "ok|stack_bytes|error|bytes",
        ),
        (
            "reduce range(100000) as $i (0; [.]) | [..] | length",
            "stack_bytes",
        ),
        ("reduce range(100000) as $i (0; [.]) | flatten", "ok"),
        (
            "reduce range(100000) as $i (0; [.]) | [getpath([range(9999)|0])] | length",
            "ok",
        ),
        (
            "reduce range(100000) as $i ([]; [.]) | walk(.) | length",
            "stack_bytes",
        ),
        (
            "[range(100000)] | map([.,.]) | combinations",
            "steps|bytes|stack_bytes|output_bytes",
        ),
        (".[1e8] = 1", "bytes|error"),
        ("[.[1e300]?]", "ok"),
        (
            "[limit(100000; repeat(\"x\"))] | add | length",
            "ok|steps|bytes",
        ),
        ("[range(300000)] | transpose", "error|bytes|steps"),
        ("[range(100000)|tostring] | join(\",\") | length", "ok"),
        ("[range(100000)] | sort_by(-.) | length", "ok|steps|bytes"),
        ("[range(200000)] - [range(200000)]", "steps|bytes"),
        (
            "[range(3000)] as $a | $a | indices($a[0:1500]) | length",
            "ok|steps",
        ),
        ("\"a\" * 1000000 | split(\"\") | length", "bytes"),
        ("\"a\" * 1000000 | explode | length", "bytes"),
        (
            "\"a\" * 1000000 | [match(\"\"; \"g\")] | length",
            "bytes|steps",
        ),
        (
            "\"a\" * 1000000 | gsub(\"\"; \"bbbbbbbbbbbbbbbb\") | length",
            "bytes|steps",
        ),
        (
            "\"\\(\"a\" * 8000000)\\(\"a\" * 8000000)\\(\"b\" * 8000000)\" | length",
            "bytes",
        ),
        ("1 | strftime(\"%4096Y\" * 1000)", "error|ok|bytes"),
        ("[splits(\"a\";null,null,null)] | length", "error|ok"),
    ]);
}

#[test]
fn regexes_cannot_run_away() {
    check(&[
        ("(\"a\"*40)+\"!\" | test(\"^(a|a)*$\")", "ok"),
        (
            "(\"a\"*40)+\"!\" | test(\"^(?=a)(a+)+$\")",
            "regex_backtracks|ok",
        ),
        (
            "(\"a\"*40)+\"!\" | test(\"(a*)*\\\\1b\")",
            "regex_backtracks|ok",
        ),
        (
            "(\"x\"*4000) | test(\"(x+x+)+(?<!y)y\")",
            "regex_backtracks|ok",
        ),
        ("\"a\" | test(\"((a{100}){100}){100}\")", "error|ok"),
        (
            "\"a\" | test(\"(\" * 5000 + \"a\" + \")\" * 5000)",
            "error|ok",
        ),
        ("\"a\" | test(\"(?:\" * 50000)", "error"),
        ("\"a\" | test(\"[\" * 50000)", "error"),
        ("\"a\" | test(\"{\" * 50000)", "error|ok"),
        ("\"a\" | test(\"a{1,\" * 20000)", "error|ok"),
        ("\"a\" | test(\"a\" + \"{1}+\" * 20000)", "error|ok"),
        ("\"a\" | test(\"(a)?\" + \"(?(1)\" * 5000)", "error"),
        ("\"a\" | test(\"(?<=\" * 5000)", "error"),
        ("\"a\" | test(\"(?<r>\\\\g<r>)\")", "error"),
        (
            "(\"a\"*5000)+(\"b\"*5000) | test(\"(?<r>a\\\\g<r>?b)\")",
            "regex_backtracks|error|ok",
        ),
        (
            "(\"ab\"*2000) | test(\"((?~ba)*)*c\")",
            "regex_backtracks|error|ok",
        ),
        ("\"a\" | test(\"a\" + \"?\" * 50000)", "error|ok"),
        (
            "[range(5000)|tostring] | map(. as $x | \"abc\" | test($x)) | length",
            "ok|steps|bytes",
        ),
    ]);
}

#[test]
fn program_texts_without_end() {
    on_small_stack(|| {
        for open in [
            "[",
            "(",
            "{a:",
            "{(",
            "-",
            "def f: ",
            "\"\\(",
            "try ",
            "if ",
            "if 1 then ",
            ". as [",
            ". as {a:",
            "1+(",
            ".[",
            ".[1:",
            "reduce ",
            "foreach ",
            "reduce . as $x (",
            "f(",
            "@base64 \"\\(",
            "label $x | ",
            "1 as $x | ",
            ".a[",
            "..[",
            "1 // ",
            "1 and ",
            "1, ",
            "1 | ",
            ".a = ",
            "break ",
        ] {
            for count in [100, 1_000, 20_000, 200_000] {
                let text = open.repeat(count);
                let _ = Program::compile(&text, &Options::default());
                let closed = format!("{text}1{}", ")".repeat(count));
                let _ = Program::compile(&closed, &Options::default());
            }
        }
        // Deep but closed: compiled, printed, run and dropped, or refused.
        for (open, close) in [
            ("[", "]"),
            ("(", ")"),
            ("{a:", "}"),
            ("\"\\(", ")\""),
            ("try ", ""),
            ("-", ""),
            ("if . then ", " end"),
            ("first(", ")"),
            ("1+", ""),
            ("1 as $x | ", ""),
            (".[", "]"),
            ("label $x | ", ""),
            ("def f: 1; ", ""),
            ("1 // ", ""),
            ("1,", ""),
            ("1|", ""),
            ("reduce . as $x (0; ", ")"),
            ("def f: ", "; f"),
        ] {
            for count in [10, 200, 400, 600, 900, 990, 2_000] {
                let text = format!("{}1{}", open.repeat(count), close.repeat(count));
                if let Ok(program) = Program::compile(&text, &Options::default()) {
                    // Printed, or refused when it is too deep for that.
                    let _ = ocean_jq::normalize(&text);
                    let _ = program.all(&Value::NULL, &mut Limits::default());
                }
            }
        }
        let chain = format!("1{}", "+1".repeat(900));
        assert_eq!(outcome(&chain, "null"), "ok");
        let pipes = format!(".{}", "|.".repeat(100_000));
        assert_eq!(outcome(&pipes, "null"), "ok");
        let commas = format!(".{}", ",.".repeat(100_000));
        assert_eq!(outcome(&commas, "null"), "ok");
    });
}

#[test]
fn inputs_without_end() {
    on_small_stack(|| {
        for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
            let deep = format!("{}1{}", open.repeat(100_000), close.repeat(100_000));
            assert!(Document::parse(deep.as_bytes()).is_err());
            let allowed = format!("{}1{}", open.repeat(512), close.repeat(512));
            for program in [
                ".",
                "[..] | length",
                "tojson | fromjson",
                ". == .",
                "[paths] | length",
                "flatten?",
                "[.,.] | sort",
                "walk(.)",
                "del(..|select(. == 1))",
                "(..|numbers) |= 2",
                "[tostream] | length",
                "fromstream(tostream)",
                "contains(.)",
                ". * .?",
                "tostring | length",
            ] {
                let found = outcome(program, &allowed);
                assert!(
                    found == "ok" || found == "error" || found == "stack_bytes",
                    "{program}: {found}"
                );
            }
        }
        // As many levels as `fromjson` takes.
        for text in ["[", "{\"a\":"] {
            let close = if text == "[" { "]" } else { "}" };
            let program = format!(
                "\"\\({text:?} * 9000)1\\({close:?} * 9000)\" | fromjson | tojson | length"
            );
            let found = outcome(&program, "null");
            assert!(
                ["ok", "stack_bytes", "bytes"].contains(&found.as_str()),
                "{found}"
            );
        }
        // Keys that all hash alike must not make parsing or lookups quadratic.
        let keys: Vec<String> = (0..200_000)
            .map(|n| format!("\"aaaaaaaa{n:08}zzzzzzzz\":{n}"))
            .collect();
        let wide = format!("{{{}}}", keys.join(","));
        assert_eq!(outcome("[.[keys_unsorted[:1000][]]] | length", &wide), "ok");
        assert_eq!(
            outcome("with_entries(.value += 1) | length", &wide),
            "bytes"
        );
    });
}

#[test]
fn limits_can_be_set_and_are_named() {
    let run = |text: &str, mut limits: Limits| {
        let program = Program::compile(text, &Options::default()).unwrap();
        let result = program.all(&Value::NULL, &mut limits);
        result.err().and_then(|error| error.limit())
    };
    let limits = Limits::default;
    assert_eq!(
        run(
            "[range(100)]",
            Limits {
                steps: 50,
                ..limits()
            }
        ),
        Some(LimitKind::Steps)
    );
    assert_eq!(
        run(
            "[range(100)]",
            Limits {
                bytes: 500,
                ..limits()
            }
        ),
        Some(LimitKind::Bytes)
    );
    let small = Limits {
        stack_bytes: 16 << 10,
        ..limits()
    };
    assert_eq!(run("def f: 1 + f; f", small), Some(LimitKind::Stack));
    assert_eq!(
        run(
            "\"abcdef\"",
            Limits {
                output_bytes: 5,
                ..limits()
            }
        ),
        Some(LimitKind::OutputBytes)
    );
    assert_eq!(
        run(
            "[[now]]",
            Limits {
                output_depth: 1,
                ..limits()
            }
        ),
        Some(LimitKind::OutputDepth)
    );
    let backtracks = Limits {
        regex_backtracks: 100,
        ..limits()
    };
    let text = "(\"a\"*40) | test(\"(?=a)(a|a)*(?<!a)b\")";
    assert_eq!(run(text, backtracks), Some(LimitKind::RegexBacktracks));
    // A limit is not an error that a program can catch.
    assert_eq!(
        run(
            "try [range(1000)] catch 1",
            Limits {
                steps: 50,
                ..limits()
            }
        ),
        Some(LimitKind::Steps)
    );
}
