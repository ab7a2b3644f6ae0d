//! The kernel answers for single addresses as it is told, and what a crashed run left is found.

use std::net::Ipv4Addr;
use std::time::Duration;

use arpherd_actors::io::Write;
use arpherd_actors::io::netlink::leftovers::clear_proxies;
use arpherd_actors::io::netlink::{ProxyInfo, Reader};
use arpherd_lab::{ArpFrame, Mac, RouteSpec, Wire, wait_until};

use crate::rig::{HOST, MARK, OWN, Rig, host, write};

const FAR: Mac = Mac([2, 0, 0, 0, 0, 7]);
const LIMIT: Duration = Duration::from_secs(5);
const A_WHILE: Duration = Duration::from_millis(200);
/// Lives behind the router's other link.
const BEYOND: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 20);

fn put(rig: &Rig, address: Ipv4Addr) -> Write {
    Write::PutProxy { interface: rig.lan, address }
}

fn delete(rig: &Rig, address: Ipv4Addr) -> Write {
    Write::DeleteProxy { interface: rig.lan, address }
}

fn proxies(rig: &Rig) -> Vec<ProxyInfo> {
    rig.router.run(|| Reader::open()?.proxies()).unwrap()
}

#[harness::test]
fn an_entry_has_the_kernel_answer_until_it_is_deleted() {
    let rig = Rig::new();
    rig.router.dummy("lan1").unwrap();
    rig.router.up("lan1").unwrap();
    rig.router.add_route(&RouteSpec::to("10.9.0.20").unwrap().dev("lan1")).unwrap();
    rig.router.set_sysctl("ipv4/conf/lan0/forwarding", "1").unwrap();
    rig.router.set_sysctl("ipv4/neigh/lan0/proxy_delay", "0").unwrap();
    let wire = Wire::open(&rig.far, "far0").unwrap();
    wait_until(LIMIT, "the link carries frames", || rig.router.link_info("lan0").unwrap().ready);
    let mut writer = rig.writer();
    let asks = || wire.ask(&ArpFrame::request(FAR, HOST, BEYOND), A_WHILE).len();
    assert_eq!(asks(), 0);
    assert_eq!(write(&mut writer, &[put(&rig, BEYOND)]), []);
    assert_eq!(asks(), 1);
    assert_eq!(write(&mut writer, &[delete(&rig, BEYOND)]), []);
    assert_eq!(asks(), 0);
}

#[harness::test]
fn entries_are_written_and_deleted_any_number_of_times() {
    let rig = Rig::new();
    let mut writer = rig.writer();
    assert_eq!(write(&mut writer, &[put(&rig, HOST), put(&rig, HOST)]), []);
    assert_eq!(proxies(&rig), [ProxyInfo { interface: rig.lan, address: HOST, protocol: 169 }]);
    assert_eq!(rig.router.proxy_neighbours().len(), 1);
    assert_eq!(rig.router.neighbours(), [], "it is no neighbour");
    let gone = Write::DeleteProxy { interface: 4711, address: HOST };
    assert_eq!(write(&mut writer, &[delete(&rig, HOST), delete(&rig, HOST), gone]), []);
    assert_eq!(proxies(&rig), []);
    let nowhere = Write::PutProxy { interface: 4711, address: HOST };
    assert_eq!(write(&mut writer, &[nowhere])[0].errno, libc::ENODEV);
}

#[harness::test]
fn a_lost_carrier_leaves_entries_and_a_link_set_down_takes_them() {
    let rig = Rig::new();
    wait_until(LIMIT, "the link carries frames", || rig.router.link_info("lan0").unwrap().ready);
    assert_eq!(write(&mut rig.writer(), &[put(&rig, HOST)]), []);
    rig.far.down("far0").unwrap();
    wait_until(LIMIT, "the carrier is lost", || !rig.router.link_info("lan0").unwrap().ready);
    assert_eq!(proxies(&rig).len(), 1);
    rig.router.down("lan0").unwrap();
    assert_eq!(proxies(&rig), []);
}

#[harness::test]
fn leftovers_of_ours_on_our_interfaces_are_cleared_and_nothing_else() {
    let rig = Rig::new();
    rig.router.dummy("lan1").unwrap();
    rig.router.up("lan1").unwrap();
    let elsewhere = rig.router.index("lan1").unwrap();
    let mut writer = rig.writer();
    let ours: Vec<_> = (0..300).map(|number| put(&rig, host(number))).collect();
    assert_eq!(write(&mut writer, &ours), []);
    assert_eq!(write(&mut writer, &[Write::PutProxy { interface: elsewhere, address: HOST }]), []);
    rig.router.add_proxy_neighbour("lan0", OWN).unwrap();
    let cleared = rig.router.run(|| clear_proxies(&mut writer, &["lan0", "lan7"], MARK.protocol)).unwrap();
    assert_eq!(cleared, 300);
    let mut left = proxies(&rig);
    left.sort_by_key(|seen| seen.address);
    let administrators = ProxyInfo { interface: rig.lan, address: OWN, protocol: 0 };
    let another_daemons = ProxyInfo { interface: elsewhere, address: HOST, protocol: 169 };
    assert_eq!(left, [administrators, another_daemons]);
}
