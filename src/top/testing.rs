//! Rows for the tests of `arpherd top`.

use std::net::Ipv4Addr;

use arpherd_core::LinkAddr;
use arpherd_core::view::{CountersView, HostView, SegmentView, StatusView, SubnetView};

use crate::control::testing;
use crate::events::EventView;

pub(super) fn status(uptime_seconds: u64, hosts: u64) -> StatusView {
    StatusView { routes: hosts, ..testing::status(uptime_seconds, hosts) }
}

pub(super) fn segment(name: &str, interface: &str) -> SegmentView {
    let row = testing::segment(name, interface, 2);
    SegmentView { subnet: SubnetView::default(), counters: CountersView::default(), ..row }
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
        lease_server: None,
        lease_expires_seconds: None,
        in_kernel_seconds: None,
        next_hop: None,
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
