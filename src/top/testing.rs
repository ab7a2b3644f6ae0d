//! Rows for the tests of `arpherd top`.

use std::net::Ipv4Addr;

use arpherd_core::LinkAddr;
use arpherd_core::view::{
    AnsweringView, CountersView, HostView, MeasuredView, PacketsView, SegmentView, StatusView, SubnetView,
};

use crate::events::EventView;

pub(super) fn status(uptime_seconds: u64, hosts: u64) -> StatusView {
    StatusView {
        version: "0.1.0".into(),
        protocol: 1,
        uptime_seconds,
        domains: 1,
        hosts,
        routes: hosts,
        ready: true,
        events: [].into(),
        packets: PacketsView::default(),
        control: arpherd_core::view::ControlView::default(),
        start_time_seconds: 0,
        routes_refused: 0,
        routes_in_conflict: 0,
    }
}

pub(super) fn segment(name: &str, interface: &str) -> SegmentView {
    SegmentView {
        domain: "cluster".into(),
        segment: name.into(),
        interface: interface.into(),
        configured_interface: interface.into(),
        kind: "ethernet".into(),
        wifi: None,
        state: "up".into(),
        lladdr: LinkAddr::ethernet([2, 0, 0, 0, 0, 1]),
        answering: AnsweringView { answer: "live".into(), private_vlan: "off".into() },
        subnet: SubnetView::default(),
        hosts: 2,
        measured: MeasuredView::default(),
        counters: CountersView::default(),
        netns: None,
    }
}

pub(super) fn host(number: u32) -> HostView {
    let [.., three, four] = number.to_be_bytes();
    HostView {
        address: Ipv4Addr::from(0x0a02_0000 + number),
        lladdr: LinkAddr::ethernet([2, 0, 0, 0, three, four]),
        domain: "cluster".into(),
        segment: if number.is_multiple_of(2) { "lan" } else { "fabric" }.into(),
        interface: if number.is_multiple_of(2) { "eth0" } else { "ibs1" }.into(),
        state: "alive".into(),
        learned_from: "request".into(),
        age_seconds: u64::from(number) * 7 % 100,
        netns: None,
    }
}

pub(super) fn event(sequence: u64, name: &'static str, level: &'static str) -> EventView {
    let values = [("address", format!("10.2.0.{sequence}")), ("segment", "lan".into())];
    EventView {
        sequence,
        time: format!("2026-01-31T08:00:{sequence:02}.25Z"),
        level: level.into(),
        event: name.into(),
        netns: None,
        values: values.map(|(key, value)| (key.to_owned(), value)).into(),
    }
}
