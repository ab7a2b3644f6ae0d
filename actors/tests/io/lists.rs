//! What the kernel has is read in full, and what belongs to a namespace stays there.

use arpherd_actors::io::lock::Lock;
use arpherd_actors::io::netlink::Reader;
use arpherd_core::plan::LinkKind;
use arpherd_lab::{Netns, RouteSpec};

use crate::rig::{MARK, OWN, Rig, host, write};

#[harness::test]
fn links_are_read_with_their_kind() {
    let rig = Rig::new();
    rig.router.bridge("br0").unwrap();
    rig.router.enslave("lan0", "br0").unwrap();
    let links = rig.router.run(|| Reader::open()?.links()).unwrap();
    let names: Vec<_> = links.iter().map(|link| link.name.as_str()).collect();
    assert_eq!(names, ["lo", "lan0", "br0"]);
    assert_eq!(links[0].kind(), None, "nobody answers ARP on the loopback");
    let (lan, bridge) = (&links[1], &links[2]);
    assert_eq!((lan.kind(), lan.index, lan.mtu), (Some(LinkKind::Ethernet), rig.lan, 1500));
    assert!(lan.up && lan.carrier && lan.lladdr.is_station() && lan.broadcast.octets() == [0xff; 6]);
    assert_eq!((lan.created_as.as_deref(), lan.port_of.as_deref()), (Some("veth"), Some("bridge")));
    assert_eq!((lan.master, bridge.created_as.as_deref()), (Some(bridge.index), Some("bridge")));
    assert!(!bridge.up);
}

#[harness::test]
fn addresses_are_read_in_their_order() {
    let rig = Rig::new();
    rig.router.address("lan0", "10.9.1.1/30").unwrap();
    // The prefix is the peer's network; our own address is in none.
    rig.router.address_with_peer("lan0", [10, 9, 2, 1].into(), "10.9.3.2/24").unwrap();
    let all = rig.router.run(|| Reader::open()?.addresses()).unwrap();
    let on_lan = all.iter().filter(|info| info.interface == rig.lan).map(|info| info.network.to_string());
    assert_eq!(on_lan.collect::<Vec<_>>(), ["10.9.0.1/24", "10.9.1.1/30", "10.9.2.1/32"]);
}

#[harness::test]
fn host_routes_of_one_table_are_read() {
    let rig = Rig::new();
    let puts: Vec<_> = (0..5_000).map(|number| rig.put(host(number))).collect();
    assert_eq!(write(&mut rig.writer(), &puts), []);
    let others = RouteSpec::to("10.30.0.1").unwrap().dev("lan0");
    rig.router.add_route(&others).unwrap();
    rig.router.add_route(&others.clone().table(100)).unwrap();
    let routes = rig.router.run(|| Reader::open()?.host_routes(MARK.table)).unwrap();
    let (ours, foreign): (Vec<_>, Vec<_>) = routes.into_iter().partition(|route| route.protocol == 169);
    assert_eq!((ours.len(), foreign.len()), (5_000, 1));
    assert!(ours.iter().all(|route| {
        route.metric == 50
            && route.interface == rig.lan
            && route.source == Some(OWN)
            && route.segment.is_none()
    }));
    assert_eq!((foreign[0].address.to_string().as_str(), foreign[0].metric), ("10.30.0.1", 0));
}

#[harness::test]
fn a_table_that_does_not_exist_has_no_routes() {
    let rig = Rig::new();
    assert_eq!(rig.router.run(|| Reader::open()?.host_routes(4_711)).unwrap(), []);
}

#[harness::test]
fn a_lock_belongs_to_its_namespace() {
    let (here, there) = (Netns::new("here").unwrap(), Netns::new("there").unwrap());
    let lock = here.run(|| Lock::take(169, "lan0")).unwrap();
    assert!(here.run(|| Lock::take(169, "lan0")).is_err());
    assert!(there.run(|| Lock::take(169, "lan0")).is_ok());
    drop(lock);
    assert!(here.run(|| Lock::take(169, "lan0")).is_ok());
}
