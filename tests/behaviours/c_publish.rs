//! C7, C8, C9 and C13 for published prefixes: a sub-subnet that is answered for as a whole.
//!
//! ```text
//!   C 10.9.0.5/24 ── net 1 ── eth1 [ R, publish 10.9.0.64/28 ] eth0 ── net 0 ── B 10.9.0.67/28, D .68
//! ```

use std::net::Ipv4Addr;
use std::time::Duration;

use arpherd_lab::{ArpFrame, Capture, Daemon, Host, Mac, Result, wait_until};
use serde_json::json;

use crate::c_subnet::{Nets, talk};
use crate::rig::{
    A_WHILE, Config, QUICK_EXPIRY, SLOW_EXPIRY, SOON, SUBNET, events, host_routes, host_row, introduce, ip,
    routed_by, segment_row, wait_event,
};

/// What the link's address becomes.
const NEW_MAC: Mac = Mac([2, 0, 0, 0, 0x77, 0x77]);

fn published(expiry: &str) -> Config {
    Config::of(SUBNET)
        .segment("eth0", &[("prefixes", "[10.9.0.64/28]"), ("expiry", expiry)])
        .segment("eth1", &[("publish", "[10.9.0.64/28]"), ("expiry", expiry)])
}

fn start() -> Result<(Nets, Daemon)> {
    let nets = Nets::new()?;
    let daemon = published(SLOW_EXPIRY).start(&nets.r)?;
    Ok((nets, daemon))
}

/// The answers that the host gets to its request, from whomever.
fn ask(host: &Host, target: Ipv4Addr) -> Result<Vec<ArpFrame>> {
    Ok(host.wire()?.ask(&host.request(target), A_WHILE / 2))
}

fn proxied(nets: &Nets, target: Ipv4Addr) -> Result<[ArpFrame; 1]> {
    Ok([ArpFrame::reply(nets.r.mac("eth1")?, target, nets.c.mac(), nets.c.ip())])
}

#[harness::test]
fn c7_published_prefix_is_answered_for_with_the_links_own_address() -> Result<()> {
    let (nets, _daemon) = start()?;
    // .65 is the router's own, which the kernel answers for: once, too. Of the rest only .67 and .68 exist.
    for last in 65..=78 {
        assert_eq!(ask(&nets.c, ip(last))?, proxied(&nets, ip(last))?, "{last}");
    }
    for nobody in [ip(63), ip(80), ip(99)] {
        assert_eq!(ask(&nets.c, nobody)?, [], "{nobody}");
    }
    talk(&nets.c, &nets.b)?;
    assert_eq!(ask(&nets.c, nets.b.ip())?, proxied(&nets, nets.b.ip())?, "known by now");
    Ok(())
}

#[harness::test]
fn c7_published_prefix_follows_the_links_address() -> Result<()> {
    let (nets, _daemon) = start()?;
    talk(&nets.c, &nets.b)?;
    let announced = Capture::start(&nets.c.ns, "eth0")?;
    nets.r.set_mac("eth1", NEW_MAC)?;
    for target in [nets.b.ip(), nets.d.ip(), ip(78)] {
        let is_new =
            || ask(&nets.c, target).is_ok_and(|answers| answers.len() == 1 && answers[0].sha == NEW_MAC);
        wait_until(SOON, &format!("{target} is answered for with the new address"), is_new);
        assert_eq!(ask(&nets.c, target)?, proxied(&nets, target)?);
        assert_eq!(ask(&nets.c, target)?[0].src, NEW_MAC);
    }
    // Those it knows it announces, so that nobody waits for a cache to age.
    let reported = announced.wait_for(
        |frame| {
            frame.arp().is_some_and(|arp| arp.is_gratuitous() && arp.spa == nets.b.ip() && arp.sha == NEW_MAC)
        },
        SOON,
    );
    assert!(reported.is_some(), "{:?}", announced.arps());
    talk(&nets.c, &nets.b)
}

#[harness::test]
fn c7_published_prefix_is_answered_for_on_its_segment_alone() -> Result<()> {
    let (nets, _daemon) = start()?;
    assert_eq!(ask(&nets.d, ip(78))?, [], "on net 0 its hosts answer for themselves");
    let by_itself = ArpFrame::reply(nets.b.mac(), nets.b.ip(), nets.d.mac(), nets.d.ip());
    assert_eq!(ask(&nets.d, nets.b.ip())?, [by_itself]);
    // Whoever asks is about to take an address, and is answered only if it is taken.
    let prober = Mac([2, 0, 0, 0, 0, 0xdd]);
    assert_eq!(nets.c.wire()?.ask(&ArpFrame::probe(prober, ip(78)), A_WHILE), []);
    introduce(&nets.b, &nets.r, "eth0")?;
    let defence = ArpFrame::reply(nets.r.mac("eth1")?, nets.b.ip(), prober, Ipv4Addr::UNSPECIFIED);
    assert_eq!(nets.c.wire()?.ask(&ArpFrame::probe(prober, nets.b.ip()), A_WHILE), [defence]);
    Ok(())
}

#[harness::test]
fn c8_edges_of_a_published_prefix_are_neither_answered_nor_routed() -> Result<()> {
    let (nets, daemon) = start()?;
    let wires = [nets.b.wire()?, nets.c.wire()?];
    let edges = [0, 64, 79, 255].map(ip);
    for edge in edges {
        for (host, wire) in [&nets.b, &nets.c].into_iter().zip(&wires) {
            assert_eq!(wire.ask(&host.request(edge), A_WHILE / 3), [], "{edge}");
            wire.send(&ArpFrame::gratuitous(Mac([2, 0, 0, 0, 0, 0xe0]), edge))?;
        }
    }
    introduce(&nets.b, &nets.r, "eth0")?;
    introduce(&nets.c, &nets.r, "eth1")?; // said after the above, and dealt with after it
    let routes = host_routes(&nets.r);
    assert!(routes.iter().all(|route| !edges.contains(&route.dst.ip())), "{routes:?}");
    assert_eq!(ask(&nets.c, ip(64))?, []);
    // A prefix of two addresses has no edges (RFC 3021), and a single address is one.
    drop(daemon);
    let small = [("publish", "[10.9.0.72/31, 10.9.0.76]"), ("expiry", SLOW_EXPIRY)];
    let sub = [("prefixes", "[10.9.0.64/28]"), ("expiry", SLOW_EXPIRY)];
    let _daemon = Config::of(SUBNET).segment("eth0", &sub).segment("eth1", &small).start(&nets.r)?;
    for last in [72, 73, 76] {
        assert_eq!(ask(&nets.c, ip(last))?, proxied(&nets, ip(last))?, "{last}");
    }
    for last in [71, 74, 75, 77] {
        assert_eq!(ask(&nets.c, ip(last))?, [], "{last}");
    }
    Ok(())
}

#[harness::test]
fn c9_host_that_uses_a_published_address_is_reported_and_gets_no_route() -> Result<()> {
    let (nets, daemon) = start()?;
    let station = Mac([2, 0, 0, 0, 0, 0x99]);
    let wire = nets.c.wire()?;
    let forms = [
        ArpFrame::gratuitous(station, ip(70)),
        ArpFrame::gratuitous_reply(station, ip(71)),
        ArpFrame::request(station, ip(72), nets.c.ip()),
        ArpFrame::reply(station, ip(73), Mac::BROADCAST, nets.c.ip()),
        // Somebody lives there already.
        ArpFrame::gratuitous(station, nets.b.ip()),
    ];
    introduce(&nets.b, &nets.r, "eth0")?;
    for form in forms {
        wire.send(&form)?;
        let reported = |event: &serde_json::Value| event["address"] == form.spa.to_string();
        let event = wait_event(&daemon, "published_address_used", reported);
        assert_eq!((&event["lladdr"], &event["segment"]), (&json!(station.to_string()), &json!("eth1")));
        if form.spa != nets.b.ip() {
            assert_eq!(ask(&nets.c, form.spa)?, [], "it answers for itself: {form}");
        }
    }
    introduce(&nets.c, &nets.r, "eth1")?; // dealt with after all that
    for form in forms {
        let expected = (form.spa == nets.b.ip()).then_some("eth0");
        assert_eq!(routed_by(&nets.r, form.spa).as_deref(), expected, "{form}");
    }
    let row = host_row(&daemon, nets.b.ip()).expect("it lives on net 0");
    assert_eq!((&row["segment"], &row["lladdr"]), (&json!("eth0"), &json!(nets.b.mac().to_string())));
    assert_eq!(events(&daemon, "host_moved"), Vec::<serde_json::Value>::new());
    Ok(())
}

/// A whole host on the wrong side: who asks gets its answer and no other; when it is gone, arpherd's again.
#[harness::test]
fn c9_host_that_left_a_published_address_is_forgotten() -> Result<()> {
    let nets = Nets::new()?;
    let daemon = published(QUICK_EXPIRY).start(&nets.r)?;
    let mut stray = Host::new("stray", "10.9.0.70/24")?;
    let (net1, _) = nets.c.place().expect("it is attached");
    stray.attach_to(net1)?;
    stray.announce()?;
    wait_event(&daemon, "published_address_used", |event| event["address"] == "10.9.0.70");
    let by_itself = ArpFrame::reply(stray.mac(), stray.ip(), nets.c.mac(), nets.c.ip());
    assert_eq!(ask(&nets.c, stray.ip())?, [by_itself]);
    // It is asked whether it is still there as any host is, and answers.
    pass_expiry();
    assert_eq!(ask(&nets.c, stray.ip())?, [by_itself]);
    assert_eq!(routed_by(&nets.r, stray.ip()), None);
    stray.silence(true)?;
    let expected = proxied(&nets, stray.ip())?;
    wait_until(SOON, "it is answered for again", || {
        ask(&nets.c, stray.ip()).is_ok_and(|answers| answers == expected)
    });
    Ok(())
}

/// Longer than [`QUICK_EXPIRY`] takes to give up a silent host.
fn pass_expiry() {
    crate::rig::pass(Duration::from_millis(1500));
}

#[harness::test]
fn c13_published_prefix_and_learned_hosts_are_listed() -> Result<()> {
    let (nets, daemon) = start()?;
    talk(&nets.c, &nets.b)?;
    assert_eq!(segment_row(&daemon, "eth1")["publish"], json!(["10.9.0.64/28"]));
    assert_eq!(segment_row(&daemon, "eth0")["publish"], json!([]));
    let table = daemon.run_cli(&["segments"])?.stdout;
    let mut published = table.lines().skip_while(|line| !line.ends_with("published")).skip(1);
    let row = published.next().map(|row| row.split_whitespace().collect::<Vec<_>>());
    assert_eq!(row, Some(vec!["test", "eth1", "10.9.0.64/28"]), "{table}");
    for (host, link) in [(&nets.b, "eth0"), (&nets.c, "eth1")] {
        let row = host_row(&daemon, host.ip()).expect("it spoke");
        assert_eq!((&row["segment"], &row["lladdr"]), (&json!(link), &json!(host.mac().to_string())));
        assert_eq!(segment_row(&daemon, link)["hosts"], 1);
    }
    // What is answered for is no host.
    assert!(ask(&nets.c, ip(78))?.len() == 1 && host_row(&daemon, ip(78)).is_none());
    Ok(())
}
