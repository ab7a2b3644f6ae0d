//! `configs/prometheus-alerts.yaml` by promtool.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use crate::{program, repository};

/// The names of all alerts.
pub(crate) fn alerts() -> BTreeSet<String> {
    let text = fs::read_to_string(repository("configs/prometheus-alerts.yaml")).expect("the rules");
    let names = text.lines().filter_map(|line| line.trim().strip_prefix("- alert: "));
    names.map(str::to_owned).collect()
}

/// Runs promtool, which must be content.
pub(crate) fn promtool(arguments: &[&str]) -> String {
    let output = Command::new(program("promtool")).args(arguments).output().expect("it was fetched");
    let text =
        [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    assert!(output.status.success(), "promtool {arguments:?}: {text}");
    text
}

#[harness::test]
fn the_rules_are_valid_and_each_says_what_to_do() {
    let path = repository("configs/prometheus-alerts.yaml");
    promtool(&["check", "rules", &path.display().to_string()]);
    let text = fs::read_to_string(path).expect("the rules");
    let count = |word: &str| text.lines().filter(|line| line.trim_start().starts_with(word)).count();
    assert!(alerts().len() > 20);
    for word in ["summary: ", "description: ", "labels: { severity: "] {
        assert_eq!(count(word), alerts().len(), "{word}");
    }
}

#[harness::test]
fn each_alert_fires_in_its_case_and_none_where_all_is_well() {
    let path = repository("tests/prometheus/alerts_test.yaml");
    promtool(&["test", "rules", &path.display().to_string()]);
    let text = fs::read_to_string(path).expect("the cases");
    let cases: BTreeSet<String> = text
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- name: Arpherd"))
        .map(|it| format!("Arpherd{it}"))
        .collect();
    assert_eq!(cases, alerts(), "a case for each alert");
}
