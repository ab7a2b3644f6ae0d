use std::net::Ipv4Addr;

use arpherd_core::view::{AnsweringView, CountersView, MeasuredView, SubnetView};

use super::*;

fn segment(name: &str) -> SegmentView {
    SegmentView {
        domain: "lan".into(),
        segment: name.into(),
        interface: name.into(),
        configured_interface: name.into(),
        kind: "ethernet".into(),
        wifi: None,
        state: "up".into(),
        lladdr: LinkAddr::UNKNOWN,
        answering: AnsweringView { answer: "live".into(), private_vlan: "off".into() },
        subnet: SubnetView::default(),
        hosts: 0,
        measured: MeasuredView::default(),
        counters: CountersView::default(),
        netns: None,
    }
}

fn host(number: u32, segment: &str) -> HostView {
    HostView {
        address: Ipv4Addr::from(0x0a02_0000 + number),
        lladdr: LinkAddr::UNKNOWN,
        domain: "lan".into(),
        segment: segment.into(),
        interface: segment.into(),
        state: "alive".into(),
        learned_from: "request".into(),
        age_seconds: 1,
        lease_server: None,
        lease_expires_seconds: None,
        in_kernel_seconds: None,
        next_hop: None,
        netns: None,
    }
}

fn listed(hosts: u32) -> Vec<usize> {
    let hosts = (0..hosts).rev().map(|number| host(number, if number < 300 { "a" } else { "b" }));
    let states = with_hosts(vec![segment("a"), segment("b")], hosts.collect());
    for state in &states {
        assert!(state.listed.is_sorted_by_key(|host| host.address));
    }
    states.iter().map(|state| state.listed.len()).collect()
}

#[test]
fn few_hosts_are_all_listed_and_many_by_equal_shares() {
    assert_eq!(listed(0), [0, 0]);
    assert_eq!(listed(500), [300, 200]);
    assert_eq!(listed(4096), [256, 256]);
}
