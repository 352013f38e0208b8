//! Random programs against the `jq` on the PATH, when that is version 1.8.

mod fuzzing;

use std::io::Write;
use std::process::{Command, Stdio};

use ocean_jq::{Document, Limits, Options, Program, Value};

/// The outputs of the reference as JSON lines; nothing when it fails or takes too long.
fn reference(program: &str, input: &str) -> Option<Vec<String>> {
    let mut child = Command::new("timeout")
        .args(["2", "jq", "-c", program])
        .env_clear()
        .env("PATH", std::env::var("PATH").unwrap_or_default())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    child.stdin.take()?.write_all(input.as_bytes()).ok()?;
    let output = child.wait_with_output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output
        .status
        .success()
        .then(|| text.lines().map(str::to_owned).collect())
}

fn by_value(lines: &[String]) -> Vec<serde_json::Value> {
    lines
        .iter()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect()
}

#[test]
#[expect(clippy::print_stderr, reason = "a skipped test says so")]
fn the_reference_on_the_path_agrees() {
    let version = Command::new("jq").arg("--version").output();
    let version = version.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    if !version
        .as_ref()
        .is_ok_and(|version| version.starts_with("jq-1.8"))
    {
        eprintln!("skipped: no jq 1.8 on the PATH ({version:?})");
        return;
    }
    let mut random = fuzzing::Random::new(7);
    for _ in 0..500 {
        let text = fuzzing::program(&mut random);
        // What depends on the time, the environment or the kind of input differs by design.
        if ["now", "input", "env", "ENV", "repeat", "__loc__"]
            .iter()
            .any(|word| text.contains(word))
        {
            continue;
        }
        let Ok(program) = Program::compile(&text, &Options::default()) else {
            continue;
        };
        for input in fuzzing::INPUTS {
            let document = Document::parse(input.as_bytes()).unwrap();
            let Ok(ours) = program.all(&document.root(), &mut Limits::default()) else {
                continue;
            };
            let Some(theirs) = reference(&text, input) else {
                continue;
            };
            let ours: Vec<String> = ours.iter().map(Value::to_json_string).collect();
            assert_eq!(by_value(&ours), by_value(&theirs), "{text} on {input}");
        }
    }
}
