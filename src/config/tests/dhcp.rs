//! DHCP: what a domain does with it, who takes part, and what a lease means on a segment.

use std::net::Ipv4Addr;

use arpherd_core::plan::{ClientOption82, DhcpPlan, DhcpRole, DhcpRules, DhcpServer, LearnFrom};
use proptest::prelude::*;
use serde_json::json;

use super::super::Loaded;
use super::{SMALL, load_text, row, yaml};

/// A domain with this `dhcp`, whose segments have these keys.
fn load(dhcp: &str, segments: [&str; 2]) -> Result<Loaded, String> {
    let [first, second] = segments;
    yaml(&format!(
        "domains:\n  lan:\n    prefixes: [10.2.0.0/24]\n    dhcp: {dhcp}\n    segments:\n      eth0: {{ {first} }}\n      \
         eth1: {{ {second} }}\n"
    ))
}

fn plan(dhcp: &str) -> Option<DhcpPlan> {
    load(dhcp, ["", ""]).expect("loads").config.plan().domains.remove(0).dhcp
}

/// The only thing that is wrong, at this line of the file.
fn fault(dhcp: &str, segments: [&str; 2], line: usize) -> String {
    let error = load(dhcp, segments).expect_err("refused");
    assert_eq!(error.lines().count(), 1, "{error}");
    assert!(error.starts_with(&format!("c.yaml:{line}:")), "{error}");
    error
}

fn at(last: u8) -> DhcpServer {
    DhcpServer::At(Ipv4Addr::new(10, 2, 0, last))
}

#[test]
fn nothing_is_done_unless_asked_for() {
    let plan = yaml(SMALL).expect("loads").config.plan();
    assert_eq!(plan.domains[0].dhcp, None);
    assert!(plan.segments.iter().all(|segment| segment.dhcp == DhcpRules::default()));
    assert!(plan.segments.iter().all(|segment| segment.limits.dhcp_per_second == 1_000));
}

#[test]
fn a_word_turns_it_off_or_watches() {
    for off in ["off", "false", "\"off\""] {
        assert_eq!(plan(off), None, "{off}");
    }
    assert_eq!(plan("watch"), Some(DhcpPlan::default()));
    assert_eq!(plan("{ relay: off }"), Some(DhcpPlan::default()));
    for other in ["on", "true", "[10.2.0.2]", "10.2.0.2", "7"] {
        let error = fault(other, ["", ""], 4);
        assert!(error.contains("domains.lan.dhcp: found"), "{error}");
        assert!(error.contains("expected off, watch, or a table with servers"), "{error}");
    }
}

#[test]
fn a_table_names_the_servers() {
    let relay = DhcpPlan { is_relaying: true, servers: vec![at(2)], ..DhcpPlan::default() };
    assert_eq!(plan("{ servers: [10.2.0.2] }"), Some(relay.clone()));
    let several = DhcpPlan { servers: vec![DhcpServer::Local, at(3)], ..relay.clone() };
    assert_eq!(plan("{ servers: [local, 10.2.0.3], relay: on }"), Some(several));
    let trusted = DhcpPlan { is_relaying: false, ..relay.clone() };
    assert_eq!(plan("{ servers: [10.2.0.2], relay: off }"), Some(trusted));
    let all = DhcpPlan { server_id_override: true, client_option_82: ClientOption82::Keep, ..relay };
    assert_eq!(plan("{ servers: [10.2.0.2], server_id_override: on, client_option_82: keep }"), Some(all));
}

#[test]
fn segments_say_who_is_there_and_what_a_lease_means() {
    let keys = ["dhcp: servers", "learn: { from: leases }, limits: { dhcp_per_second: 5 }"];
    let segments = load("watch", keys).expect("loads").config.plan().segments;
    let rules: Vec<_> = segments.iter().map(|segment| segment.dhcp).collect();
    let servers = DhcpRules { role: DhcpRole::Servers, learn: LearnFrom::Any };
    let leases = DhcpRules { role: DhcpRole::Clients, learn: LearnFrom::Leases };
    assert_eq!(rules, [servers, leases]);
    assert_eq!(segments[1].limits.dhcp_per_second, 5);
    let off = load("watch", ["dhcp: off", "dhcp: clients"]).expect("loads").config.plan().segments;
    assert_eq!((off[0].dhcp.role, off[1].dhcp.role), (DhcpRole::Off, DhcpRole::Clients));
}

#[test]
fn toml_the_environment_and_the_command_line_say_the_same() {
    let wanted = Some(DhcpPlan {
        servers: vec![DhcpServer::Local, at(2)],
        is_relaying: true,
        server_id_override: true,
        ..DhcpPlan::default()
    });
    let toml = "[domains.lan]\nprefixes = ['10.2.0.0/24']\nsegments.eth0 = { learn.from = 'leases' }\n\
                [domains.lan.dhcp]\nservers = ['local', '10.2.0.2']\nserver_id_override = true\n";
    let loaded = load_text("toml", toml.as_bytes(), &[], &[]).expect("loads");
    assert_eq!(loaded.config.plan().domains[0].dhcp, wanted);
    let environment = [
        ("ARPHERD_DOMAINS__LAN__DHCP__SERVERS", "local, 10.2.0.2"),
        ("ARPHERD_DOMAINS__LAN__DHCP__SERVER_ID_OVERRIDE", "on"),
        ("ARPHERD_DOMAINS__LAN__SEGMENTS__ETH0__LEARN__FROM", "leases"),
    ];
    let loaded = load_text("yaml", SMALL.as_bytes(), &environment, &[]).expect("loads");
    assert_eq!(loaded.config.plan().domains[0].dhcp, wanted);
    assert_eq!(loaded.config.plan().segments[0].dhcp.learn, LearnFrom::Leases);
    let sets = ["domains.lan.dhcp={servers=[local,10.2.0.2],server_id_override=on}"];
    let loaded = load_text("yaml", SMALL.as_bytes(), &[], &sets).expect("loads");
    assert_eq!(loaded.config.plan().domains[0].dhcp, wanted);
    let watch = load_text("yaml", SMALL.as_bytes(), &[("ARPHERD_DOMAINS__LAN__DHCP", "watch")], &[]);
    assert_eq!(watch.expect("loads").config.plan().domains[0].dhcp, Some(DhcpPlan::default()));
}

#[test]
fn check_shows_what_is_in_effect_and_from_where() {
    let loaded = load("{ servers: [local, 10.2.0.2] }", ["", "learn: { from: leases }"]).expect("loads");
    let shown = |key: &str| row(&loaded, &format!("domains.lan.{key}"));
    let (servers, origin) = shown("dhcp.servers");
    assert_eq!(servers, json!(["local", "10.2.0.2"]));
    assert!(origin.ends_with("/c.yaml:4"), "{origin}");
    assert_eq!(shown("dhcp.relay"), (json!("on"), "default".to_owned()));
    assert_eq!(shown("dhcp.client_option_82").0, json!("drop"));
    assert_eq!(shown("segments.eth0.dhcp"), (json!("clients"), "default".to_owned()));
    assert_eq!(shown("segments.eth1.learn.from").0, json!("leases"));
    assert_eq!(row(&yaml(SMALL).expect("loads"), "domains.lan.dhcp"), (json!("off"), "default".to_owned()));
}

#[test]
fn servers_are_hosts_and_named_once() {
    for address in ["224.0.0.1", "255.255.255.255", "0.0.0.0", "127.0.0.1", "kea", "\"10.2.0.2/24\""] {
        let error = fault(&format!("{{ servers: [10.2.0.2, {address}] }}"), ["", ""], 4);
        assert!(error.contains("domains.lan.dhcp.servers[1]: found"), "{error}");
        assert!(error.contains("or local for one on this machine"), "{error}");
    }
    for address in ["10.2.0.0", "10.2.0.255"] {
        let error = fault(&format!("{{ servers: [{address}] }}"), ["", ""], 4);
        assert!(error.contains("the network or broadcast address of 10.2.0.0/24"), "{error}");
    }
    let error = fault("{ servers: [10.2.0.2, local, 10.2.0.2] }", ["", ""], 4);
    assert!(error.contains("servers[2]: found 10.2.0.2 a second time"), "{error}");
    let error = fault("{ servers: 10.2.0.2 }", ["", ""], 4);
    assert!(error.contains("expected a list"), "{error}");
}

#[test]
fn a_relay_needs_somebody_to_ask() {
    for table in ["{}", "{ servers: [] }", "{ relay: on }"] {
        let error = fault(table, ["", ""], 4);
        assert!(
            error.contains("domains.lan.dhcp.servers: found none, expected at least one server"),
            "{error}"
        );
    }
    for key in ["server_id_override: on", "client_option_82: replace"] {
        let error = fault(&format!("{{ servers: [local], relay: off, {key} }}"), ["", ""], 4);
        assert!(error.contains("here relay is off"), "{error}");
    }
    let error = fault("{ server: [10.2.0.2] }", ["", ""], 4);
    assert!(error.contains("found an unknown key") && error.contains("did you mean servers?"), "{error}");
}

#[test]
fn segments_have_nothing_to_do_with_dhcp_in_a_domain_without() {
    let error = fault("off", ["", "dhcp: servers"], 7);
    assert!(error.contains("segments.eth1.dhcp: found servers, expected clients or off"), "{error}");
    let error = fault("off", ["learn: { from: leases }", ""], 6);
    assert!(error.contains("segments.eth0.learn.from: found leases, expected any"), "{error}");
    assert!(error.contains("with dhcp: off in the domain lan no lease is read"), "{error}");
    assert!(load("off", ["dhcp: off, learn: { from: any }", "dhcp: clients"]).is_ok());
    let error = fault("watch", ["dhcp: off, learn: { from: leases }", ""], 6);
    assert!(error.contains("with dhcp: off on this segment no lease is read"), "{error}");
}

#[test]
fn a_domain_with_dhcp_has_a_segment_that_takes_part() {
    for (dhcp, found) in [("watch", "found watch"), ("{ servers: [local] }", "found servers")] {
        let error = fault(dhcp, ["dhcp: off", "dhcp: off"], 4);
        assert!(error.contains("domains.lan.dhcp: ") && error.contains(found), "{error}");
        assert!(error.contains("every segment has dhcp: off"), "{error}");
    }
    let error = fault("watch", ["dhcp: off", "dhcp: maybe"], 7);
    assert!(error.contains("expected clients, servers or off"), "{error}");
}

#[test]
fn limits_are_numbers_of_messages() {
    for limit in ["0", "1000001", "many", "1s"] {
        let keys = format!("limits: {{ dhcp_per_second: {limit} }}");
        let error = fault("watch", [&keys, ""], 6);
        assert!(error.contains("expected a whole number from 1 to 1000000"), "{error}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// Whatever is written there is taken or refused with the key that is wrong; what is taken can be served.
    #[test]
    fn any_dhcp_is_taken_or_refused(dhcp in any_dhcp(), roles in prop::array::uniform2(any_keys())) {
        match load(&dhcp, [&roles[0], &roles[1]]) {
            Err(error) => prop_assert!(error.lines().all(|line| line.starts_with("c.yaml:")), "{}", error),
            Ok(loaded) => {
                let plan = loaded.config.plan();
                let dhcp = plan.domains[0].dhcp.as_ref();
                prop_assert!(dhcp.is_none_or(|dhcp| !dhcp.is_relaying || !dhcp.servers.is_empty()));
                let takes_part = plan.segments.iter().any(|segment| segment.dhcp.role != DhcpRole::Off);
                prop_assert!(dhcp.is_none() || takes_part);
                let learns = plan.segments.iter().filter(|segment| segment.dhcp.learn == LearnFrom::Leases);
                for segment in learns {
                    prop_assert!(dhcp.is_some() && segment.dhcp.role != DhcpRole::Off);
                }
            }
        }
    }
}

fn any_dhcp() -> impl Strategy<Value = String> {
    let server =
        prop::sample::select(vec!["local", "10.2.0.2", "10.9.0.1", "10.2.0.255", "224.0.0.1", "x", "7"]);
    let servers =
        prop::collection::vec(server, 0..4).prop_map(|list| format!("servers: [{}]", list.join(", ")));
    let word = prop::sample::select(vec!["on", "off", "drop", "replace", "keep", "~", "[]", "maybe"]);
    let key = prop::sample::select(vec!["relay", "server_id_override", "client_option_82", "unknown"]);
    let rest = prop::collection::btree_map(key, word, 0..3)
        .prop_map(|keys| keys.iter().map(|(key, word)| format!(", {key}: {word}")).collect::<String>());
    let table = (servers, rest).prop_map(|(servers, rest)| format!("{{ {servers}{rest} }}"));
    let word = prop::sample::select(vec!["off", "watch", "on", "~", "{}", "[local]", "10.2.0.2"]);
    prop_oneof![3 => table, 1 => word.prop_map(str::to_owned)]
}

fn any_keys() -> impl Strategy<Value = String> {
    let keys = [
        "",
        "dhcp: off",
        "dhcp: servers",
        "dhcp: clients",
        "dhcp: x",
        "learn: { from: leases }",
        "learn: ~",
        "learn: { from: x }",
        "dhcp: off, learn: { from: leases }",
        "limits: { dhcp_per_second: 9 }",
    ];
    prop::sample::select(keys.to_vec()).prop_map(str::to_owned)
}
