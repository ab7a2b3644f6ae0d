//! What a diagnosis reads: everybody's routes and rules, packet filters, rights.

use std::os::unix::net::UnixListener;

use arpherd_actors::io::lock::{Lock, served};
use arpherd_actors::io::netlink::{PolicyRule, Reader};
use arpherd_actors::io::packet_filter::{AcceptRule, ChainPolicy, Hook, NamePattern, policies};
use arpherd_actors::io::process::{Capability, Rights, listener};
use arpherd_lab::{Netns, RouteSpec};

use crate::rig::Rig;

#[harness::test]
fn routes_of_all_tables_and_makers_are_read() {
    let rig = Rig::new();
    rig.router.add_route(&RouteSpec::to("10.30.0.0/16").unwrap().dev("lan0").table(300).metric(7)).unwrap();
    rig.router.add_route(&RouteSpec::to("default").unwrap().via([10, 9, 0, 9].into())).unwrap();
    let routes = rig.router.run(|| Reader::open()?.routes()).unwrap();
    let of = |text: &str| routes.iter().find(|route| route.destination.to_string() == text).unwrap();
    let connected = of("10.9.0.0/24");
    assert_eq!(
        (connected.protocol, connected.table, connected.interfaces.as_slice()),
        (2, 254, &[rig.lan][..])
    );
    assert!(connected.is_unicast() && connected.gateway.is_none());
    let other = of("10.30.0.0/16");
    assert_eq!((other.protocol, other.table, other.metric), (3, 300, 7));
    assert_eq!(of("0.0.0.0/0").gateway, Some([10, 9, 0, 9].into()));
    assert!(routes.iter().any(|route| route.table == 255 && !route.is_unicast()), "own addresses");
}

#[harness::test]
fn rules_are_read_with_their_tables() {
    let ns = Netns::new("ruled").unwrap();
    ns.rule_for_all(77, 300).unwrap();
    let rules = ns.run(|| Reader::open()?.rules()).unwrap();
    let rule = |priority, table| PolicyRule { priority, table: Some(table), of_vrf: false, for_all: true };
    assert_eq!(rules, [rule(0, 255), rule(77, 300), rule(32766, 254), rule(32767, 253)]);
}

#[harness::test]
fn chains_that_drop_are_told_from_others() {
    let ns = Netns::new("filtered").unwrap();
    let read = || ns.run(|| policies(Hook::Forward)).nf_tables.unwrap();
    assert_eq!(read(), []);
    ns.drop_forwarded().unwrap();
    let mut expected =
        ChainPolicy { chain: "ip filter FORWARD".into(), drops: true, rules: 0, accepts: Vec::new() };
    assert_eq!(read(), [expected.clone()]);
    ns.accept_forwarded("eth0", "wlan0").unwrap();
    let name = |name: &str| Some(NamePattern::Exact(name.into()));
    expected.accepts = vec![AcceptRule { input: name("eth0"), output: name("wlan0") }];
    expected.rules = 1;
    assert_eq!(read(), [expected]);
}

#[harness::test]
fn the_older_filter_is_read_only_if_it_is_in_use() {
    let ns = Netns::new("filtered").unwrap();
    let policy = || ns.run(|| policies(Hook::Forward)).ip_tables.unwrap();
    assert_eq!(policy(), None);
    assert_eq!(policy(), None, "reading did not put it in use");
    ns.drop_forwarded_by_iptables().unwrap();
    let expected = ChainPolicy { chain: "FORWARD".into(), drops: true, rules: 0, accepts: Vec::new() };
    assert_eq!(policy(), Some(expected));
}

#[harness::test]
fn locks_of_this_namespace_are_listed() {
    let (here, there) = (Netns::new("here").unwrap(), Netns::new("there").unwrap());
    let _lock = here.run(|| Lock::take(169, "lan0")).unwrap();
    let _other = here.run(|| Lock::take(170, "lan0.7")).unwrap();
    let mut locks = here.run(served).unwrap();
    locks.sort_unstable();
    assert_eq!(locks, [(169, "lan0".to_owned()), (170, "lan0.7".to_owned())]);
    assert_eq!(there.run(served).unwrap(), []);
}

#[harness::test]
fn a_listener_is_known_by_its_socket() {
    let path = std::env::temp_dir().join(format!("arpherd-listener-{}", std::process::id()));
    assert!(listener(&path).is_err(), "nobody listens");
    let _listener = UnixListener::bind(&path).unwrap();
    let pid = listener(&path).unwrap().unwrap();
    assert_eq!(pid, std::process::id());
    std::fs::remove_file(&path).unwrap();
    assert!(Rights::of(pid).unwrap().has(Capability::NetAdmin), "the lab is root in its namespace");
}
