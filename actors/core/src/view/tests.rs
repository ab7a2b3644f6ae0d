use super::*;

fn assert_round_trip<T>(value: &T, text: &str)
where
    T: Serialize + serde::de::DeserializeOwned + PartialEq + fmt::Debug,
{
    assert_eq!(serde_json::to_string(value).expect("plain data"), text);
    assert_eq!(&serde_json::from_str::<T>(text).expect("own text"), value);
}

#[test]
fn field_names_and_their_order_are_stable() {
    assert_round_trip(
        &StatusView {
            version: "0.1.0".into(),
            protocol: 1,
            uptime_seconds: 9,
            domains: 1,
            hosts: 2,
            routes: 2,
            ready: true,
            events: [("host_found".into(), 2)].into(),
            packets: PacketsView::default(),
            start_time_seconds: 7,
            missing: crate::view::MissingRoutesView {
                routes_refused: 1,
                remote_hosts: 0,
                routes_in_conflict: 0,
            },
            partners: PartnersView::default(),
            control: ControlView::default(),
            confinement: None,
        },
        concat!(
            r#"{"version":"0.1.0","protocol":1,"uptime_seconds":9,"domains":1,"hosts":2,"routes":2,"ready":true,"#,
            r#""events":{"host_found":2},"packets":{"held":0,"forwarded":0,"refused":0,"dropped":0},"#,
            r#""start_time_seconds":7,"routes_refused":1,"remote_hosts":0,"routes_in_conflict":0,"#,
            r#""control":{"clients":0,"connections":0,"refused":0,"failed":0},"confinement":null,"dhcp_servers":[],"roles":[]}"#,
        ),
    );
    assert_round_trip(
        &SegmentView {
            domain: "cluster".into(),
            segment: "lan".into(),
            interface: "eth0".into(),
            configured_interface: "uplink-port-of-the-rack".into(),
            kind: "ethernet".into(),
            wifi: None,
            state: "no_carrier".into(),
            lladdr: LinkAddr::ethernet([2, 0, 0, 0, 0, 1]),
            answering: AnsweringView { answer: "live".into(), private_vlan: "off".into() },
            subnet: SubnetView {
                prefixes: vec!["10.2.0.0/24".parse().expect("a prefix")],
                unaddressed: Vec::new(),
                gateway_lladdr: None,
                source: Some(Address::new(10, 2, 0, 1)),
                publish: vec!["10.2.0.64/28".parse().expect("a prefix")],
            },
            hosts: 2,
            counters: CountersView {
                read: 5,
                answered: 4,
                answered_in_kernel: 3,
                probed: 3,
                traces: 7,
                dropped: 2,
                malformed: 1,
                mismatched: 6,
            },
            netns: None,
            measured: MeasuredView {
                suspects: 1,
                verify_waiting: 3,
                verify_late_seconds: 40,
                latency: None,
                dhcp: None,
                fast_answers: Some("tcx".into()),
            },
        },
        concat!(
            r#"{"domain":"cluster","segment":"lan","interface":"eth0","#,
            r#""configured_interface":"uplink-port-of-the-rack","kind":"ethernet","wifi":null,"#,
            r#""state":"no_carrier","lladdr":"02:00:00:00:00:01","answer":"live","#,
            r#""private_vlan":"off","prefixes":["10.2.0.0/24"],"unaddressed":[],"source":"10.2.0.1","publish":["10.2.0.64/28"],"hosts":2,"#,
            r#""read":5,"answered":4,"answered_in_kernel":3,"probed":3,"traces":7,"dropped":2,"malformed":1,"mismatched":6,"netns":null,"suspects":1,"verify_waiting":3,"verify_late_seconds":40,"fast_answers":"tcx"}"#,
        ),
    );
    assert_round_trip(
        &HostView {
            address: Address::new(10, 2, 0, 9),
            lladdr: LinkAddr::UNKNOWN,
            domain: "cluster".into(),
            segment: "lan".into(),
            interface: "eth0".into(),
            state: "alive".into(),
            learned_from: "request".into(),
            age_seconds: 12,
            lease_server: None,
            lease_expires_seconds: None,
            in_kernel_seconds: None,
            next_hop: None,
            netns: Some("blue".into()),
        },
        concat!(
            r#"{"address":"10.2.0.9","lladdr":"","domain":"cluster","segment":"lan","#,
            r#""interface":"eth0","state":"alive","learned_from":"request","age_seconds":12,"netns":"blue","#,
            r#""lease_server":null,"lease_expires_seconds":null,"next_hop":null,"in_kernel_seconds":null}"#,
        ),
    );
}

#[test]
fn a_covering_route_is_listed_by_its_prefix() {
    let host = RouteView {
        address: Destination::Host(Address::new(10, 2, 0, 9)),
        interface: Some("eth0".into()),
        source: Some(Address::new(10, 2, 0, 1)),
        metric: 50,
        table: 254,
        protocol: 169,
        state: "installed".into(),
        netns: None,
    };
    assert_round_trip(
        &host,
        concat!(
            r#"{"address":"10.2.0.9","interface":"eth0","source":"10.2.0.1","metric":50,"table":254,"#,
            r#""protocol":169,"state":"installed","netns":null}"#,
        ),
    );
    let prefix = "10.2.0.0/24".parse().expect("a prefix");
    let cover = RouteView {
        address: Destination::Prefix(prefix),
        interface: None,
        source: None,
        state: "cover".into(),
        ..host
    };
    assert_round_trip(
        &cover,
        concat!(
            r#"{"address":"10.2.0.0/24","interface":null,"source":null,"metric":50,"table":254,"#,
            r#""protocol":169,"state":"cover","netns":null}"#,
        ),
    );
}
