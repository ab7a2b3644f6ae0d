//! Commands and keys that are named in prose exist.

use std::fs;
use std::process::Command;

use crate::blocks::{pages, root};

/// What stands between single backticks.
pub(crate) fn codes(prose: &str) -> impl Iterator<Item = &str> {
    prose.split('\n').flat_map(|line| line.split('`').skip(1).step_by(2))
}

/// A value in place of what a page leaves open.
pub(crate) fn filled(word: &str) -> &str {
    match word.trim_matches(|c| "[]…".contains(c)) {
        "ADDRESS" | "A" | "B" => "10.2.0.9",
        "LEVEL" => "debug",
        word => word,
    }
}

/// clap reads words from left to right and stops at `--help`: what is wrong before it is an error.
#[harness::test]
fn every_command_in_prose_is_one() {
    let (mut faults, mut parsed) = (Vec::new(), 0);
    for page in pages() {
        for code in codes(&page.prose).filter_map(|code| code.strip_prefix("arpherd ")) {
            let code = code.split(['>', '|']).next().unwrap_or_default();
            let words = code.split_whitespace().map(filled).filter(|word| !word.is_empty());
            let help =
                Command::new(env!("CARGO_BIN_EXE_arpherd")).args(words).arg("--help").env_clear().output();
            parsed += 1;
            if !help.expect("arpherd runs").status.success() {
                faults.push(format!("{}: arpherd {code}", page.name));
            }
        }
    }
    assert_eq!(faults, Vec::<String>::new());
    assert!(parsed > 40, "{parsed} commands were found");
}

/// The keys of the reference file, without the names of its domain and segment.
fn keys() -> Vec<String> {
    let text = fs::read_to_string(root().join("configs/arpherd.toml")).expect("the reference file");
    let (mut section, mut keys) = (String::new(), Vec::new());
    for line in text.lines() {
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            section = name.replace("domains.lan.segments.eth0", "").replace("domains.lan", "");
            section = section.trim_start_matches('.').to_owned();
            keys.push(section.clone());
        } else if let Some((key, _)) = line.trim_start_matches("# ").split_once(" = ") {
            keys.push(if section.is_empty() { key.to_owned() } else { format!("{section}.{key}") });
        }
    }
    keys
}

#[harness::test]
fn every_key_in_prose_exists() {
    let (keys, mut faults, mut found) = (keys(), Vec::new(), 0);
    let sections = ["daemon.", "routes.", "sweep.", "expiry.", "limits."];
    for page in pages() {
        for code in codes(&page.prose) {
            let key = code.split([':', '=', ' ']).next().unwrap_or_default();
            if sections.iter().any(|section| key.starts_with(section)) {
                found += 1;
                if !keys.iter().any(|known| known == key) {
                    faults.push(format!("{}: {key}", page.name));
                }
            }
        }
    }
    assert_eq!(faults, Vec::<String>::new());
    assert!(found > 30, "{found} keys were found");
}
