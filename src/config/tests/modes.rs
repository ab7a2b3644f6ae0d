//! The keys that control answering, and domains in network namespaces of their own.

use arpherd_core::LinkAddr;
use arpherd_core::plan::{AnswerMode, Behind, Cover, KernelProxy, PrivateVlan, SegmentPlan};

use super::super::model::Config;
use super::{SMALL, load_text, net, row, yaml};

/// The plan of a domain's only segment with these keys.
fn segment(keys: &str) -> SegmentPlan {
    let text = format!("domains: {{ l: {{ prefixes: [10.2.0.0/24], segments: {{ e: {{ {keys} }} }} }} }}");
    yaml(&text).expect("loads").config.plan().segments.remove(0)
}

/// What is wrong with a segment of these keys.
fn fault(keys: &str) -> String {
    let text = format!("domains: {{ l: {{ prefixes: [10.2.0.0/24], segments: {{ e: {{ {keys} }} }} }} }}");
    let error = yaml(&text).expect_err("refused");
    assert_eq!(error.lines().count(), 1, "{error}");
    error
}

#[test]
fn every_mode_reaches_the_plan() {
    for (word, answer) in [
        ("live", AnswerMode::Live),
        ("routed", AnswerMode::Routed),
        ("kernel", AnswerMode::Kernel),
        ("off", AnswerMode::Off),
        ("false", AnswerMode::Off),
    ] {
        assert_eq!(segment(&format!("answer: {word}")).answer, answer);
    }
    assert_eq!(segment("answer: kernel").kernel.proxy, KernelProxy::ProxyArp);
    assert_eq!(segment("answer: kernel, kernel: null").kernel.proxy, KernelProxy::ProxyArp);
    let entries =
        segment("answer: kernel, kernel: entries, private_vlan: open, publish: [10.2.0.0/25, 10.3.0.9]");
    assert_eq!((entries.kernel.proxy, entries.private_vlan), (KernelProxy::Entries, PrivateVlan::Open));
    assert_eq!(entries.addresses.publish, [net("10.2.0.0/25"), net("10.3.0.9/32")]);
    let both = segment("answer: routed, private_vlan: open, never: [169.254.0.0/16, 10.2.0.7]");
    assert_eq!((both.answer, both.private_vlan), (AnswerMode::Routed, PrivateVlan::Open));
    assert_eq!(both.addresses.never, [net("169.254.0.0/16"), net("10.2.0.7/32")]);
}

#[test]
fn a_search_for_the_targets_of_packets_is_a_choice_of_the_domain() {
    let domain = |cover: &str, keys: &str| {
        let segments = format!("segments: {{ e: {{ {keys} }} }}");
        yaml(&format!("domains: {{ l: {{ prefixes: [10.2.0.0/24], cover: {cover}, {segments} }} }}"))
    };
    let plan = |cover| domain(cover, "").expect("loads").config.plan();
    assert_eq!(plan("search").domains[0].cover, Cover::Search);
    assert_eq!(plan("unreachable").domains[0].cover, Cover::Unreachable);
    assert!(domain("search", "answer: kernel, kernel: entries").is_ok());
    let error = domain("search", "answer: kernel").expect_err("proxy_arp would answer for every address");
    assert!(
        error.contains("domains.l.segments.e.answer: found kernel") && error.contains("cover: search"),
        "{error}"
    );
    assert!(domain("maybe", "").is_err());
}

#[test]
fn groups_name_who_belongs_together() {
    let keys = "private_vlan: { communities: { red: [10.2.0.8/29, 10.2.0.77], blue: [10.2.0.32/28] }, \
                isolated: [10.2.0.40/29] }";
    let PrivateVlan::Groups(groups) = segment(keys).private_vlan else { panic!("groups") };
    assert_eq!(groups.communities["red"], [net("10.2.0.8/29"), net("10.2.0.77/32")]);
    assert_eq!(groups.communities["blue"], [net("10.2.0.32/28")]);
    assert_eq!(groups.isolated, [net("10.2.0.40/29")]);
    assert!(fault("private_vlan: {}").contains("expected one of them; or off, or open"));
    assert!(fault("private_vlan: { communities: { red: } }").contains("communities.red: found nothing"));
    assert!(fault("private_vlan: { communities: { red: [] } }").contains("red: found an empty list"));
    assert!(fault("private_vlan: { communities: { 'a b': [10.2.0.9] } }").contains("found the name \"a b\""));
    assert!(fault("answer: off, private_vlan: open").contains("found open, expected off"));
}

#[test]
fn hosts_and_pins_are_tables_of_stations() {
    let guid = format!("80:00:00:48:fe:80{}:09", ":00".repeat(13));
    let plan = segment(&format!(
        "hosts: {{ 10.2.0.9: 02:00:00:00:00:09, 10.2.0.10: '{guid}' }}, pins: {{ 10.2.0.9: 02:00:00:00:00:09 }}"
    ));
    let lladdrs: Vec<_> = plan.addresses.hosts.values().map(|lladdr| lladdr.len()).collect();
    assert_eq!(lladdrs, [6, 20]);
    assert_eq!(
        plan.addresses.pins.get(&"10.2.0.9".parse().expect("an address")),
        plan.addresses.hosts.values().next()
    );
    for (wrong, why) in [
        ("00:00:00:00:00:00", "not the zero address"),
        ("'33:33:ff:ff:ff:ff:ff'", "of 6 bytes"),
        ("ff:ff:ff:ff:ff:ff", "not a group address"),
        ("''", "of 6 bytes"),
        ("02:00:00:00:00", "of 6 bytes"),
        ("+2:00:00:00:00:09", "of 6 bytes"),
        ("2", "of 6 bytes"),
        ("", "found nothing"),
    ] {
        let error = fault(&format!("pins: {{ 10.2.0.9: {wrong} }}"));
        assert!(error.contains("pins.\"10.2.0.9\": found") && error.contains(why), "{error}");
    }
}

#[test]
fn a_cluster_may_have_a_multicast_address_with_a_warning() {
    let text = "domains: { l: { prefixes: [10.2.0.0/24], segments: { e: { hosts: { 10.2.0.9: 03:bf:0a:02:00:09 } } } } }";
    let loaded = yaml(text).expect("loads");
    let [warning] = loaded.warnings.as_slice() else { panic!("{:?}", loaded.warnings) };
    assert!(
        warning.contains("hosts.\"10.2.0.9\": 03:bf:0a:02:00:09 is a multicast address")
            && warning.contains(":1:"),
        "{warning}"
    );
    assert!(fault("behind: { 03:bf:0a:02:00:09: allow }").contains("not a group address"));
}

#[test]
fn stations_may_speak_for_all_or_for_a_network_behind_them() {
    let guid = format!("80:00:00:48:fe:80{}:09", ":00".repeat(13));
    let plan = segment(&format!(
        "behind: {{ 02:00:00:00:00:42: allow, '02:00:00:00:00:43': 10.2.0.64/28, '{guid}': [10.2.0.8/29, 10.2.0.32] }}"
    ));
    let station = |text: &str| text.parse::<LinkAddr>().expect("an address").port();
    let behind = [
        (station("02:00:00:00:00:42"), Behind::Allow),
        (station("02:00:00:00:00:43"), Behind::Within(vec![net("10.2.0.64/28")])),
        (station(&guid), Behind::Within(vec![net("10.2.0.8/29"), net("10.2.0.32/32")])),
    ];
    assert_eq!(plan.addresses.behind, behind.into());
    for (wrong, key, why) in [
        (
            "02:00:00:00:00: allow",
            "02:00:00:00:00",
            "found the key \"02:00:00:00:00\", expected a link-layer address of 6",
        ),
        ("ff:ff:ff:ff:ff:ff: allow", "ff", "not a group address"),
        ("02:00:00:00:00:42: yes", "02", "expected allow, or an IPv4 network or address"),
        ("02:00:00:00:00:42: 10.2.0.65/28", "02", "did you mean 10.2.0.64/28?"),
        ("02:00:00:00:00:42: []", "02", "found an empty list"),
        ("02:00:00:00:00:42: [10.2.0.64/28, 10.2.0.65]", "[1]", "apart from 10.2.0.64/28"),
        ("02:00:00:00:00:42: 10.3.0.0/24", "02", "inside the segment's prefixes (10.2.0.0/24)"),
        ("02:00:00:00:00:42: 10.2.0.64/28, 02:00:00:00:00:42 : allow", "02", "02:00:00:00:00:42"),
        ("02:00:00:00:00:aa: allow, 02:00:00:00:00:AA: allow", "02", "a second time"),
    ] {
        let error = fault(&format!("behind: {{ {wrong} }}"));
        assert!(error.contains("behind.") && error.contains(key) && error.contains(why), "{error}");
    }
    let never = fault("never: [10.2.0.64/26], behind: { 02:00:00:00:00:42: 10.2.0.64/28 }");
    assert!(never.contains("outside never (10.2.0.64/26)"), "{never}");
    assert!(fault("kind: ipoib, behind: { 02:00:00:00:00:42: allow }").contains("expected 20 bytes"));
}

#[test]
fn answers_inside_the_kernel_are_not_demanded_where_none_are_given() {
    assert!(fault("fast_answers: on, answer: routed").contains("expected auto or off: with answer: routed"));
    let text = |fast: &str| {
        format!(
            "domains: {{ lan: {{ prefixes: [10.2.0.0/24], ha: {{ follow: 10.2.0.1 }}, segments: {{ eth0: {{ \
             fast_answers: {fast} }}, eth1: {{}} }} }} }}"
        )
    };
    let load = |fast: &str| load_text("yaml", text(fast).as_bytes(), &[], &[]).map(drop);
    let error = load("on").expect_err("the other gateway may answer").to_string();
    assert!(error.contains("found on, expected auto or off: of two gateways (ha)"), "{error}");
    load("auto").expect("without it, then");
}

#[test]
fn check_shows_each_static_host_and_where_it_is_from() {
    let text = "[domains.l]\nprefixes = ['10.2.0.0/24']\n[domains.l.segments.e]\nhosts = { \"10.2.0.9\" = '02:00:00:00:00:09' }";
    let loaded =
        load_text("toml", text.as_bytes(), &[], &["domains.l.segments.e.netns=blue"]).expect("loads");
    let (lladdr, origin) = row(&loaded, "domains.l.segments.e.hosts.\"10.2.0.9\"");
    assert!(lladdr == "02:00:00:00:00:09" && origin.ends_with("/c.toml:4"), "{lladdr} from {origin}");
    assert_eq!(row(&loaded, "domains.l.segments.e.netns"), ("blue".into(), "command line --set".into()));
    assert_eq!(row(&loaded, "domains.l.segments.e.pins"), (serde_json::json!({}), "default".into()));
    assert!(loaded.table().contains("(only with answer: kernel)"), "{}", loaded.table());
}

#[test]
fn modes_come_from_variables_too() {
    let variable = |key: &str| format!("ARPHERD_DOMAINS__LAN__SEGMENTS__ETH0__{key}");
    let (answer, kernel, publish) = (variable("ANSWER"), variable("KERNEL"), variable("PUBLISH"));
    let environment = [
        (answer.as_str(), "kernel"),
        (kernel.as_str(), "entries"),
        (publish.as_str(), "10.2.0.64/28, 10.2.0.9"),
    ];
    let sets = ["domains.lan.segments.eth1.private_vlan=open", "domains.lan.segments.eth1.never="];
    let plan = load_text("yaml", SMALL.as_bytes(), &environment, &sets).expect("loads").config.plan();
    assert_eq!(
        (plan.segments[0].answer, plan.segments[0].kernel.proxy),
        (AnswerMode::Kernel, KernelProxy::Entries)
    );
    assert_eq!(plan.segments[0].addresses.publish, [net("10.2.0.64/28"), net("10.2.0.9/32")]);
    assert_eq!(
        (&plan.segments[1].private_vlan, plan.segments[1].addresses.never.len()),
        (&PrivateVlan::Open, 0)
    );
}

const SPACES: &str = "
domains:
  b: { prefixes: [10.2.0.0/24], segments: { eth0: { netns: red }, eth1: { netns: red, sysctl: leave } } }
  a: { prefixes: [10.2.0.0/16], segments: { eth0: { netns: blue } } }
  d: { prefixes: [10.2.0.0/24], segments: { eth0: {} } }
  c: { prefixes: [10.3.0.0/24], segments: { eth2: { netns: red } } }
";

#[test]
fn each_namespace_has_a_plan_of_its_own() {
    let config: Config = yaml(SPACES).expect("loads").config;
    let parts = config.netns_plans();
    let names: Vec<_> = parts.iter().map(|part| part.netns.as_deref()).collect();
    assert_eq!(names, [None, Some("blue"), Some("red")]);
    let red = &parts[2];
    let domains: Vec<_> = red.plan.domains.iter().map(|domain| domain.name.as_str()).collect();
    let segments: Vec<_> =
        red.plan.segments.iter().map(|segment| (segment.domain.0, segment.interface.as_str())).collect();
    assert_eq!((domains, segments), (vec!["b", "c"], vec![(0, "eth0"), (0, "eth1"), (1, "eth2")]));
    assert_eq!(red.manage, [true, false, true]);
}

#[test]
fn domains_share_addresses_only_across_namespaces() {
    let error = yaml(&SPACES.replace("blue", "red")).expect_err("refused");
    assert!(error.starts_with("c.yaml:4:19: domains.a.prefixes[0]: found 10.2.0.0/16, expected a network apart from 10.2.0.0/24 of the domain b"), "{error}");
    for bad in ["''", ".", "..", "a/b", "'a b'", "5"] {
        let error = fault(&format!("netns: {bad}"));
        assert!(
            error.contains("e.netns: found ") && error.contains("expected the name of a network"),
            "{error}"
        );
    }
}
