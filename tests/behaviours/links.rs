//! Links that come, go and change while the daemon runs. Only their segment is touched, and traffic is
//! back by itself.

use std::time::Duration;

use arpherd_lab::{ArpFrame, Capture, Mac, Netns, PortFlags, Result, RouteWatch, wait_until};
use serde_json::json;

use crate::rig::{A_WHILE, PROTOCOL, ROUTER, SOON, counter, events, ip, routed_by, segment_row, wait_event};
use crate::trio::{RECOVERY, Trio};

const SECOND: Duration = Duration::from_secs(1);
const NEW_MAC: Mac = Mac([2, 0, 0, 0, 0x77, 0x77]);

#[harness::test]
fn an_interface_that_is_absent_at_the_start_is_used_once_it_is_there() -> Result<()> {
    let trio = Trio::without_eth2()?;
    let daemon = Trio::config().start(&trio.rig.r)?;
    trio.introduce_all_but_c()?;
    assert_eq!(segment_row(&daemon, "eth2")["state"], "absent");
    let calm = trio.calm()?;
    trio.c_is_cut_off();
    trio.plug(&format!("{ROUTER}/32"))?;
    trio.recovers();
    calm.held();
    assert_eq!(segment_row(&daemon, "eth2")["state"], "up");
    Ok(())
}

#[harness::test]
fn an_interface_renamed_away_is_gone_and_renamed_back_is_used_again() -> Result<()> {
    let trio = Trio::new()?;
    let daemon = trio.start(&Trio::config())?;
    let calm = trio.calm()?;
    rename(&trio.rig.r, "eth2", "away")?;
    wait_event(&daemon, "segment_down", |event| event["segment"] == "eth2");
    trio.c_is_cut_off();
    assert_eq!(routed_by(&trio.rig.r, trio.c.ip()), None, "no route is left on an interface of another name");
    calm.holds();
    rename(&trio.rig.r, "away", "eth2")?;
    trio.recovers();
    calm.held();
    Ok(())
}

/// Before Linux 6.2 only an interface that is down can be renamed.
fn rename(ns: &Netns, from: &str, to: &str) -> Result<()> {
    if ns.rename(from, to).is_ok() {
        return Ok(());
    }
    ns.down(from)?;
    ns.rename(from, to)?;
    ns.up(to)
}

#[harness::test]
fn an_interface_made_anew_is_used_with_its_new_number_and_address() -> Result<()> {
    let trio = Trio::new()?;
    let daemon = trio.start(&Trio::config())?;
    let calm = trio.calm()?;
    let (index, mac) = (trio.rig.r.index("eth2")?, trio.rig.mac("eth2"));
    trio.rig.r.delete("eth2")?;
    wait_event(&daemon, "segment_down", |event| event["reason"] == "absent" && event["segment"] == "eth2");
    trio.c_is_cut_off();
    calm.holds();
    trio.plug(&format!("{ROUTER}/32"))?;
    assert!(trio.rig.r.index("eth2")? != index && trio.rig.mac("eth2") != mac, "it is another interface");
    trio.recovers();
    calm.held();
    let answers = trio.c.wire()?.ask(&trio.c.request(trio.a.ip()), SECOND / 5);
    assert_eq!(answers.iter().map(|answer| answer.sha).collect::<Vec<_>>(), [trio.rig.mac("eth2")]);
    Ok(())
}

#[harness::test]
fn an_interface_set_down_and_up_is_used_again() -> Result<()> {
    let trio = Trio::new()?;
    let daemon = trio.start(&Trio::config())?;
    let calm = trio.calm()?;
    for round in 1..=2 {
        trio.rig.r.down("eth2")?;
        let is_down = |event: &serde_json::Value| event["segment"] == "eth2";
        wait_event(&daemon, "segment_down", is_down);
        trio.c_is_cut_off();
        let answers = trio.a.wire()?.ask(&trio.a.request(trio.c.ip()), A_WHILE / 3);
        assert_eq!(answers, [], "nobody is answered for who is not reached, round {round}");
        calm.holds();
        trio.rig.r.up("eth2")?;
        trio.rig.r.wait_ready("eth2")?;
        trio.recovers();
    }
    calm.held();
    Ok(())
}

/// So quick that the daemon finds both changes done when it is notified of the first.
#[harness::test]
fn an_interface_that_was_away_for_less_than_a_moment_is_used_again() -> Result<()> {
    let trio = Trio::new()?;
    let daemon = trio.start(&Trio::config())?;
    let calm = trio.calm()?;
    for _ in 0..2 {
        trio.rig.r.down("eth2")?;
        trio.rig.r.up("eth2")?;
        trio.rig.r.wait_ready("eth2")?;
        trio.recovers();
    }
    let ups = || events(&daemon, "segment_up").len();
    for _ in 0..2 {
        let before = ups();
        rename(&trio.rig.r, "eth2", "away")?;
        rename(&trio.rig.r, "away", "eth2")?;
        // The kernel keeps the routes of an interface that is renamed, so traffic does not show it.
        wait_until(SOON, "the daemon has seen both", || ups() > before);
        trio.recovers();
    }
    for _ in 0..2 {
        trio.rig.r.delete("eth2")?;
        trio.plug(&format!("{ROUTER}/32"))?;
        trio.recovers();
    }
    calm.held();
    Ok(())
}

#[harness::test]
fn a_carrier_lost_for_a_moment_costs_no_route() -> Result<()> {
    let trio = Trio::without_eth2()?;
    let port = trio.plug(&format!("{ROUTER}/32"))?;
    let daemon = trio.start(&Trio::config())?;
    let calm = trio.calm()?;
    let routes = RouteWatch::start(&trio.rig.r)?;
    trio.third.ns.down(&port)?;
    wait_event(&daemon, "segment_down", |event| event["reason"] == "no_carrier");
    calm.holds();
    assert_eq!(routed_by(&trio.rig.r, trio.c.ip()).as_deref(), Some("eth2"));
    trio.third.ns.up(&port)?;
    trio.rig.r.wait_ready("eth2")?;
    trio.recovers();
    calm.held();
    let lost = routes.events().into_iter().filter(|event| !event.is_new && event.route.protocol == PROTOCOL);
    assert_eq!(lost.collect::<Vec<_>>(), []);
    Ok(())
}

#[harness::test]
fn a_carrier_lost_for_long_costs_the_routes_until_it_is_back() -> Result<()> {
    let trio = Trio::without_eth2()?;
    let port = trio.plug(&format!("{ROUTER}/32"))?;
    let quick = ("expiry", crate::rig::QUICK_EXPIRY);
    let _daemon = trio.start(&Trio::config_with(&[quick]))?;
    let calm = trio.calm()?;
    trio.third.ns.down(&port)?;
    let gone = || routed_by(&trio.rig.r, trio.c.ip()).is_none();
    wait_until(SOON, "the route is withdrawn", gone);
    trio.c_is_cut_off();
    calm.holds();
    trio.third.ns.up(&port)?;
    trio.rig.r.wait_ready("eth2")?;
    trio.recovers();
    calm.held();
    Ok(())
}

/// As one with spanning tree. Those who talk have each other in their caches, so nobody asks.
#[harness::test]
fn a_switch_that_lets_nothing_through_at_first_is_waited_for() -> Result<()> {
    let trio = Trio::without_eth2()?;
    let port = trio.plug(&format!("{ROUTER}/32"))?;
    let (_, hosts_port) = trio.c.place().expect("C is attached");
    let quick = ("expiry", crate::rig::QUICK_EXPIRY);
    let daemon = trio.start(&Trio::config_with(&[quick]))?;
    trio.rig.r.down("eth2")?;
    let through = |open: bool| -> Result<()> {
        let flags = PortFlags { isolated: !open, ..PortFlags::default() };
        [port.as_str(), hosts_port].iter().try_for_each(|port| trio.third.port_flags(port, flags))
    };
    through(false)?;
    trio.rig.r.up("eth2")?;
    trio.rig.r.wait_ready("eth2")?;
    let probed = || counter(&daemon, "eth2", "probed");
    let before = probed();
    // More than the five requests in which a host has to show itself.
    wait_until(SOON, "C is asked for in vain", || probed() >= before + 6);
    through(true)?;
    trio.recovers();
    Ok(())
}

#[harness::test]
fn a_new_link_layer_address_of_ours_is_announced_and_used() -> Result<()> {
    is_announced_and_used(|r| r.set_mac("eth2", NEW_MAC))
}

/// Some drivers take another address only while the interface is down.
#[harness::test]
fn a_new_link_layer_address_given_while_down_is_announced_and_used() -> Result<()> {
    is_announced_and_used(|r| {
        r.down("eth2")?;
        r.set_mac("eth2", NEW_MAC)?;
        r.up("eth2")?;
        r.wait_ready("eth2")
    })
}

fn is_announced_and_used(change: impl Fn(&Netns) -> Result<()>) -> Result<()> {
    let trio = Trio::new()?;
    let daemon = trio.start(&Trio::config())?;
    let calm = trio.calm()?;
    let capture = Capture::start(&trio.c.ns, &trio.c.ifname)?;
    change(&trio.rig.r)?;
    for host in [&trio.a, &trio.b] {
        let announced = ArpFrame::gratuitous(NEW_MAC, host.ip());
        let heard = capture.wait_for(|frame| frame.arp() == Some(announced), RECOVERY);
        assert!(heard.is_some(), "{} is announced: {:#?}", host.ip(), capture.arps());
    }
    trio.recovers();
    let answers = trio.c.wire()?.ask(&trio.c.request(trio.a.ip()), SECOND / 5);
    assert_eq!(answers.iter().map(|answer| answer.sha).collect::<Vec<_>>(), [NEW_MAC]);
    assert_eq!(segment_row(&daemon, "eth2")["lladdr"], json!(NEW_MAC.to_string()));
    calm.held();
    Ok(())
}

/// Frames of ours from before a change may be under way for a while.
#[harness::test]
fn a_former_link_layer_address_of_ours_is_nobodys() -> Result<()> {
    let trio = Trio::new()?;
    let daemon = trio.start(&Trio::config())?;
    let old = trio.rig.mac("eth2");
    trio.rig.r.set_mac("eth2", NEW_MAC)?;
    let is_told = || segment_row(&daemon, "eth2")["lladdr"] == NEW_MAC.to_string();
    wait_until(SOON, "the daemon knows its new address", is_told);
    let routes = RouteWatch::start(&trio.rig.r)?;
    let wire = trio.c.wire()?;
    for mac in [old, NEW_MAC] {
        wire.send(&ArpFrame::gratuitous(mac, ip(77)))?;
        wire.send(&ArpFrame::gratuitous(mac, trio.a.ip()))?;
        wire.send(&ArpFrame::request(mac, trio.a.ip(), trio.c.ip()))?;
        wire.send(&ArpFrame::reply(mac, trio.b.ip(), trio.c.mac(), trio.c.ip()))?;
    }
    // What is said after that is dealt with after that.
    wire.send(&ArpFrame::gratuitous(Mac([2, 0, 0, 0, 0, 88]), ip(88)))?;
    assert!(routes.wait_for(|event| event.route.dst.ip() == ip(88), SOON).is_some());
    let learned = routes.events().into_iter().filter(|event| event.route.protocol == PROTOCOL);
    assert_eq!(learned.map(|event| event.route.dst.ip()).collect::<Vec<_>>(), [ip(88)]);
    Ok(())
}
