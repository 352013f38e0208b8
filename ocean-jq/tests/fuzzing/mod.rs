//! A bounded fuzz harness that needs no nightly toolchain: random programs on random inputs.
//!
//! Programs come from a grammar, from mutated seeds, and from a soup of tokens. Whatever they are,
//! compiling and running them must end, within the limits, without a panic; what comes out must
//! be JSON that reads back to the same text; what compiles must print as a program that prints the
//! same again and does the same.

#![allow(dead_code, reason = "each test and the example use a part of it")]

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use ocean_jq::{Document, Limits, Options, Program, Value, normalize};

const SEEDS: &str = include_str!("seeds.txt");

pub(crate) const INPUTS: [&str; 12] = [
    "null",
    "{\"a\":1,\"b\":[1,2,{\"c\":\"x\"}],\"d\":null}",
    "[3,1,2]",
    "\"2024-03-05T10:11:12Z\"",
    "\"a,b, c\"",
    "-1.50",
    "[[1,[2]],{\"a\":false}]",
    "{\"key\":\"k\",\"value\":[9007199254740993,1e400]}",
    "[{\"a\":2,\"b\":\"y\"},{\"a\":1,\"b\":\"x\"},{\"a\":2}]",
    "\"añb😀\\u0000\"",
    "[]",
    "true",
];

const LEAVES: [&str; 40] = [
    ".",
    "..",
    ".a",
    ".b",
    ".[0]",
    ".[-1]",
    ".[]",
    ".[]?",
    ".a?",
    "1",
    "0",
    "-1",
    "1.5",
    "1e3",
    "null",
    "true",
    "false",
    "\"x\"",
    "\"a,b\"",
    "[]",
    "{}",
    "$__loc__",
    "empty",
    "error",
    "not",
    "length",
    "keys",
    "tostring",
    "tojson",
    "add",
    "first",
    "last",
    "reverse",
    "sort",
    "to_entries",
    "paths",
    "tostream",
    "now",
    "infinite",
    "nan",
];

const UNARY: [&str; 60] = [
    "map(@)",
    "select(@)",
    "[@]",
    "(@)",
    "(@)?",
    "-(@)",
    "{a: @}",
    "{(@): 1}",
    "{\"b\": @}",
    "path(@)",
    "del(@)",
    "recurse(@)",
    "first(@)",
    "last(@)",
    "any(@)",
    "all(@)",
    "add(@)",
    "sort_by(@)",
    "group_by(@)",
    "unique_by(@)",
    "min_by(@)",
    "max_by(@)",
    "with_entries(@)",
    "map_values(@)",
    "walk(@)",
    "isempty(@)",
    "error(@)",
    "has(@)",
    "contains(@)",
    "inside(@)",
    "index(@)",
    "indices(@)",
    "split(@)",
    "join(@)",
    "test(@)",
    "[match(@; \"g\")]",
    "[scan(@)]",
    "ltrimstr(@)",
    "startswith(@)",
    "getpath(@)",
    "paths(@)",
    "pick(@)",
    "limit(2; @)",
    "skip(1; @)",
    "until(true; @)",
    "[limit(3; repeat(@))]",
    "range(@)",
    "tojson | @",
    "try (@) catch .",
    "@base64 \"\\(@)\"",
    "\"\\(@)\"",
    "strftime(@)",
    "strptime(@)",
    "flatten(@)",
    "bsearch(@)",
    "label $x | @ | ., break $x",
    "to_entries | @",
    "fromstream(@)",
    "splits(@)",
    "combinations(@)",
];

const BINARY: [&str; 46] = [
    "@ | @",
    "@, @",
    "@ + @",
    "@ - @",
    "@ * @",
    "@ / @",
    "@ % @",
    "@ == @",
    "@ < @",
    "@ >= @",
    "@ and @",
    "@ or @",
    "@ // @",
    "@ as $x | @",
    "@ as [$x, $y] | @",
    "@ as {a: $x} ?// [$x] | @",
    "if @ then @ end",
    "if @ then 1 else @ end",
    "reduce @ as $x (0; @)",
    "foreach @ as $x (0; @)",
    "(@) |= @",
    "(@) = @",
    "(@) += @",
    "(@) //= @",
    ".[@:@]",
    ".[@] | @",
    "try (@) catch (@)",
    "def f: @; f | @",
    "def f(g): g | @; f(@)",
    "def f($v): $v, @; f(@)",
    "[limit(@; @)]",
    "setpath(@; @)",
    "sub(@; @)",
    "gsub(@; @)",
    "test(@; @)",
    "range(@; @)",
    "while(@; @)",
    "until(@; @)",
    "recurse(@; @)",
    "any(@; @)",
    "INDEX(@; @)",
    "IN(@; @)",
    "pow(@; @)",
    "nth(@; @)",
    "def f: if @ then f else @ end; f",
    "{a: @, b: @}",
];

const TOKENS: [&str; 52] = [
    ".", "..", "[", "]", "(", ")", "{", "}", "|", ",", ":", ";", "?", "//", "?//", "=", "|=", "+=",
    "+", "-", "*", "/", "%", "==", "<", "and", "or", "not", "if", "then", "else", "elif", "end",
    "try", "catch", "reduce", "foreach", "as", "def", "f", "label", "break", "$x", ".a", "\"s\"",
    "\"\\(", "@json", "1", "1e9", "$__loc__", "#c\n", "\\",
];

const REGEXES: [&str; 16] = [
    "\"a|b\"",
    "\"(?<x>[a-z]+)\"",
    "\"^\"",
    "\"$\"",
    "\"\"",
    "\"(?=a)\"",
    "\"[^,]*\"",
    "\"\\\\d+\"",
    "\"(a)?b\"",
    "\"(?<!a)b\"",
    "\"a++\"",
    "\"[[:alpha:]]\"",
    "\"(\"",
    "\"x*\"",
    "\"(?i)A\"",
    "\"\\\\bb\"",
];

/// xorshift64*: reproducible from a seed, no dependency.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Random {
        Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() >> 33) as usize % bound.max(1)
    }

    fn pick<'s>(&mut self, from: &[&'s str]) -> &'s str {
        from[self.below(from.len())]
    }
}

fn fill(template: &str, random: &mut Random, depth: usize) -> String {
    let mut text = String::new();
    let mut rest = template;
    while let Some(at) = rest.find('@') {
        text.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if rest.starts_with("base64") {
            text.push('@');
        } else {
            text.push_str(&grammar(random, depth));
        }
    }
    text.push_str(rest);
    text
}

fn grammar(random: &mut Random, depth: usize) -> String {
    match random.below(if depth == 0 { 2 } else { 9 }) {
        0 => random.pick(&LEAVES).to_owned(),
        1 => random.pick(&REGEXES).to_owned(),
        2..=4 => fill(random.pick(&UNARY), random, depth - 1),
        _ => fill(random.pick(&BINARY), random, depth - 1),
    }
}

fn mutate(text: &str, random: &mut Random) -> String {
    let mut chars: Vec<char> = text.chars().collect();
    for _ in 0..=random.below(3) {
        let at = random.below(chars.len());
        match random.below(5) {
            0 if !chars.is_empty() => drop(chars.remove(at)),
            1 => {
                let token = random.pick(&TOKENS);
                chars.splice(at..at, token.chars());
            }
            2 if !chars.is_empty() => {
                let end = (at + random.below(8)).min(chars.len());
                let copy: Vec<char> = chars[at..end].to_vec();
                chars.splice(at..at, copy);
            }
            3 if !chars.is_empty() => {
                let end = (at + random.below(8)).min(chars.len());
                chars.drain(at..end);
            }
            _ => {
                let leaf = grammar(random, 1);
                chars.splice(at..at, leaf.chars());
            }
        }
    }
    chars.into_iter().collect()
}

/// A program text, valid or not.
pub(crate) fn program(random: &mut Random) -> String {
    let seeds: Vec<&str> = SEEDS.lines().collect();
    match random.below(10) {
        0 => (0..random.below(14))
            .map(|_| random.pick(&TOKENS))
            .collect::<Vec<_>>()
            .join(" "),
        1..=3 => mutate(random.pick(&seeds), random),
        _ => {
            let depth = 1 + random.below(3);
            grammar(random, depth)
        }
    }
}

/// Runs one program on some inputs; returns the number of executions.
fn execute(text: &str, inputs: &[Document], random: &mut Random) -> u64 {
    let Ok(program) = Program::compile(text, &Options::default()) else {
        return 1;
    };
    let normal = normalize(text).expect("what compiles also parses");
    let again = normalize(&normal).expect("what is printed parses");
    assert_eq!(normal, again, "printing is not stable");
    let printed = Program::compile(&normal, &Options::default()).expect("what is printed compiles");
    let limits = || Limits {
        steps: 2_000,
        bytes: 128 << 10,
        output_bytes: 64 << 10,
        regex_backtracks: 2_000,
        ..Limits::default()
    };
    let first = random.below(inputs.len());
    let mut count = 0;
    for at in 0..6 {
        let input = inputs[(first + at) % inputs.len()].root();
        let mut account = limits();
        let result = program.all(&input, &mut account);
        count += 1;
        assert!(account.usage.steps <= 2_000 && account.usage.bytes <= 128 << 10);
        assert!(account.usage.output_bytes <= (64 << 10) + 32 || result.is_err());
        if at == 0 {
            // The clock moves between two runs.
            if !text.contains("now") && !text.contains("loc") {
                let other = printed.all(&input, &mut limits());
                let show = |values: &Vec<Value<'_>>| {
                    values.iter().map(Value::to_json_string).collect::<Vec<_>>()
                };
                assert_eq!(
                    result.as_ref().map(show).ok(),
                    other.as_ref().map(show).ok()
                );
            }
            for value in result.iter().flatten() {
                let json = value.to_json_string();
                let parsed = Document::parse(json.as_bytes()).expect("outputs are JSON");
                let text = parsed.root().to_json_string();
                let again = Document::parse(text.as_bytes()).expect("JSON");
                assert_eq!(again.root().to_json_string(), text);
                let _ = value.to_serde();
            }
        }
    }
    count
}

/// Fuzzes until the time or the executions are used up; returns the executions.
pub(crate) fn run(seed: u64, time: Duration, max_executions: u64) -> u64 {
    let current = Arc::new(Mutex::new(String::new()));
    let shown = Arc::clone(&current);
    let default_hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if let Ok(program) = shown.lock() {
            let _ = std::io::Write::write_fmt(
                &mut std::io::stderr(),
                format_args!("fuzzed program: {program:?}\n"),
            );
        }
        default_hook(info);
    }));
    let work = move || {
        let inputs: Vec<Document> = INPUTS
            .iter()
            .map(|text| Document::parse(text.as_bytes()).expect("JSON"))
            .collect();
        let mut random = Random::new(seed);
        let start = Instant::now();
        let mut executions = 0;
        while executions < max_executions && start.elapsed() < time {
            for _ in 0..100 {
                let text = program(&mut random);
                if let Ok(mut current) = current.lock() {
                    current.clone_from(&text);
                }
                executions += execute(&text, &inputs, &mut random);
            }
        }
        executions
    };
    let thread = std::thread::Builder::new()
        .stack_size(2 << 20)
        .spawn(work)
        .expect("thread");
    thread.join().expect("no panic")
}
