//! The queries of `configs/grafana-dashboard.json`.

use std::fs;

use serde_json::Value;

use crate::repository;

/// Queries that may give nothing although all is well, by a part of them, and why.
pub(crate) const MAY_BE_EMPTY: [(&str, &str); 2] = [
    (
        "event!~\"host_found|host_gone|host_moved\"",
        "in a network where nothing goes wrong there are no such events",
    ),
    ("changes(arpherd_start_time_seconds", "the daemon has not been restarted lately"),
];

/// All of them, with the dashboard's variables as Grafana would set them.
pub(crate) fn queries() -> Vec<String> {
    let text = fs::read_to_string(repository("configs/grafana-dashboard.json")).expect("the dashboard");
    let dashboard: Value = serde_json::from_str(&text).expect("JSON");
    let mut found = Vec::new();
    collect(&dashboard, &mut found);
    found.iter().map(|query| with_variables(query)).collect()
}

fn collect(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            if let Some(Value::String(query)) = fields.get("expr") {
                found.push(query.clone());
            }
            fields.values().for_each(|value| collect(value, found));
        }
        Value::Array(items) => items.iter().for_each(|value| collect(value, found)),
        _ => {}
    }
}

fn with_variables(query: &str) -> String {
    let variables = [("$__rate_interval", "4s"), ("$job", "arpherd"), ("$instance", ".*"), ("$domain", ".*")];
    let query = variables.iter().fold(query.to_owned(), |query, (name, value)| query.replace(name, value));
    assert!(!query.contains('$'), "a variable that this test does not know: {query}");
    query
}

#[harness::test]
fn every_panel_says_what_it_asks() {
    let text = fs::read_to_string(repository("configs/grafana-dashboard.json")).expect("the dashboard");
    let dashboard: Value = serde_json::from_str(&text).expect("JSON");
    let panels = dashboard["panels"].as_array().expect("panels");
    let mut ids: Vec<_> = panels.iter().map(|panel| panel["id"].as_u64().expect("a number")).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), panels.len(), "each panel has a number of its own");
    for panel in panels.iter().filter(|panel| panel["type"] != "row") {
        let asked = panel["targets"].as_array().is_some_and(|targets| !targets.is_empty());
        assert!(asked && panel["title"].as_str().is_some_and(|title| !title.is_empty()), "{panel}");
    }
    assert!(queries().len() > 30);
}
