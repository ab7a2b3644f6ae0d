//! Configurations through the built binary: what is said, where it is said, and how it ends.

use std::path::Path;
use std::process::{Command, Output};

/// A file with one fault a line, and for each line what must be said of it.
const FAULTS_YAML: &[(&str, &str)] = &[
    ("daemon:", ""),
    ("  control: ''", ":2:12: daemon.control: found \"\", expected the path of a socket"),
    ("  on_exit: stay", ":3:12: daemon.on_exit: found \"stay\", expected purge or keep"),
    ("routes:", ""),
    ("  protocol: 4", ":5:13: routes.protocol: found 4, expected a whole number from 5 to 255"),
    (
        "  tabel: main",
        ":6:3: routes.tabel: found an unknown key, expected one of protocol, table, metric, did you mean table?",
    ),
    ("  metric: 5", ""),
    (
        "  metric: 6",
        ":8:3: routes.metric: found this key a second time, expected it once; the first is on line 7",
    ),
    ("domains:", ""),
    ("  lan:", ""),
    (
        "    prefixes: [10.2.0.1/24, 10.3.0.0/24]",
        ":11:16: domains.lan.prefixes[0]: found \"10.2.0.1/24\", expected a network: bits of the host part are set, did you mean 10.2.0.0/24?",
    ),
    ("    segments:", ""),
    (
        "      eth0: { answer: maybe }",
        ":13:23: domains.lan.segments.eth0.answer: found \"maybe\", expected live, routed, kernel or off",
    ),
    (
        "      eth1: { netns: a/b }",
        ":14:22: domains.lan.segments.eth1.netns: found \"a/b\", expected the name of a network namespace",
    ),
    (
        "      eth2: { publish: [10.2.0.1/28] }",
        ":15:25: domains.lan.segments.eth2.publish[0]: found \"10.2.0.1/28\", expected a network: bits of the host part are set, did you mean 10.2.0.0/28?",
    ),
    (
        "      eth3: { sweep: { interval: 60 } }",
        ":16:34: domains.lan.segments.eth3.sweep.interval: found 60, expected a duration from 100ms to 168h",
    ),
    (
        "      eth4: { sweep: { rate: 0 } }",
        ":17:30: domains.lan.segments.eth4.sweep.rate: found 0, expected a whole number from 1 to 10000000",
    ),
    (
        "      eth5: { kind: \"wi\\e[31mfi\" }",
        ":18:21: domains.lan.segments.eth5.kind: found \"wi\\u{1b}[31mfi\", expected auto, ethernet, wifi or ipoib",
    ),
    (
        "      averylonginterface: {}",
        ":19:7: domains.lan.segments.averylonginterface: found the name \"averylonginterface\", expected an interface's name",
    ),
    ("      eth6: 5", ":20:13: domains.lan.segments.eth6: found 5, expected a table"),
    (
        "      eth7: { source: 10.2.0 }",
        ":21:23: domains.lan.segments.eth7.source: found \"10.2.0\", expected an IPv4 address",
    ),
    (
        "      eth8: { hosts: { 10.2.0.9: '01:00:5e:00:00:01' } }",
        ":22:34: domains.lan.segments.eth8.hosts.\"10.2.0.9\": found \"01:00:5e:00:00:01\", expected the link-layer address of one station, and this is a group's",
    ),
    (
        "      eth9: { pins: { gateway: '02:00:00:00:00:01' } }",
        ":23:23: domains.lan.segments.eth9.pins.gateway: found the key \"gateway\", expected an IPv4 address, like 10.2.0.9",
    ),
    (
        "      eth10: { private_vlan: closed }",
        ":24:30: domains.lan.segments.eth10.private_vlan: found \"closed\", expected off, open, or a table with communities and isolated",
    ),
    (
        "      eth11: { kernel: entries }",
        ":25:24: domains.lan.segments.eth11.kernel: found \"entries\", expected nothing: it is about answer: kernel, and here answer is live",
    ),
    (
        "      eth12: { private_vlan: { comunities: {} } }",
        ":26:32: domains.lan.segments.eth12.private_vlan.comunities: found an unknown key, expected one of communities, isolated, did you mean communities?",
    ),
];

/// Faults that take two values to see.
const FAULTS_TOML: &[(&str, &str)] = &[
    ("[domains.lan]", ""),
    (
        "prefixes = ['10.2.0.0/24', '10.2.0.128/25']",
        ":2:28: domains.lan.prefixes[1]: found 10.2.0.128/25, expected a network apart from 10.2.0.0/24",
    ),
    ("[domains.lan.segments]", ""),
    (
        "a = { source = '10.9.0.1' }",
        ":4:16: domains.lan.segments.a.source: found 10.9.0.1, expected an address inside the domain's prefixes (10.2.0.0/24",
    ),
    (
        "b = { source = '10.2.0.255' }",
        ":5:16: domains.lan.segments.b.source: found 10.2.0.255, expected a host's address",
    ),
    (
        "c = { prefixes = ['10.9.0.0/28'] }",
        ":6:19: domains.lan.segments.c.prefixes[0]: found 10.9.0.0/28, expected a network inside the domain's prefixes",
    ),
    (
        "d = { interface = 'a' }",
        ":7:19: domains.lan.segments.d.interface: found a, expected an interface that no other segment of the domain has; a has it",
    ),
    ("[domains.wlan]", ""),
    (
        "prefixes = ['10.2.0.0/16']",
        ":9:13: domains.wlan.prefixes[0]: found 10.2.0.0/16, expected a network apart from 10.2.0.0/24 of the domain lan",
    ),
    ("segments.w = {}", ""),
    (
        "segments.w = {}",
        ":11:10: domains.wlan.segments.w: found this key a second time, expected it once; the first is on line 10",
    ),
];

/// Faults in who answers for whom, and where.
const FAULTS_MODES: &[(&str, &str)] = &[
    ("domains:", ""),
    ("  lan:", ""),
    ("    prefixes: [10.2.0.0/24]", ""),
    ("    segments:", ""),
    (
        "      a: { answer: kernel, publish: [10.2.0.9] }",
        ":5:37: domains.lan.segments.a.publish: found 1 address, expected kernel: entries beside them",
    ),
    (
        "      b: { answer: kernel, kernel: entries, publish: [10.4.0.0/19] }",
        ":6:54: domains.lan.segments.b.publish: found 8192 addresses, expected at most 4096",
    ),
    (
        "      c: { answer: off, publish: [10.2.0.64/28] }",
        ":7:34: domains.lan.segments.c.publish: found 16 addresses, expected no address: with answer: off",
    ),
    (
        "      d: { answer: kernel, private_vlan: { isolated: [10.2.0.9] } }",
        ":8:42: domains.lan.segments.d.private_vlan: found groups, expected off or open",
    ),
    ("      e:", ""),
    ("        private_vlan:", ""),
    (
        "          communities: { red: [10.2.0.8/29], blue: [10.2.0.9] }",
        ":11:53: domains.lan.segments.e.private_vlan.communities.blue[0]: found 10.2.0.9/32, expected a network apart from 10.2.0.8/29 of the community red",
    ),
    (
        "          isolated: [10.9.0.0/28, 10.2.0.8/29]",
        ":12:22: domains.lan.segments.e.private_vlan.isolated[0]: found 10.9.0.0/28, expected addresses of the domain's prefixes (10.2.0.0/24)",
    ),
    ("      f:", ""),
    ("        never: [10.2.0.8/29]", ""),
    ("        hosts:", ""),
    (
        "          10.2.0.9: '02:00:00:00:00:09'",
        ":16:11: domains.lan.segments.f.hosts.\"10.2.0.9\": found 10.2.0.9, expected an address outside never (10.2.0.8/29)",
    ),
    (
        "          10.2.0.255: '02:00:00:00:00:09'",
        ":17:11: domains.lan.segments.f.hosts.\"10.2.0.255\": found 10.2.0.255, expected a host's address",
    ),
    (
        "          10.3.0.1: '02:00:00:00:00:09'",
        ":18:11: domains.lan.segments.f.hosts.\"10.3.0.1\": found 10.3.0.1, expected an address inside the segment's prefixes (10.2.0.0/24)",
    ),
    ("          10.2.0.1: 02:00:00:00:00:01", ""),
    ("          10.2.0.2: 10:20:30:40:50:58", ""),
    (
        "        pins: { 10.2.0.1: '02:00:00:00:00:02' }",
        ":21:27: domains.lan.segments.f.pins.\"10.2.0.1\": found 02:00:00:00:00:02, expected 02:00:00:00:00:01 as among the hosts",
    ),
    (
        "      g: { pins: { 10.2.0.2: '10:20:30:40:50:58' } }",
        ":22:20: domains.lan.segments.g.pins.\"10.2.0.2\": found 10.2.0.2, expected an address that no other segment of the domain has; it is among the hosts of f",
    ),
    (
        "      h: { netns: blue }",
        ":23:19: domains.lan.segments.h.netns: found blue, expected the daemon's own as for a: a domain's segments lie in one network namespace, because it is that one's kernel that forwards between them",
    ),
    (
        "      i: { kind: ipoib, hosts: { 10.2.0.3: '02:00:00:00:00:03' } }",
        ":24:44: domains.lan.segments.i.hosts.\"10.2.0.3\": found 02:00:00:00:00:03, expected 20 octets on this kind of link",
    ),
];

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

fn every_fault_is_told(name: &str, faults: &[(&str, &str)]) {
    let text: Vec<_> = faults.iter().map(|(line, _)| *line).collect();
    let dir = dir_with(name, text.join("\n").as_bytes());
    let output = arpherd(dir.path(), &["check", name], &[]);
    let told = stderr(&output);
    let expected: Vec<_> = faults.iter().filter(|(_, said)| !said.is_empty()).collect();
    for (_, said) in &expected {
        assert!(
            told.lines().any(|line| line.starts_with(&format!("{name}{said}"))),
            "missing {said} in\n{told}"
        );
    }
    assert_eq!(told.lines().count(), expected.len(), "one line each:\n{told}");
    assert_eq!(output.status.code(), Some(78));
    assert!(output.stdout.is_empty());
}

#[test]
fn every_fault_of_a_yaml_file_is_told_in_one_run() {
    every_fault_is_told("faults.yaml", FAULTS_YAML);
}

#[test]
fn every_fault_of_a_toml_file_is_told_in_one_run() {
    every_fault_is_told("faults.toml", FAULTS_TOML);
}

#[test]
fn every_fault_in_who_answers_is_told_in_one_run() {
    every_fault_is_told("modes.yaml", FAULTS_MODES);
}

#[test]
fn a_host_whose_address_is_not_quoted_in_toml_is_told_so() {
    let text = "[domains.lan]\nprefixes = ['10.2.0.0/24']\n[domains.lan.segments.eth0.hosts]\n10.2.0.9 = '02:00:00:00:00:09'\n";
    let dir = dir_with("dots.toml", text.as_bytes());
    let told = stderr(&arpherd(dir.path(), &["check", "dots.toml"], &[]));
    assert!(
        told.contains(
            "found the key \"10\", expected an IPv4 address, like 10.2.0.9; in TOML it stands in quotes"
        ),
        "{told}"
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
        let told = stderr(&output);
        assert!(told.starts_with(expected), "{expected} in {told}");
        assert!(!told.trim_end().contains(|c: char| c.is_control() && c != '\n'), "{told:?}");
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
        ("dir.yaml", "dir.yaml: cannot be read: Is a directory"),
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
        let told = stderr(&arpherd(dir.path(), &["check", name], &[]));
        assert_eq!(
            told,
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
    let told = stderr(&output);
    for expected in [
        "environment variable ARPHERD_ROUTES__METRIC: routes.metric: found \"high\", expected a whole number",
        "environment variable ARPHERD_ROUTE__METRIC: route: found an unknown key, expected one of daemon, routes, domains, did you mean routes?",
        "environment variable ARPHERD_DAEMON_CONTROL: daemon_control: found an unknown key, expected one of daemon, routes, domains (two underscores stand between levels)",
        "--set: daemon.on_exit: found \"stay\", expected purge or keep",
        "--control: daemon.control: found \"\", expected the path of a socket",
    ] {
        assert!(told.lines().any(|line| line.starts_with(expected)), "{expected} in\n{told}");
    }
    assert_eq!((told.lines().count(), output.status.code()), (5, Some(78)));
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
