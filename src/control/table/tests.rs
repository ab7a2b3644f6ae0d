use std::net::Ipv4Addr;

use arpherd_core::view::{
    AnsweringView, CountersView, Destination, DhcpCountersView, PacketsView, StatusView, SubnetView,
};

use super::layout::NARROW;
use super::*;
use crate::control::testing;

fn as_text(answer: &Response) -> String {
    let mut out = Vec::new();
    write_text(&mut out, answer).expect("memory does not fail");
    String::from_utf8(out).expect("text")
}

fn host(last: u8, segment: &str, interface: &str, age_seconds: u64) -> HostView {
    HostView {
        address: Ipv4Addr::new(10, 2, 0, last),
        lladdr: LinkAddr::ethernet([2, 0, 0, 0, 0, last]),
        domain: "cluster".into(),
        segment: segment.into(),
        interface: interface.into(),
        state: if age_seconds > 30 { "suspect".into() } else { "alive".into() },
        learned_from: "request".into(),
        age_seconds,
        lease_server: None,
        lease_expires_seconds: None,
        in_kernel_seconds: None,
        next_hop: None,
        netns: None,
    }
}

fn segment(name: &str) -> SegmentView {
    let plain = testing::segment(name, name, 250);
    SegmentView {
        subnet: SubnetView { publish: vec!["10.2.0.64/28".parse().expect("a prefix")], ..plain.subnet },
        counters: CountersView {
            read: 123_456,
            answered: 7,
            answered_in_kernel: 0,
            probed: 80,
            traces: 3,
            dropped: 0,
            malformed: 1,
            mismatched: 2,
        },
        ..plain
    }
}

#[test]
fn hosts_stand_in_columns_with_ages_people_can_read() {
    let rows = vec![host(9, "lan", "eth0", 12), host(101, "vms", "br1", 200), host(200, "vms", "br1", 7300)];
    let expected = "\
address     lladdr             domain   segment  interface  state    learned  age
10.2.0.9    02:00:00:00:00:09  cluster  lan      eth0       alive    request  12s
10.2.0.101  02:00:00:00:00:65  cluster  vms      br1        suspect  request   3m
10.2.0.200  02:00:00:00:00:c8  cluster  vms      br1        suspect  request   2h
";
    let text = as_text(&Response::Hosts(rows));
    // One column too many for the wide gap: the narrow one keeps the rows on the terminal.
    let wide = expected.lines().map(str::len).max().unwrap_or(0);
    assert!(wide > NARROW);
    assert_eq!(
        text.lines().next(),
        Some("address    lladdr            domain  segment interface state   learned age")
    );
    assert!(text.lines().all(|line| line.len() <= NARROW), "{text}");
    let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(words(&text), words(expected));
}

#[test]
fn an_interface_configured_by_an_alternative_name_is_shown_with_both() {
    let row = SegmentView { configured_interface: "uplink".into(), ..segment("eth0") };
    assert!(as_text(&Response::Segments(vec![row])).contains(" eth0=uplink "));
}

#[test]
fn segments_and_their_counters_fit_a_terminal() {
    let expected = "\
domain  segment interface kind     state lladdr            answer hosts
cluster eth0    eth0      ethernet up    02:00:00:00:00:01 live     250
cluster br1     br1       ethernet up    02:00:00:00:00:01 live+pvlan 250

domain   segment  source    prefixes
cluster  eth0     -         -
cluster  br1      10.2.0.1  10.2.0.0/24

domain  segment   read answered probed traces dropped malformed mismatched
cluster eth0    123456        7     80      3       0         1          2
cluster br1     123456        7     80      3       0         1          2

domain   segment  published
cluster  br1      10.2.0.64/28
";
    let unpublished = SegmentView { subnet: SubnetView::default(), ..segment("eth0") };
    let private = SegmentView {
        answering: AnsweringView { private_vlan: "open".into(), ..segment("br1").answering },
        ..segment("br1")
    };
    let text = as_text(&Response::Segments(vec![unpublished, private]));
    let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(words(&text), words(expected));
    assert!(text.lines().all(|line| line.len() <= NARROW), "{text}");
    assert!(text.ends_with(&expected[expected.find("\n\n").unwrap_or(0)..]), "{text}");
}

#[test]
fn what_became_of_dhcp_messages_is_shown_where_there_is_dhcp() {
    let counted = DhcpCountersView { relayed: 12, answered: 11, limited: 5, malformed: 0, refused: 2 };
    let mut row = segment("eth0");
    row.measured.dhcp = Some(counted);
    let text = as_text(&Response::Segments(vec![row, segment("br1")]));
    let table = "
domain   segment  dhcp_relayed  answered  limited  malformed  refused
cluster  eth0               12        11        5          0        2
";
    assert!(text.contains(table), "{text}");
    assert!(!as_text(&Response::Segments(vec![segment("br1")])).contains("dhcp"));
}

#[test]
fn answers_inside_the_kernel_are_shown_where_they_are_wanted() {
    let mut row = segment("eth0");
    row.measured.fast_answers = Some("tcx".into());
    row.counters.answered_in_kernel = 5;
    let text = as_text(&Response::Segments(vec![row, segment("br1")]));
    let table = "
domain   segment  fast_answers  answered_in_kernel
cluster  eth0     tcx                            5
";
    assert!(text.contains(table), "{text}");
    assert!(!as_text(&Response::Segments(vec![segment("br1")])).contains("fast_answers"));
}

#[test]
fn routes_and_their_cover_are_listed() {
    let host = RouteView {
        address: Destination::Host(Ipv4Addr::new(10, 2, 0, 9)),
        interface: Some("eth0".into()),
        source: Some(Ipv4Addr::new(10, 2, 0, 1)),
        metric: 50,
        table: 254,
        protocol: 169,
        state: "installed".into(),
        netns: None,
    };
    let cover = RouteView {
        address: Destination::Prefix("10.2.0.0/24".parse().expect("a prefix")),
        interface: None,
        source: None,
        table: 1000,
        state: "cover".into(),
        ..host.clone()
    };
    assert_eq!(
        as_text(&Response::Routes(vec![host, cover])),
        "\
address      interface  source    metric  table  protocol  state
10.2.0.9     eth0       10.2.0.1      50   main       169  installed
10.2.0.0/24  -          -             50   1000       169  cover
"
    );
}

#[test]
fn namespaces_have_a_column_where_there_are_any() {
    let rows = vec![
        host(9, "lan", "eth0", 12),
        HostView { netns: Some("blue".into()), ..host(9, "lan", "eth0", 1) },
    ];
    let words: Vec<_> = as_text(&Response::Hosts(rows))
        .lines()
        .filter_map(|line| line.split_whitespace().last().map(str::to_owned))
        .collect();
    assert_eq!(words, ["netns", "-", "blue"]);
}

#[test]
fn status_is_a_short_list() {
    let status = StatusView {
        version: "0.1.0".into(),
        protocol: 1,
        uptime_seconds: 200_000,
        domains: 1,
        hosts: 2,
        routes: 2,
        ready: true,
        events: [("duplicate_address".into(), 3)].into(),
        packets: PacketsView { held: 4, forwarded: 3, refused: 1, dropped: 0 },
        control: arpherd_core::view::ControlView::default(),
        confinement: Some(arpherd_core::view::ConfinementView {
            capabilities: vec!["CAP_NET_ADMIN".into(), "CAP_NET_RAW".into()],
            files: "enforced".into(),
        }),
        start_time_seconds: 0,
        missing: arpherd_core::view::MissingRoutesView {
            routes_refused: 0,
            remote_hosts: 0,
            routes_in_conflict: 2,
        },
        partners: arpherd_core::view::PartnersView {
            dhcp_servers: vec![arpherd_core::view::DhcpServerView {
                domain: "cluster".into(),
                server: Ipv4Addr::new(10, 2, 0, 2),
                state: "answers".into(),
            }],
            roles: vec![arpherd_core::view::RoleView {
                domain: "cluster".into(),
                role: "standby".into(),
                decided_by: "follow".into(),
                netns: None,
            }],
        },
    };
    let expected = "\
version  0.1.0
protocol 1
uptime   2d
domains  1
hosts    2
routes   2
ready    yes
rights   CAP_NET_ADMIN CAP_NET_RAW
files    enforced
packets  4 held, 3 forwarded, 1 refused, 0 dropped
dhcp     cluster: server 10.2.0.2 answers
role     cluster: standby
missing  0 routes refused, 2 in conflict with others
event    duplicate_address 3
";
    assert_eq!(as_text(&Response::Status(status)), expected);
}

#[test]
fn row_is_one_harmless_line_whatever_its_names() {
    let mut long = host(9, "a\nb\x1b[2J", &"x".repeat(300), 1);
    long.lladdr = LinkAddr::try_new(&[0xfe; 20]).expect("20 octets");
    let text = as_text(&Response::Hosts(vec![long]));
    assert_eq!(text.lines().count(), 2, "{text}");
    assert!(text.contains("a\\nb\\u{1b}[2J") && text.contains(&"x".repeat(300)), "{text}");
    assert!(text.contains(&["fe"; 20].join(":")), "{text}");
}

#[test]
fn nothing_known_is_a_heading_or_an_empty_list() {
    let none = Response::Hosts(Vec::new());
    assert_eq!(as_text(&none).lines().count(), 1);
    let mut out = Vec::new();
    write_json(&mut out, &none).expect("memory does not fail");
    assert_eq!(out, b"[]\n");
}

#[test]
fn json_is_one_document_of_plain_objects() {
    let mut out = Vec::new();
    write_json(&mut out, &Response::Segments(vec![segment("eth0")])).expect("memory does not fail");
    let document: serde_json::Value = serde_json::from_slice(&out).expect("one document");
    assert_eq!(document[0]["malformed"], 1);
    assert_eq!(document[0]["lladdr"], "02:00:00:00:00:01");
}

#[test]
fn durations_are_shown_in_their_largest_unit() {
    assert_eq!(
        [0, 59, 60, 3599, 3600, 86_399, 86_400].map(span),
        ["0s", "59s", "1m", "59m", "1h", "23h", "1d"]
    );
}

#[test]
fn a_prefix_without_an_address_of_ours_is_marked() {
    let mut row = testing::segment("eth0", "eth0", 1);
    row.subnet.unaddressed.clone_from(&row.subnet.prefixes);
    let text = as_text(&Response::Segments(vec![row]));
    assert!(text.contains("10.2.0.0/24 (no address)"), "{text}");
}
