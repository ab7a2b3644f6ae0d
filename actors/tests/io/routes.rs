//! Routes are written as asked, refusals come back with the kernel's words, and nothing else is touched.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use arpherd_actors::io::netlink::RouteWriter;
use arpherd_core::Write;

use arpherd_actors::io::Refusal;
use arpherd_core::LinkAddr;
use arpherd_core::fact::KernelRoute;
use arpherd_core::plan::{COVER_METRIC, RoutePlan};
use arpherd_lab::{Netns, Route, RouteKind, RouteSpec};

use crate::rig::{HOST, MARK, OWN, Rig, host, write};

fn routes_to(ns: &Netns, address: Ipv4Addr) -> Vec<Route> {
    ns.routes().into_iter().filter(|route| route.dst.ip() == address && route.dst.prefix() == 32).collect()
}

#[harness::test]
fn a_route_bears_every_mark_and_goes_again() {
    let rig = Rig::new();
    let mut writer = rig.writer();
    assert_eq!(write(&mut writer, &[rig.put(HOST)]), []);
    let expected = Route {
        dst: HOST.into(),
        kind: RouteKind::Unicast,
        table: 254,
        protocol: 169,
        scope: 253,
        metric: 50,
        dev: Some("lan0".to_owned()),
        source: Some(OWN),
        gateway: None,
    };
    assert_eq!(routes_to(&rig.router, HOST), [expected]);
    assert_eq!(write(&mut writer, &[rig.delete(HOST)]), []);
    assert_eq!(routes_to(&rig.router, HOST), []);
}

#[harness::test]
fn deleting_what_is_not_there_is_success() {
    let rig = Rig::new();
    let gone = Write::DeleteRoute { interface: 4711, address: HOST };
    let cover = Write::DeleteCover { prefix: "10.9.0.0/24".parse().unwrap() };
    assert_eq!(write(&mut rig.writer(), &[rig.delete(HOST), gone, cover]), []);
}

#[harness::test]
fn an_exclusive_put_does_not_take_anothers_place() {
    let rig = Rig::new();
    let foreign = RouteSpec::to("10.9.0.7").unwrap().dev("lan0").protocol(4).metric(50);
    rig.router.add_route(&foreign).unwrap();
    let refusals = write(&mut rig.writer(), &[rig.put(HOST)]);
    let expected = Refusal { write: rig.put(HOST), errno: libc::EEXIST, reason: "File exists".to_owned() };
    assert_eq!(refusals, [expected]);
    let routes = routes_to(&rig.router, HOST);
    assert_eq!(routes.iter().map(|route| route.protocol).collect::<Vec<_>>(), [4]);
}

#[harness::test]
fn a_replacing_put_takes_its_place() {
    let rig = Rig::new();
    rig.router.dummy("lan1").unwrap();
    rig.router.up("lan1").unwrap();
    let mut writer = rig.writer();
    assert_eq!(write(&mut writer, &[rig.put(HOST)]), []);
    let interface = rig.router.index("lan1").unwrap();
    let moved = Write::PutRoute { interface, address: HOST, source: None, replace: true };
    assert_eq!(write(&mut writer, &[moved, moved]), []);
    let routes = routes_to(&rig.router, HOST);
    assert_eq!(routes.len(), 1);
    assert_eq!((routes[0].dev.as_deref(), routes[0].source), (Some("lan1"), None));
}

#[harness::test]
fn only_exactly_our_route_is_deleted() {
    let rig = Rig::new();
    for (protocol, metric) in [(4, 10), (169, 20), (4, 50)] {
        let foreign = RouteSpec::to("10.9.0.7").unwrap().dev("lan0").protocol(protocol).metric(metric);
        rig.router.add_route(&foreign).unwrap();
    }
    let elsewhere = RouteSpec::to("10.9.0.7").unwrap().dev("lan0").protocol(169).metric(50).table(100);
    rig.router.add_route(&elsewhere).unwrap();
    assert_eq!(write(&mut rig.writer(), &[rig.delete(HOST)]), []);
    assert_eq!(routes_to(&rig.router, HOST).len(), 4);
}

#[harness::test]
fn a_refusal_brings_the_kernels_words() {
    let rig = Rig::new();
    let source = Some(Ipv4Addr::new(192, 0, 2, 1));
    let wrong = Write::PutRoute { interface: rig.lan, address: HOST, source, replace: true };
    let refusals = write(&mut rig.writer(), &[wrong]);
    assert_eq!(
        refusals,
        [Refusal { write: wrong, errno: libc::EINVAL, reason: "Invalid prefsrc address".to_owned() }]
    );
}

#[harness::test]
fn one_bad_write_spoils_no_other() {
    let rig = Rig::new();
    let mut writes: Vec<_> = (0..600).map(|number| rig.put(host(number))).collect();
    for number in [0, 255, 256, 300, 599] {
        writes[number] =
            Write::PutRoute { interface: 4711, address: host(1_000), source: None, replace: false };
    }
    let refusals = write(&mut rig.writer(), &writes);
    assert_eq!(refusals.len(), 5, "{refusals:?}");
    assert!(refusals.iter().all(|refusal| refusal.errno == libc::ENODEV && refusal.write == writes[0]));
    assert_eq!(rig.router.routes().iter().filter(|route| route.protocol == 169).count(), 595);
}

#[harness::test]
fn a_table_above_255_is_reached() {
    let rig = Rig::new();
    let mark = RoutePlan { table: 70_000, ..MARK };
    let mut writer = rig.router.run(|| RouteWriter::open(mark)).unwrap();
    assert_eq!(write(&mut writer, &[rig.put(HOST)]), []);
    assert_eq!(routes_to(&rig.router, HOST)[0].table, 70_000);
    assert_eq!(write(&mut writer, &[rig.delete(HOST)]), []);
    assert_eq!(routes_to(&rig.router, HOST), []);
}

#[harness::test]
fn a_cover_is_put_once_and_taken_away() {
    let rig = Rig::new();
    let mut writer = rig.writer();
    // An operator may write an address for a prefix; the kernel would refuse it.
    let prefix = "10.9.8.77/22".parse().unwrap();
    assert_eq!(write(&mut writer, &[Write::PutCover { prefix }, Write::PutCover { prefix }]), []);
    let covers: Vec<_> =
        rig.router.routes().into_iter().filter(|route| route.kind == RouteKind::Unreachable).collect();
    assert_eq!(covers.len(), 1);
    assert_eq!(covers[0].dst, "10.9.8.0/22".parse().unwrap());
    assert_eq!((covers[0].metric, covers[0].protocol, covers[0].table), (COVER_METRIC, 169, 254));
    assert_eq!(write(&mut writer, &[Write::DeleteCover { prefix }]), []);
    assert!(rig.router.routes().iter().all(|route| route.kind != RouteKind::Unreachable));
}

#[harness::test]
fn a_stray_is_deleted_by_its_own_marks() {
    let rig = Rig::new();
    for metric in [10, 77] {
        let stray = RouteSpec::to("10.9.0.7").unwrap().dev("lan0").protocol(169).metric(metric).scope(0);
        rig.router.add_route(&stray).unwrap();
    }
    let seen = KernelRoute {
        address: HOST,
        protocol: 169,
        metric: 77,
        interface: rig.lan,
        segment: None,
        source: None,
        lladdr: LinkAddr::UNKNOWN,
        next_hop: None,
        in_fabric_table: false,
    };
    assert_eq!(write(&mut rig.writer(), &[Write::DeleteStray(seen), Write::DeleteStray(seen)]), []);
    let routes = routes_to(&rig.router, HOST);
    assert_eq!(routes.iter().map(|route| route.metric).collect::<Vec<_>>(), [10]);
}

#[harness::test]
fn four_thousand_routes_take_no_time() {
    let rig = Rig::new();
    let writes: Vec<_> = (0..4_000).map(|number| rig.put(host(number))).collect();
    let mut writer = rig.writer();
    let begun = Instant::now();
    assert_eq!(write(&mut writer, &writes), []);
    let took = begun.elapsed();
    assert_eq!(rig.router.routes().iter().filter(|route| route.protocol == 169).count(), 4_000);
    println!("4,000 routes in {took:?}");
    // Some 15 ms on an idle machine; the limit is for a busy one.
    assert!(took < Duration::from_secs(1), "4,000 routes took {took:?}");
}

#[harness::test]
fn a_single_route_takes_microseconds() {
    let rig = Rig::new();
    let mut writer = rig.writer();
    let mut took: Vec<_> = (0..2_000)
        .map(|number| {
            let begun = Instant::now();
            assert_eq!(write(&mut writer, &[rig.put(host(number))]), []);
            begun.elapsed()
        })
        .collect();
    took.sort_unstable();
    println!("a single route: median {:?}, 99th of 100 {:?}", took[1_000], took[1_980]);
    // 5 µs in a release build on an idle machine.
    assert!(took[1_000] < Duration::from_millis(1), "a single route took {:?}", took[1_000]);
}
