//! Which source takes precedence, and how variables and flags name keys.

use arpherd_core::plan::LinkKind;

use super::{SMALL, load_text, net, row};

#[test]
fn later_sources_win_and_are_named() {
    let environment = [
        ("ARPHERD_ROUTES__METRIC", "60"),
        ("ARPHERD_ROUTES__TABLE", "9"),
        ("ARPHERD_DOMAINS__LAN__SEGMENTS__ETH0__SWEEP__RATE", "8"),
        ("INTERFACE", "nobody reads this beside a file"),
    ];
    let text = format!("routes: {{ metric: 50, protocol: 170 }}\n{SMALL}");
    let loaded = load_text("yml", text.as_bytes(), &environment, &["routes.table=10"]).expect("loads");
    let (protocol, origin) = row(&loaded, "routes.protocol");
    assert!(protocol == 170 && origin.ends_with("/c.yml:1"), "{protocol} from {origin}");
    assert_eq!(
        row(&loaded, "routes.metric"),
        (60.into(), "environment variable ARPHERD_ROUTES__METRIC".into())
    );
    assert_eq!(row(&loaded, "routes.table"), (10.into(), "command line --set".into()));
    assert_eq!(row(&loaded, "domains.lan.segments.eth0.sweep.rate").0, 8);
    assert_eq!(row(&loaded, "domains.lan.segments.eth0.sweep.interval"), ("60s".into(), "default".into()));
}

#[test]
fn a_source_outside_of_the_prefixes_is_a_warning() {
    let text = SMALL.replace("eth0: {}", "eth0: { source: [10.2.0.1, 192.0.2.1] }");
    let loaded = load_text("yaml", text.as_bytes(), &[], &[]).expect("loads");
    let [warning] = loaded.warnings.as_slice() else { panic!("{:?}", loaded.warnings) };
    assert!(
        warning.contains("segments.eth0.source[1]: 192.0.2.1 is outside the domain's prefixes"),
        "{warning}"
    );
}

#[test]
fn many_more_hosts_than_can_be_asked_in_time_are_a_warning() {
    let warnings = |keys: &str| {
        let text =
            SMALL.replace("10.2.0.0/24", "10.0.0.0/8").replace("eth0: {}", &format!("eth0: {{ {keys} }}"));
        load_text("yaml", text.as_bytes(), &[], &[]).expect("loads").warnings
    };
    let [warning] = &warnings("limits: { hosts: 50000 }")[..] else { panic!("one warning") };
    let expected = "segments.eth0.limits.hosts: 50000 hosts are allowed, but 11250 silent ones can be asked within \
                    expiry.quiet (30s) whether they live, at 375 a second: of more, dead ones keep their routes for \
                    longer. sweep.rate 2223 or expiry.quiet 134s would do for all of them";
    assert!(warning.contains(expected), "{warning}");
    for fine in [
        "",
        "limits: { hosts: 45000 }",
        "limits: { hosts: 50000 }, sweep: { rate: 2223 }",
        "limits: { hosts: 50000 }, expiry: { quiet: 134s }",
        "expiry: { quiet: 5s }",
        "limits: { hosts: 50000 }, prefixes: [10.0.0.0/24]",
    ] {
        assert_eq!(warnings(fine), Vec::<String>::new(), "{fine}");
    }
}

#[test]
fn variables_reach_names_with_dashes_and_dots() {
    let text = SMALL.replace("eth0", "br-lan").replace("eth1:", "eth1.7:");
    let environment = [
        ("ARPHERD_DOMAINS__LAN__SEGMENTS__BR_LAN__SWEEP", "off"),
        ("ARPHERD_DOMAINS__LAN__SEGMENTS__ETH1_7__KIND", "wifi"),
    ];
    let config = load_text("yaml", text.as_bytes(), &environment, &[]).expect("loads").config;
    assert!(config.domains[0].segments[0].plan.sweep.is_none());
    assert_eq!(config.domains[0].segments[1].plan.kind, Some(LinkKind::Wifi));
}

#[test]
fn lists_come_from_variables_and_flags() {
    for list in ["10.2.0.0/24,10.3.0.0/24", "[10.2.0.0/24, 10.3.0.0/24]"] {
        let set = format!("domains.lan.prefixes={list}");
        let config = load_text("yaml", SMALL.as_bytes(), &[], &[&set]).expect("loads").config;
        assert_eq!(config.domains[0].prefixes, [net("10.2.0.0/24"), net("10.3.0.0/24")]);
    }
    // Both end figment's own parser of such texts with a panic.
    for bad in ["[".repeat(200_000), "{\"\u{a3c}\u{1b00}# \u{1ee79}#a 0A\u{13440}\\A\"".to_owned()] {
        let bad = format!("routes={bad}");
        assert!(load_text("yaml", SMALL.as_bytes(), &[], &[&bad]).is_err());
    }
}
