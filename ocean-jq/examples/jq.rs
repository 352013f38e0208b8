//! A small `jq`: filters over JSON texts from standard input or files.
//!
//! Options: `-n` (no input), `-c` (compact), `-r` (raw strings), `-s` (slurp), `-e` (exit status),
//! `--arg NAME TEXT`, `--argjson NAME JSON`, `--seq` is not there. Output is indented unless `-c`.

use std::io::{Read, Write};
use std::ops::ControlFlow;

use ocean_jq::{Document, Error, Kind, Limits, Options, Program, Value};

#[derive(Default)]
struct Arguments {
    null_input: bool,
    compact: bool,
    raw: bool,
    slurp: bool,
    exit_status: bool,
    program: Option<String>,
    files: Vec<String>,
    options: Options,
}

fn main() {
    let code = match run() {
        Ok(code) => code,
        Err(message) => {
            let _ = writeln!(std::io::stderr(), "jq: error: {message}");
            2
        }
    };
    std::process::exit(code);
}

fn arguments() -> Result<Arguments, String> {
    let mut parsed = Arguments::default();
    parsed.options.env = std::env::vars().collect();
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--arg" | "--argjson" => {
                let name = args.next().ok_or("--arg needs a name")?;
                let text = args.next().ok_or("--arg needs a value")?;
                let value = if arg == "--arg" {
                    text.into()
                } else {
                    serde_json::from_str(&text).map_err(|error| format!("--argjson: {error}"))?
                };
                parsed.options.variables.insert(name, value);
            }
            flags if flags.len() > 1 && flags.starts_with('-') && !flags.starts_with("--") => {
                for flag in flags[1..].chars() {
                    match flag {
                        'n' => parsed.null_input = true,
                        'c' => parsed.compact = true,
                        'r' => parsed.raw = true,
                        's' => parsed.slurp = true,
                        'e' => parsed.exit_status = true,
                        _ => return Err(format!("unknown option -{flag}")),
                    }
                }
            }
            _ if parsed.program.is_none() => parsed.program = Some(arg),
            _ => parsed.files.push(arg),
        }
    }
    Ok(parsed)
}

fn run() -> Result<i32, String> {
    let arguments = arguments()?;
    let text = arguments
        .program
        .as_deref()
        .ok_or("usage: jq [-ncrse] PROGRAM [FILE..]")?;
    let program = match Program::compile(text, &arguments.options) {
        Ok(program) => program,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "jq: error: {error}\njq: 1 compile error");
            return Ok(3);
        }
    };
    let mut input = Vec::new();
    if !arguments.null_input {
        if arguments.files.is_empty() {
            std::io::stdin()
                .read_to_end(&mut input)
                .map_err(|error| error.to_string())?;
        }
        for file in &arguments.files {
            let bytes = std::fs::read(file).map_err(|error| format!("{file}: {error}"))?;
            input.extend_from_slice(&bytes);
            input.push(b'\n');
        }
    }
    let documents = documents(&input)?;
    let null = Value::NULL;
    if arguments.null_input {
        return evaluate(&arguments, &program, &null);
    }
    if arguments.slurp {
        let all = Value::array(documents.iter().map(Document::root).collect());
        return evaluate(&arguments, &program, &all);
    }
    let mut code = 0;
    for document in &documents {
        code = evaluate(&arguments, &program, &document.root())?;
        if code > 1 && code != 5 {
            break;
        }
    }
    Ok(code)
}

/// Splits a text into the JSON texts it consists of.
fn documents(text: &[u8]) -> Result<Vec<Document>, String> {
    const MAX_DEPTH: usize = 10_000;
    let mut documents = Vec::new();
    let mut from = 0;
    while from < text.len() {
        if text[from].is_ascii_whitespace() {
            from += 1;
            continue;
        }
        let to = from + value_length(&text[from..]);
        let document = Document::parse_within(&text[from..to], MAX_DEPTH)
            .map_err(|error| format!("input: {error}"))?;
        documents.push(document);
        from = to;
    }
    Ok(documents)
}

/// The length of the first JSON text, by its brackets and quotes.
fn value_length(text: &[u8]) -> usize {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for (at, &byte) in text.iter().enumerate() {
        if in_string {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => {
                    in_string = false;
                    if depth == 0 {
                        return at + 1;
                    }
                }
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' if depth == 0 && at > 0 => return at,
            b'"' => in_string = true,
            b'[' | b'{' => depth += 1,
            b']' | b'}' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return at + 1;
                }
            }
            b' ' | b'\n' | b'\t' | b'\r' if depth == 0 => return at,
            _ => {}
        }
    }
    text.len()
}

fn evaluate<'a>(
    arguments: &Arguments,
    program: &'a Program,
    input: &Value<'a>,
) -> Result<i32, String> {
    // A command may take its time; the tests of jq nest values deeper than a mapping would.
    let mut limits = Limits {
        steps: 100_000_000,
        bytes: 1 << 30,
        stack_bytes: 6 << 20,
        output_bytes: 1 << 30,
        output_depth: 10_001,
        ..Limits::default()
    };
    let mut last_is_truthy = true;
    let mut failure = None;
    let result = program.each(input, &mut limits, |value| {
        last_is_truthy = value.is_truthy();
        let mut line = String::new();
        match (arguments.raw, value.as_str()) {
            (true, Some(text)) => line.push_str(text),
            _ if arguments.compact => line = value.to_json_string(),
            _ => indented(&value, 0, &mut line),
        }
        line.push('\n');
        match std::io::stdout().write_all(line.as_bytes()) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                failure = Some(error.to_string());
                ControlFlow::Break(())
            }
        }
    });
    if let Some(message) = failure {
        return Err(message);
    }
    match result {
        Ok(()) if arguments.exit_status && !last_is_truthy => Ok(1),
        Ok(()) => Ok(0),
        Err(Error::Halt { exit_code, value }) => {
            if let Some(value) = value {
                let text = value
                    .as_str()
                    .map_or_else(|| format!("{value}\n"), str::to_owned);
                let _ = write!(std::io::stderr(), "{text}");
            }
            Ok(exit_code)
        }
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "jq: error (at <stdin>:0): {error}");
            Ok(5)
        }
    }
}

/// Two spaces a level; deep values fall back to one line.
fn indented(value: &Value<'_>, depth: usize, out: &mut String) {
    let open = match value.kind() {
        Kind::Array if value.len() > Some(0) && depth < 200 => '[',
        Kind::Object if value.len() > Some(0) && depth < 200 => '{',
        _ => return out.push_str(&value.to_json_string()),
    };
    let newline = |depth: usize, out: &mut String| {
        out.push('\n');
        out.push_str(&"  ".repeat(depth));
    };
    out.push(open);
    if open == '[' {
        for (at, item) in value.items().enumerate() {
            if at > 0 {
                out.push(',');
            }
            newline(depth + 1, out);
            indented(&item, depth + 1, out);
        }
    } else {
        for (at, (key, item)) in value.entries().enumerate() {
            if at > 0 {
                out.push(',');
            }
            newline(depth + 1, out);
            out.push_str(&Value::str(&key).to_json_string());
            out.push_str(": ");
            indented(&item, depth + 1, out);
        }
    }
    newline(depth, out);
    out.push(if open == '[' { ']' } else { '}' });
}
