//! The rules of the house: which room may know which. ARCHITECTURE.md says why.

use std::{
    fs,
    path::{Path, PathBuf},
};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_owned()
}

/// All Rust files below `folder`, as paths from it with their text, tests and comments left out.
fn sources(folder: &Path) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path
                    .strip_prefix(folder)
                    .unwrap()
                    .to_string_lossy()
                    .into_owned();
                found.push((name, code(&fs::read_to_string(&path).unwrap())));
            }
        }
    }
    assert!(found.len() > 3, "{} has no sources", folder.display());
    found
}

fn code(text: &str) -> String {
    let text = text
        .split("#[cfg(test)]\nmod tests")
        .next()
        .unwrap_or_default();
    let lines = text
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}

/// Whether `text` uses the module `crate::name`.
fn uses(text: &str, name: &str) -> bool {
    let direct = format!("crate::{name}::");
    if text.contains(&direct) {
        return true;
    }
    // `use crate::{a::B, name::C};`, over several lines too.
    text.match_indices("use crate::{").any(|(start, opening)| {
        let list = &text[start + opening.len()..];
        let list = &list[..list.find("};").unwrap_or(list.len())];
        let mut depth = 0;
        let mut item = String::new();
        for letter in list.chars().chain([',']) {
            match letter {
                '{' => depth += 1,
                '}' => depth -= 1,
                ',' if depth == 0 => {
                    if item.trim().starts_with(&format!("{name}::")) || item.trim() == name {
                        return true;
                    }
                    item.clear();
                    continue;
                }
                _ => {}
            }
            item.push(letter);
        }
        false
    })
}

#[test]
fn dependencies_run_one_way() {
    let rooms: [(&str, &[&str]); 7] = [
        (
            "queue",
            &[
                "processor",
                "dispatch",
                "mapping",
                "catalog",
                "ingress",
                "admin",
                "runtime",
                "http",
            ],
        ),
        (
            "catalog",
            &[
                "processor",
                "queue",
                "dispatch",
                "mapping",
                "ingress",
                "admin",
                "runtime",
            ],
        ),
        (
            "mapping",
            &[
                "processor",
                "queue",
                "dispatch",
                "ingress",
                "admin",
                "runtime",
                "http",
            ],
        ),
        ("dispatch", &["ingress", "admin", "runtime", "http"]),
        (
            "ingress",
            &["dispatch", "mapping", "catalog", "runtime", "http", "admin"],
        ),
        (
            "processor",
            &[
                "queue", "dispatch", "mapping", "catalog", "ingress", "admin", "runtime", "http",
            ],
        ),
        (
            "http",
            &[
                "processor",
                "queue",
                "dispatch",
                "mapping",
                "catalog",
                "ingress",
                "admin",
                "runtime",
            ],
        ),
    ];
    let files = sources(&root().join("ocean-core/src"));
    let mut wrong = Vec::new();
    for (room, forbidden) in rooms {
        for (file, text) in files.iter().filter(|(file, _)| {
            file.starts_with(&format!("{room}/")) || *file == format!("{room}.rs")
        }) {
            for name in forbidden {
                if uses(text, name) {
                    wrong.push(format!("{file} knows `{name}`"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn only_the_named_places_reach_outside() {
    let rules: [(&str, &[&str]); 3] = [
        ("actix_web::", &["ingress/", "admin/"]),
        ("env::var", &["runtime/config/"]),
        ("inventory::", &["processor/registry.rs", "__private.rs"]),
    ];
    let mut wrong = Vec::new();
    for (file, text) in sources(&root().join("ocean-core/src")) {
        for (what, places) in rules {
            if text.contains(what) && !places.iter().any(|place| file.starts_with(place)) {
                wrong.push(format!("{file} has `{what}`"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_jq_engine_knows_nothing_of_ocean() {
    for (file, text) in sources(&root().join("ocean-jq/src")) {
        assert!(!text.contains("ocean_core"), "{file}");
    }
}

#[test]
fn a_use_is_found_in_every_form() {
    let cases = [
        ("crate::queue::Queue", true),
        (
            "use crate::{\n    catalog::{A, queue_like},\n    queue::Queue,\n};",
            true,
        ),
        ("use crate::{catalog::{queue::A}};", false),
        ("use crate::queueing::A;", false),
    ];
    for (text, expected) in cases {
        assert_eq!(uses(text, "queue"), expected, "{text}");
    }
}
