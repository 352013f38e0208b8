//! The guide says what the template does, and the template becomes an integration.

use std::{fs, path::Path, process::Command};

use tempfile::TempDir;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// The code blocks of the guide that are marked with the file they are part of.
fn marked_blocks(guide: &str) -> Vec<(&str, &str)> {
    guide
        .split("<!-- integrations/template/")
        .skip(1)
        .map(|part| {
            let (file, rest) = part.split_once(" -->").unwrap();
            let block = rest
                .split_once("```rust\n")
                .unwrap()
                .1
                .split_once("```")
                .unwrap()
                .0;
            (file, block)
        })
        .collect()
}

#[test]
fn every_snippet_of_the_guide_is_part_of_the_template() {
    let guide = fs::read_to_string(root().join("docs/write-an-integration.md")).unwrap();
    let blocks = marked_blocks(&guide);
    assert_eq!(
        guide.matches("```rust").count(),
        blocks.len(),
        "each block names its file"
    );
    for (file, block) in blocks {
        let code = fs::read_to_string(root().join("integrations/template").join(file)).unwrap();
        assert!(code.contains(block), "{file} does not contain\n{block}");
    }
}

#[test]
fn the_test_that_the_readme_shows_is_one() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let test = fs::read_to_string(root().join("integrations/jira/tests/readme.rs")).unwrap();
    let (_, shown) = test.split_once("#[tokio::test]").unwrap();
    assert!(
        readme.contains(shown.trim()),
        "the readme shows another test"
    );
}

#[test]
fn a_new_integration_has_its_own_name_everywhere() {
    let folder = TempDir::new().unwrap();
    let integrations = folder.path().join("integrations");
    let copied = Command::new("cp")
        .args(["-r", "--preserve=mode"])
        .arg(root().join("integrations/template"))
        .arg(folder.path())
        .status()
        .unwrap();
    assert!(copied.success());
    fs::create_dir(&integrations).unwrap();
    fs::rename(
        folder.path().join("template"),
        integrations.join("template"),
    )
    .unwrap();
    fs::copy(root().join("integrations/new"), integrations.join("new")).unwrap();
    let new = |name: &str| {
        Command::new(integrations.join("new"))
            .arg(name)
            .output()
            .unwrap()
    };
    assert!(new("acme-tasks").status.success());
    let made = integrations.join("acme-tasks");
    let cargo = fs::read_to_string(made.join("Cargo.toml")).unwrap();
    assert!(cargo.contains("name = \"ocean-acme-tasks\""), "{cargo}");
    let main = fs::read_to_string(made.join("src/main.rs")).unwrap();
    assert!(
        main.contains("ocean_core::run::<ocean_acme_tasks::AcmeTasks>()"),
        "{main}"
    );
    let mut files = vec![made];
    while let Some(path) = files.pop() {
        if path.is_dir() {
            files.extend(
                fs::read_dir(path)
                    .unwrap()
                    .map(|entry| entry.unwrap().path()),
            );
        } else {
            let text = fs::read_to_string(&path).unwrap();
            assert!(
                !text.to_lowercase().contains("template"),
                "{}",
                path.display()
            );
        }
    }
    assert!(!new("acme-tasks").status.success(), "it exists already");
    assert!(!new("../escape").status.success());
}
