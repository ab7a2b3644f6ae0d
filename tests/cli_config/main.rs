//! Configurations through the built binary: its messages, their positions, and exit codes.

mod faults;
mod folder;

use std::path::Path;
use std::process::{Command, Output};

use faults::{FAULTS_AUTO, FAULTS_MODES, FAULTS_SOURCES, FAULTS_TOML, FAULTS_YAML};

const GOOD: &str = "domains: { lan: { prefixes: [10.2.0.0/24], segments: { eth0: {}, eth1: {} } } }\n";

fn arpherd(dir: &Path, args: &[&str], variables: &[(&str, &str)]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_arpherd"))
        .args(args)
        .env_clear()
        .envs(variables.iter().copied())
        .current_dir(dir)
        .output()
        .expect("arpherd runs")
}

fn dir_with(name: &str, text: &[u8]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a directory");
    std::fs::write(dir.path().join(name), text).expect("written");
    dir
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("UTF-8")
}

fn every_fault_is_reported(name: &str, faults: &[(&str, &str)]) {
    let text: Vec<_> = faults.iter().map(|(line, _)| *line).collect();
    let dir = dir_with(name, text.join("\n").as_bytes());
    let output = arpherd(dir.path(), &["check", name], &[]);
    let stderr_text = stderr(&output);
    let expected: Vec<_> = faults.iter().filter(|(_, error)| !error.is_empty()).collect();
    for (_, error) in &expected {
        assert!(
            stderr_text.lines().any(|line| line.starts_with(&format!("{name}{error}"))),
            "missing {error} in\n{stderr_text}"
        );
    }
    assert_eq!(stderr_text.lines().count(), expected.len(), "one line each:\n{stderr_text}");
    assert_eq!(output.status.code(), Some(78));
    assert!(output.stdout.is_empty());
}

#[test]
fn every_fault_of_a_yaml_file_is_reported_in_one_run() {
    every_fault_is_reported("faults.yaml", FAULTS_YAML);
}

#[test]
fn every_fault_of_a_toml_file_is_reported_in_one_run() {
    every_fault_is_reported("faults.toml", FAULTS_TOML);
}

#[test]
fn every_fault_in_answering_is_reported_in_one_run() {
    every_fault_is_reported("modes.yaml", FAULTS_MODES);
}

#[test]
fn every_fault_in_prefixes_that_follow_addresses_is_reported() {
    every_fault_is_reported("auto.yaml", FAULTS_AUTO);
}

#[test]
fn every_fault_in_a_list_of_sources_is_reported() {
    every_fault_is_reported("sources.yaml", FAULTS_SOURCES);
}

#[test]
fn a_host_whose_address_is_not_quoted_in_toml_is_reported() {
    let text = "[domains.lan]\nprefixes = ['10.2.0.0/24']\n[domains.lan.segments.eth0.hosts]\n10.2.0.9 = '02:00:00:00:00:09'\n";
    let dir = dir_with("dots.toml", text.as_bytes());
    let stderr_text = stderr(&arpherd(dir.path(), &["check", "dots.toml"], &[]));
    assert!(
        stderr_text.contains(
            "found the key \"10\", expected an IPv4 address, like 10.2.0.9; in TOML it must be quoted"
        ),
        "{stderr_text}"
    );
}

#[test]
fn syntax_errors_name_their_line() {
    let cases = [
        ("a.yaml", "routes:\n  metric: [1,\n", "a.yaml:2:11: not YAML: "),
        ("b.yaml", "routes:\n\tmetric: 1\n", "b.yaml:2:2: not YAML: "),
        ("c.yaml", "routes: {}\n---\nroutes: {}\n", "c.yaml:3:1: found a second document"),
        ("d.yaml", "- 1\n", "d.yaml:1:1: found a list, expected a table"),
        ("e.toml", "[routes]\nmetric = \n", "e.toml:2:"),
        ("f.toml", "[routes\n", "f.toml:1:"),
        ("g.toml", "a = \"\u{e9}\"\nb = \u{7}", "g.toml:2:"),
    ];
    for (name, text, expected) in cases {
        let dir = dir_with(name, text.as_bytes());
        let output = arpherd(dir.path(), &["check", name], &[]);
        let stderr_text = stderr(&output);
        assert!(stderr_text.starts_with(expected), "{expected} in {stderr_text}");
        assert!(!stderr_text.trim_end().contains(|c: char| c.is_control() && c != '\n'), "{stderr_text:?}");
        assert_eq!(output.status.code(), Some(78));
    }
}

#[test]
fn files_that_cannot_be_read_are_a_configuration_error() {
    let dir = dir_with("binary.toml", b"# one\n\xff\xfe");
    std::fs::write(dir.path().join("other.json"), "{}").expect("written");
    std::fs::create_dir(dir.path().join("dir.yaml")).expect("made");
    for (name, expected) in [
        ("missing.yaml", "missing.yaml: cannot be read: No such file"),
        ("dir.yaml", "dir.yaml: found no file that ends in .toml, .yaml or .yml, expected exactly one"),
        ("binary.toml", "binary.toml:2:1: found a byte that is not UTF-8"),
        ("other.json", "other.json: expected a file name that ends in .toml, .yaml or .yml"),
        ("/dev/zero", "/dev/zero: expected a file name"),
    ] {
        let output = arpherd(dir.path(), &["check", name], &[]);
        assert!(stderr(&output).starts_with(expected), "{}", stderr(&output));
        assert_eq!((stderr(&output).lines().count(), output.status.code()), (1, Some(78)));
    }
}

#[test]
fn empty_files_say_what_is_missing() {
    for name in ["empty.yaml", "empty.toml"] {
        let dir = dir_with(name, b"# nothing\n");
        let stderr_text = stderr(&arpherd(dir.path(), &["check", name], &[]));
        assert_eq!(
            stderr_text,
            format!(
                "{name}:1:1: domains: found none, expected at least one domain with prefixes and segments\n"
            )
        );
    }
}

#[test]
fn variables_and_flags_are_named_in_errors() {
    let dir = dir_with("good.yaml", GOOD.as_bytes());
    let variables = [
        ("ARPHERD_ROUTES__METRIC", "high"),
        ("ARPHERD_ROUTE__METRIC", "1"),
        ("ARPHERD_DAEMON_CONTROL", "/run/a.sock"),
    ];
    let output = arpherd(
        dir.path(),
        &["check", "good.yaml", "--set", "daemon.on_exit=stay", "--control", ""],
        &variables,
    );
    let stderr_text = stderr(&output);
    for expected in [
        "environment variable ARPHERD_ROUTES__METRIC: routes.metric: found \"high\", expected a whole number",
        "environment variable ARPHERD_ROUTE__METRIC: route: found an unknown key, expected one of daemon, routes, domains, did you mean routes?",
        "environment variable ARPHERD_DAEMON_CONTROL: daemon_control: found an unknown key, expected one of daemon, routes, domains (levels are separated by two underscores)",
        "--set: daemon.on_exit: found \"stay\", expected purge or keep",
        "--control: daemon.control: found \"\", expected the path of a socket",
    ] {
        assert!(stderr_text.lines().any(|line| line.starts_with(expected)), "{expected} in\n{stderr_text}");
    }
    assert_eq!((stderr_text.lines().count(), output.status.code()), (5, Some(78)));
}

#[test]
fn check_shows_every_value_with_its_origin() {
    let text = format!("routes:\n  metric: 60\n{GOOD}");
    let dir = dir_with("good.yaml", text.as_bytes());
    let args = ["check", "good.yaml", "--json", "--set", "domains.lan.segments.eth0.sweep=off"];
    let output = arpherd(dir.path(), &args, &[("ARPHERD_DAEMON__CONTROL", "/run/other.sock")]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let rows: Vec<serde_json::Value> = serde_json::from_slice(&output.stdout).expect("a JSON list");
    let row = |key: &str| rows.iter().find(|row| row["key"] == key).unwrap_or_else(|| panic!("{key}"));
    for (key, value, origin) in [
        (
            "daemon.control",
            serde_json::json!("/run/other.sock"),
            "environment variable ARPHERD_DAEMON__CONTROL",
        ),
        ("routes.metric", serde_json::json!(60), "good.yaml:2"),
        ("routes.protocol", serde_json::json!(169), "default"),
        ("domains.lan.prefixes", serde_json::json!(["10.2.0.0/24"]), "good.yaml:3"),
        ("domains.lan.segments.eth0.sweep", serde_json::json!("off"), "command line --set"),
        ("domains.lan.segments.eth1.sweep.interval", serde_json::json!("60s"), "default"),
    ] {
        assert_eq!((&row(key)["value"], &row(key)["origin"]), (&value, &serde_json::json!(origin)), "{key}");
    }
    let output = arpherd(dir.path(), &["check", "good.yaml"], &[]);
    let table = String::from_utf8(output.stdout).expect("UTF-8");
    let origins: Vec<_> =
        table.lines().filter_map(|line| line.find("default").or_else(|| line.find("good.yaml:"))).collect();
    assert!(origins.len() > 30 && origins.iter().all(|column| *column == origins[0]), "aligned:\n{table}");
}

#[test]
fn usage_errors_end_with_64_and_help_with_0() {
    let dir = dir_with("good.yaml", GOOD.as_bytes());
    for args in [
        &["frobnicate"][..],
        &[],
        &["check"],
        &["run"],
        &["join", "eth0"],
        &["check", "good.yaml", "--set", "x"],
    ] {
        let output = arpherd(dir.path(), args, &[]);
        assert_eq!(output.status.code(), Some(64), "{args:?}: {}", stderr(&output));
        assert!(!output.stderr.is_empty());
    }
    for args in [&["--help"][..], &["--version"], &["run", "--help"], &["help", "join"]] {
        assert_eq!(arpherd(dir.path(), args, &[]).status.code(), Some(0), "{args:?}");
    }
}

#[test]
fn run_stops_at_a_wrong_configuration_too() {
    let dir = dir_with("bad.toml", b"[routes]\nmetrik = 1\n");
    let output = arpherd(dir.path(), &["run", "--config", "bad.toml"], &[]);
    assert!(stderr(&output).starts_with("bad.toml:1:1: domains: found none"), "{}", stderr(&output));
    assert!(
        stderr(&output).contains("bad.toml:2:1: routes.metrik: found an unknown key"),
        "{}",
        stderr(&output)
    );
    assert_eq!(output.status.code(), Some(78));
}
