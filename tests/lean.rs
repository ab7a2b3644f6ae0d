//! What is packaged is the daemon alone: no lab, no second netlink stack, little unsafe code.
//!
//! `just check-packaged` runs this also with the features of the packaged binary.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Crates that only the demo needs.
const LAB: [&str; 4] = ["arpherd-lab", "netlink-packet-core", "netlink-packet-route", "netlink-sys"];
/// Places of unsafe code in what is packaged, at the most. Among them are bpf(2), which nothing else can load a program with,
/// and sched_setattr(2), which nothing else can ask for a time slice with; no crate of ours wraps either.
const UNSAFE_PLACES: usize = 14;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The names of all crates that are linked into the binary.
fn linked_crates(features: &[&str]) -> Vec<String> {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--offline", "--locked", "--package", "arpherd", "--edges", "normal"])
        .args(["--prefix", "none", "--format", "{p}"])
        .args(features)
        .current_dir(root())
        .output()
        .expect("cargo can be run");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("names of crates are UTF-8");
    text.lines().filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect()
}

#[test]
fn packaged_build_links_no_lab() {
    let (packaged, usual) =
        (linked_crates(&["--no-default-features", "--features", "top"]), linked_crates(&[]));
    for name in LAB {
        assert!(usual.iter().any(|linked| linked == name), "{name} is not even in the demo");
        assert!(!packaged.iter().any(|linked| linked == name), "{name} is packaged");
    }
    assert!(packaged.iter().any(|linked| linked == "neli"), "the daemon's own netlink codec");
    assert!(packaged.iter().any(|linked| linked == "ratatui"), "the screen of `arpherd top`");
    let smallest = linked_crates(&["--no-default-features"]);
    for name in ["ratatui", "crossterm"] {
        assert!(!smallest.iter().any(|linked| linked == name), "{name} comes without the feature top");
    }
}

/// The binary that was built with these tests, by the names of symbols and source files in it.
#[test]
fn built_binary_has_a_lab_only_with_the_demo() {
    let binary = fs::read(env!("CARGO_BIN_EXE_arpherd")).expect("the binary was built");
    let text = String::from_utf8_lossy(&binary);
    assert!(text.contains("arpherd_actors"), "the binary names no crates");
    for name in ["arpherd_lab", "netlink_packet_route", "netlink_sys"] {
        assert_eq!(text.contains(name), cfg!(feature = "demo"), "{name}");
    }
}

#[test]
fn demo_is_a_command_only_where_it_is_built_in() {
    let run = |arguments: &[&str]| {
        let output =
            Command::new(env!("CARGO_BIN_EXE_arpherd")).args(arguments).output().expect("it was built");
        (output.status.code(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
    };
    let (code, said) = run(&["demo", "--help"]);
    let (_, help) = run(&["--help"]);
    assert_eq!(help.contains("arpherd demo"), cfg!(feature = "demo"), "{help}");
    if cfg!(feature = "demo") {
        assert_eq!(code, Some(0), "{said}");
    } else {
        assert_eq!(code, Some(64), "{said}");
        assert!(said.contains("unrecognized subcommand 'demo'"), "{said}");
    }
}

/// Adds the Rust sources below the directory, without tests and without the demo.
fn add_sources(directory: &Path, sources: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).expect("a directory of ours") {
        let path = entry.expect("it can be listed").path();
        let name = path.file_name().unwrap_or_default();
        if path.is_dir() && name != "tests" && name != "demo" {
            add_sources(&path, sources);
        } else if path.extension().is_some_and(|extension| extension == "rs") && name != "tests.rs" {
            sources.push(path);
        }
    }
}

#[test]
fn unsafe_code_is_rare_in_what_is_packaged() {
    let mut sources = Vec::new();
    for directory in ["src", "actors/src", "actors/core/src"] {
        add_sources(&root().join(directory), &mut sources);
    }
    let mut places = Vec::new();
    for path in &sources {
        let text = fs::read_to_string(path).expect("a source of ours");
        let marks = ["unsafe {", "unsafe fn ", "unsafe impl "];
        let found = text.lines().filter(|line| marks.iter().any(|mark| line.contains(mark)));
        places.extend(found.map(|line| format!("{}: {}", path.display(), line.trim())));
    }
    assert!(!places.is_empty() && places.len() <= UNSAFE_PLACES, "{}\n{}", places.len(), places.join("\n"));
}
