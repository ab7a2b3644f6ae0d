//! An interface has a second link-layer address: what is sent to it is received, forwarded and answered.

use std::net::Ipv4Addr;
use std::time::Duration;

use arpherd_actors::io::netlink::leftovers::clear_shared_lladdrs;
use arpherd_actors::io::netlink::{RouteWriter, shared_lladdr};
use arpherd_core::{LinkAddr, Write};
use arpherd_lab::{ArpFrame, Mac, RouteSpec, Wire, wait_until};

use crate::rig::{OWN, Rig, write};

const FAR: Mac = Mac([2, 0, 0, 0, 0, 7]);
const SHARED: Mac = Mac([2, 0, 0x5e, 0, 0, 1]);
const LIMIT: Duration = Duration::from_secs(5);
const A_WHILE: Duration = Duration::from_millis(200);
/// A host on `lan0`, and one behind the router's other link.
const NEAR: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 7);
const BEYOND: Ipv4Addr = Ipv4Addr::new(10, 8, 0, 7);

fn writer(rig: &Rig) -> RouteWriter {
    let mut writer = rig.writer();
    rig.router.run(|| writer.open_shared_lladdrs()).unwrap();
    writer
}

fn put(rig: &Rig) -> Write {
    let own = LinkAddr::ethernet(rig.router.mac("lan0").unwrap().0);
    Write::PutSharedLladdr { interface: rig.lan, lladdr: LinkAddr::ethernet(SHARED.0), own }
}

fn delete(rig: &Rig) -> Write {
    Write::DeleteSharedLladdr { interface: rig.lan, lladdr: LinkAddr::ethernet(SHARED.0) }
}

/// Whether an echo to the router comes back when it is sent to the link-layer address.
fn reaches(rig: &Rig, target: Ipv4Addr, lladdr: Mac) -> bool {
    rig.far.add_neighbour("far0", target, lladdr).unwrap();
    rig.far.ping(target, 2, A_WHILE / 4, A_WHILE).received == 2
}

#[harness::test]
fn what_is_sent_to_the_second_address_is_received_and_forwarded_until_it_is_deleted() {
    let rig = Rig::new();
    let beyond = arpherd_lab::Netns::new("beyond").unwrap();
    rig.router.veth("lan1", &beyond, "far1").unwrap();
    rig.router.address("lan1", "10.8.0.1/24").unwrap();
    rig.router.up("lan1").unwrap();
    beyond.address("far1", "10.8.0.7/24").unwrap();
    beyond.up("far1").unwrap();
    beyond.add_route(&RouteSpec::to("10.9.0.0/24").unwrap().via(Ipv4Addr::new(10, 8, 0, 1))).unwrap();
    rig.far.address("far0", "10.9.0.7/24").unwrap();
    rig.far.add_route(&RouteSpec::to("10.8.0.0/24").unwrap().dev("far0")).unwrap();
    rig.router.set_sysctl("ipv4/ip_forward", "1").unwrap();
    for key in ["all", "lan0"] {
        rig.router.set_sysctl(&format!("ipv4/conf/{key}/rp_filter"), "1").unwrap();
    }
    wait_until(LIMIT, "the link carries frames", || rig.router.link_info("lan0").unwrap().ready);
    let own = rig.router.mac("lan0").unwrap();
    assert!(reaches(&rig, OWN, own) && reaches(&rig, BEYOND, own));
    assert!(!reaches(&rig, OWN, SHARED) && !reaches(&rig, BEYOND, SHARED));
    let mut writer = writer(&rig);
    for _again in 0..2 {
        assert_eq!(write(&mut writer, &[put(&rig)]), []);
        assert!(reaches(&rig, OWN, SHARED) && reaches(&rig, BEYOND, SHARED));
        assert!(reaches(&rig, OWN, own) && reaches(&rig, BEYOND, own), "the interface's own as before");
    }
    let there = || rig.router.run(shared_lladdr::list).unwrap();
    assert_eq!(there(), [(rig.lan, LinkAddr::ethernet(SHARED.0))]);
    for _again in 0..2 {
        assert_eq!(write(&mut writer, &[delete(&rig)]), []);
        assert!(!reaches(&rig, OWN, SHARED) && !reaches(&rig, BEYOND, SHARED));
    }
    assert_eq!(there(), []);
    assert_eq!(rig.router.link_info("lan0").unwrap().promiscuity, 0);
}

#[harness::test]
fn the_kernels_own_answers_bear_it() {
    let rig = Rig::new();
    let wire = Wire::open(&rig.far, "far0").unwrap();
    wait_until(LIMIT, "the link carries frames", || rig.router.link_info("lan0").unwrap().ready);
    let mut writer = writer(&rig);
    let own = rig.router.mac("lan0").unwrap();
    let asked = |frame: ArpFrame| wire.ask(&frame, A_WHILE).iter().map(|arp| arp.sha).collect::<Vec<_>>();
    let question = ArpFrame::request(FAR, NEAR, OWN);
    assert_eq!(asked(question), [own]);
    assert_eq!(write(&mut writer, &[put(&rig)]), []);
    assert_eq!(asked(question), [SHARED]);
    assert_eq!(asked(ArpFrame { dst: SHARED, ..question }), [SHARED], "as a host verifies its entry");
    assert_eq!(write(&mut writer, &[delete(&rig)]), []);
    assert_eq!(asked(question), [own]);
}

#[harness::test]
fn an_interface_that_is_not_there_is_refused_and_nothing_of_it_stays() {
    let rig = Rig::new();
    let mut writer = writer(&rig);
    let lladdr = LinkAddr::ethernet(SHARED.0);
    let nowhere = Write::PutSharedLladdr { interface: 4711, lladdr, own: lladdr };
    assert_eq!(write(&mut writer, &[nowhere])[0].errno, libc::ENODEV);
    assert_eq!(write(&mut writer, &[Write::DeleteSharedLladdr { interface: 4711, lladdr }]), []);
    assert_eq!(rig.router.run(shared_lladdr::list).unwrap(), []);
}

#[harness::test]
fn leftovers_on_our_interfaces_are_cleared_but_those_that_are_wanted() {
    let rig = Rig::new();
    let mut writer = writer(&rig);
    let lladdr = LinkAddr::ethernet(SHARED.0);
    let mut cleared = |interfaces: &[_]| {
        assert_eq!(write(&mut writer, &[put(&rig)]), []);
        rig.router.run(|| clear_shared_lladdrs(&mut writer, interfaces)).unwrap()
    };
    assert_eq!(cleared(&[("lan0", Some(lladdr))]), 0);
    assert_eq!(cleared(&[("lan7", None)]), 0, "another daemon's");
    assert_eq!(cleared(&[("lan0", None)]), 1);
    assert_eq!(rig.router.run(shared_lladdr::list).unwrap(), []);
}
