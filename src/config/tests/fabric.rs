//! Routes of a fabric: whose they are, where they stand, and what our own have to be beside them.

use serde_json::json;

use super::super::Loaded;
use super::{row, yaml};

/// A domain with these protocols, and these routes.
fn load(protocols: &str, routes: &str) -> Result<Loaded, String> {
    yaml(&format!(
        "routes: {{ {routes} }}\ndomains:\n  lan:\n    prefixes: [10.2.0.0/24]\n    fabric: {{ protocols: {protocols} }}\n    \
         segments: {{ eth0: {{}} }}\n"
    ))
}

fn protocols(loaded: &Loaded) -> Option<Vec<u8>> {
    let fabric = loaded.config.plan().domains.remove(0).fabric;
    fabric.map(|fabric| fabric.protocols.into_iter().collect())
}

#[test]
fn protocols_are_named_or_numbered() {
    let loaded = load("[bgp, 12, 250, static]", "metric: 10").expect("loads");
    assert_eq!(protocols(&loaded), Some(vec![4, 12, 186, 250]));
    assert_eq!(row(&loaded, "domains.lan.fabric.protocols").0, json!(["bgp", "bird", 250, "static"]));
    assert_eq!(protocols(&load("[]", "metric: 10").expect("loads")), None);
}

#[test]
fn what_is_no_protocol_of_another_daemon_is_refused() {
    for (given, says) in [
        ("[bpg]", "expected static, zebra, bird,"),
        ("[2]", "from 3 to 255"),
        ("[169]", "it is routes.protocol, our own"),
        ("[bgp, 186]", "found \"bgp\" a second time"),
    ] {
        let error = load(given, "metric: 10").expect_err("refused");
        assert!(error.starts_with("c.yaml:5:") && error.contains(says), "{given}: {error}");
    }
}

#[test]
fn a_metric_that_is_not_below_theirs_is_warned_of() {
    let warnings = |protocols: &str, routes: &str| load(protocols, routes).expect("loads").warnings;
    assert!(
        warnings("[bgp]", "metric: 50")[0].contains("50 is not below the metric of the fabric's routes (20)")
    );
    assert_eq!(warnings("[bird]", "metric: 32").len(), 1);
    for (protocols, routes) in [
        ("[bgp]", "metric: 19"),
        ("[bird]", "metric: 31"),
        ("[]", "metric: 50"),
        ("[bgp]", "metric: 50, fabric_table: 200"),
    ] {
        assert!(warnings(protocols, routes).is_empty(), "{protocols} {routes}");
    }
}

#[test]
fn the_fabrics_table_is_another_one() {
    let loaded = load("[bgp]", "fabric_table: 200").expect("loads");
    assert_eq!(loaded.config.routes.fabric_table, Some(200));
    let error = load("[bgp]", "table: 200, fabric_table: 200").expect_err("refused");
    assert!(error.contains("routes.fabric_table: found 200, expected another table"), "{error}");
}
