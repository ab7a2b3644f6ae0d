//! Every configuration is loaded by the built binary.

use std::fs;
use std::process::Command;

use crate::blocks::{Block, Page, pages, root};

/// The frame that a fragment needs to be a configuration.
fn whole(block: &Block) -> String {
    let indented = |by: &str| -> String { block.text.lines().map(|line| format!("{by}{line}\n")).collect() };
    let segments = "    segments: { eth0: {}, eth1: {} }\n";
    match block.tag("fragment") {
        None => block.text.clone(),
        Some("top") => {
            format!("{}domains:\n  lan:\n    prefixes: [10.2.0.0/24]\n{segments}", block.text)
        }
        Some("domain") => {
            format!("domains:\n  lan:\n    prefixes: [10.2.0.0/24]\n{segments}{}", indented("    "))
        }
        Some("segment") => format!(
            "domains:\n  lan:\n    prefixes: [10.2.0.0/24]\n    segments:\n      eth1: {{}}\n      eth0:\n{}",
            indented("        ")
        ),
        Some(other) => panic!("no fragment {other}; there are top, domain and segment"),
    }
}

/// The first whole configuration of the page, as YAML.
pub(crate) fn of_page(page: &Page) -> Option<String> {
    let mut blocks = page.blocks.iter();
    blocks.find(|block| block.language == "yaml" && block.tag("fragment").is_none()).map(whole)
}

#[harness::test]
fn every_configuration_is_loaded() {
    let (mut faults, mut loaded) = (Vec::new(), 0);
    for page in pages() {
        for block in page.blocks.iter().filter(|block| ["yaml", "toml"].contains(&block.language.as_str())) {
            let dir = tempfile::tempdir().expect("a directory");
            let file = dir.path().join("arpherd").with_extension(&block.language);
            fs::write(&file, whole(block)).expect("written");
            let check =
                Command::new(env!("CARGO_BIN_EXE_arpherd")).arg("check").arg(&file).env_clear().output();
            let check = check.expect("arpherd runs");
            loaded += 1;
            if !check.status.success() {
                let errors = String::from_utf8_lossy(&check.stderr).into_owned();
                faults.push(format!("{}:{}: {errors}", page.name, block.line));
            }
        }
    }
    assert_eq!(faults, Vec::<String>::new());
    assert!(loaded > 8, "{loaded} configurations were found");
}

/// What a page shows as a file is that file, comments left out.
#[harness::test]
fn what_is_shown_as_a_file_is_the_file() {
    let sayings = |text: &str| -> Vec<String> {
        let lines = text.lines().map(str::trim_end);
        lines
            .filter(|line| !line.is_empty() && !line.trim_start().starts_with('#'))
            .map(str::to_owned)
            .collect()
    };
    let mut shown = 0;
    for page in pages() {
        for block in &page.blocks {
            if let Some(file) = block.tag("file") {
                let text = fs::read_to_string(root().join(file)).expect("the file is there");
                assert_eq!(sayings(&block.text), sayings(&text), "{}:{} and {file}", page.name, block.line);
                shown += 1;
            }
        }
    }
    assert!(shown >= 5, "{shown} files are shown");
}
