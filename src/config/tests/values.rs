//! What a file's values become, and the files that come with arpherd.

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::time::Duration;

use arpherd_core::plan::{AnswerMode, DomainId, ExpiryPlan, Limits, LinkKind, RoutePlan, SweepPlan};

use super::super::model::{OnExit, SysctlPolicy};
use super::super::{Loaded, from_file};
use super::{SMALL, load_text, net, yaml};

#[test]
fn a_small_file_gets_every_default() {
    let config = yaml(SMALL).expect("loads").config;
    assert_eq!(config.daemon.control, PathBuf::from("/run/arpherd/control.sock"));
    assert_eq!(config.daemon.on_exit, OnExit::Purge);
    assert_eq!((config.routes.protocol, config.routes.table, config.routes.metric), (169, 254, 50));
    let plan = config.plan();
    assert_eq!(plan.routes, RoutePlan::default());
    assert_eq!(plan.domains.len(), 1);
    let names: Vec<_> =
        plan.segments.iter().map(|s| (s.name.as_str(), s.interface.as_str(), s.domain)).collect();
    assert_eq!(names, [("eth0", "eth0", DomainId(0)), ("eth1", "eth1", DomainId(0))]);
    for segment in &plan.segments {
        assert_eq!(segment.addresses.prefixes, [net("10.2.0.0/24")]);
        assert_eq!((segment.kind, &segment.sources[..], segment.answer), (None, &[][..], AnswerMode::Live));
        assert_eq!(
            (segment.sweep, segment.expiry, segment.limits),
            (Some(SweepPlan::default()), ExpiryPlan::default(), Limits::default())
        );
    }
    assert!(config.segments().all(|segment| segment.sysctl == SysctlPolicy::Manage));
}

#[test]
fn every_key_reaches_the_plan() {
    let text = r#"
routes: { protocol: 200, table: 100, metric: 7 }
daemon: { on_exit: keep, control: /tmp/a.sock }
domains:
  b:
    prefixes: [10.3.0.0/24]
    segments: { x: {} }
  a:
    prefixes: [10.2.0.0/24]
    limits: { searches_per_second: 77 }
    segments:
      s:
        interface: "eth0.100"
        kind: wifi
        source: 10.2.0.1
        prefixes: [10.2.0.64/28]
        answer: off
        private_vlan: off
        sweep: { interval: 2m, rate: 9, in_flight: 4 }
        expiry: { quiet: 500ms, interval: 100ms, unicast: 7, broadcast: 0 }
        limits: { hosts: 1, hosts_per_lladdr: 2, new_per_second: 3 }
        sysctl: leave
        netns: null
      t: { source: [10.2.0.2, 10.2.0.1] }
"#;
    let config = yaml(text).expect("loads").config;
    let plan = config.plan();
    assert_eq!((plan.routes.protocol, plan.routes.table, plan.routes.metric), (200, 100, 7));
    assert_eq!(config.daemon.on_exit, OnExit::Keep);
    let segment = &plan.segments[0];
    assert_eq!((segment.interface.as_str(), segment.domain), ("eth0.100", DomainId(0)));
    assert_eq!(plan.segments[2].domain, DomainId(1));
    assert_eq!(plan.domains.iter().map(|it| it.limits.searches_per_second).collect::<Vec<_>>(), [77, 10_000]);
    assert_eq!((segment.kind, segment.answer), (Some(LinkKind::Wifi), AnswerMode::Off));
    assert_eq!(segment.sources, [Ipv4Addr::new(10, 2, 0, 1)]);
    assert_eq!(segment.addresses.prefixes, [net("10.2.0.64/28")]);
    assert_eq!(plan.segments[1].sources, [2, 1].map(|last| Ipv4Addr::new(10, 2, 0, last)));
    let sweep = segment.sweep.expect("sweeps");
    assert_eq!((sweep.interval, sweep.rate, sweep.in_flight), (Duration::from_secs(120), 9, 4));
    assert_eq!(
        (segment.expiry.quiet, segment.expiry.interval),
        (Duration::from_millis(500), Duration::from_millis(100))
    );
    assert_eq!((segment.expiry.unicast, segment.expiry.broadcast), (Some(7), 0));
    assert_eq!(
        (segment.limits.hosts, segment.limits.hosts_per_lladdr, segment.limits.new_per_second),
        (1, 2, 3)
    );
    assert_eq!(config.domains[0].segments[0].sysctl, SysctlPolicy::Leave);
}

#[test]
fn off_may_be_a_word_or_false_in_both_formats() {
    for off in ["off", "false", "\"off\""] {
        let text = format!(
            "domains: {{ l: {{ prefixes: [10.2.0.0/24], segments: {{ e: {{ sweep: {off}, answer: {off}, private_vlan: {off} }} }} }} }}"
        );
        let segment = yaml(&text).expect("loads").config.plan().segments.remove(0);
        assert_eq!((segment.sweep, segment.answer), (None, AnswerMode::Off), "{off}");
    }
    let text = "[domains.l]\nprefixes = ['10.2.0.0/24']\nsegments.e = { sweep = 'off', answer = false }";
    assert!(
        load_text("toml", text.as_bytes(), &[], &[]).expect("loads").config.plan().segments[0]
            .sweep
            .is_none()
    );
}

#[test]
fn the_reference_file_holds_every_key_at_its_default() {
    // Read when the test runs, not when it is built: the run that writes the file again checks it, too.
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/configs/arpherd.toml");
    let text = std::fs::read_to_string(path).expect("the reference file is read");
    let reference = load_text("toml", text.as_bytes(), &[], &[]).expect("loads");
    let small = "[domains.lan]\nprefixes = ['10.2.0.0/24']\n[domains.lan.segments.eth0]\n";
    let defaults = load_text("toml", small.as_bytes(), &[], &[]).expect("loads");
    let values = |loaded: &Loaded| -> Vec<_> {
        loaded.rows().into_iter().map(|row| (row.key.to_string(), row.value)).collect()
    };
    assert_eq!(values(&reference), values(&defaults));
    for row in &reference.rows() {
        let key = row.key.last_key().expect("a key");
        let (set, commented) = (format!("\n{key} = "), format!("\n# {key} = "));
        let expected = if row.value.is_null() { &commented } else { &set };
        assert!(text.contains(expected.as_str()), "{} is not in the reference file", row.key);
    }
}

#[test]
fn the_examples_load() {
    let examples = concat!(env!("CARGO_MANIFEST_DIR"), "/configs/examples");
    let mut count = 0;
    for entry in std::fs::read_dir(examples).expect("the examples") {
        let path = entry.expect("an entry").path();
        let loaded = from_file(&path, &[], &[]).unwrap_or_else(|error| panic!("{error}"));
        assert!(loaded.config.plan().segments.len() >= 2, "{}", path.display());
        count += 1;
    }
    assert!(count >= 3);
}

#[test]
fn prefixes_may_follow_the_interfaces_addresses() {
    let text = "domains: { a: { prefixes: auto, segments: { x: { source: [10.2.0.1, 10.9.0.1] }, y: { prefixes: [10.2.0.0/24] } } } }";
    let loaded = yaml(text).expect("sources and prefixes of any network");
    let plan = loaded.config.plan();
    assert!(plan.domains[0].auto && plan.domains[0].prefixes.is_empty());
    assert!(plan.segments[0].addresses.prefixes.is_empty());
    assert_eq!(plan.segments[1].addresses.prefixes, [net("10.2.0.0/24")]);
    assert_eq!(super::row(&loaded, "domains.a.prefixes").0, serde_json::json!("auto"));
}
