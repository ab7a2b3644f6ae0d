//! Frames whose source is not the sender that their ARP packet names: a repeater that sends what its clients say with
//! its own address, and forgers who do so.
//!
//! ```text
//!   C .30 ── cell ── repeater ── left ── eth0 [ R: arpherd ] eth1 ── B .20
//! ```

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use arpherd_lab::{ArpFrame, Capture, Daemon, Host, Mac, Netns, Result, Segment, Wire, wait_until};
use serde_json::Value;

use crate::b_forged_senders::{count, forger};
use crate::rig::{
    A_WHILE, Config, Rig, SLOW_EXPIRY, SOON, counter, echoes, events, host_row, introduce, ip, pass,
    routed_by, wait_event, wait_route,
};

const SECOND: Duration = Duration::from_secs(1);

/// A repeater between a cell of its own and the rig's left segment. What clients send leaves it with its own address
/// as the frame's source; the ARP packet within is left alone.
struct Repeater {
    cell: Segment,
    stop: Arc<AtomicBool>,
    directions: Vec<JoinHandle<()>>,
}

impl Repeater {
    fn new(rig: &Rig) -> Result<Self> {
        let (ns, cell) = (Netns::new("repeater")?, Segment::new("cell")?);
        rig.left.plug(&ns, "uplink")?;
        cell.plug(&ns, "radio")?;
        let mask = ns.mac("uplink")?;
        let stop = Arc::new(AtomicBool::new(false));
        let wires = || -> Result<_> { Ok((Wire::open_all(&ns, "uplink")?, Wire::open_all(&ns, "radio")?)) };
        let ((uplink, radio), (from_uplink, from_radio)) = (wires()?, wires()?);
        let directions = vec![
            relay(from_radio, uplink, stop.clone(), move |frame| {
                frame[6..12].copy_from_slice(&mask.0);
                true
            }),
            // What is for a client, or for all; not what is for itself, or was repeated by itself.
            relay(from_uplink, radio, stop.clone(), move |frame| {
                frame[..6] != mask.0 && frame[6..12] != mask.0
            }),
        ];
        Ok(Self { cell, stop, directions })
    }

    fn client(&self, last: u8) -> Result<Host> {
        let mut host = Host::new(&format!("h{last}"), &format!("{}/24", ip(last)))?;
        host.attach_to(&self.cell)?;
        Ok(host)
    }
}

impl Drop for Repeater {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for direction in self.directions.drain(..) {
            let _ = direction.join();
        }
    }
}

fn relay(
    from: Wire,
    to: Wire,
    stop: Arc<AtomicBool>,
    mut change: impl FnMut(&mut [u8]) -> bool + Send + 'static,
) -> JoinHandle<()> {
    thread::spawn(move || {
        while !stop.load(Ordering::Relaxed) {
            let Some((mut frame, _)) = from.recv_raw(Duration::from_millis(50)) else { continue };
            if frame.len() >= 14 && change(&mut frame) {
                let _ = to.send_raw(&frame); // a link that goes away ends the test anyway
            }
        }
    })
}

fn is_known(daemon: &Daemon, host: &Host, segment: &str) -> bool {
    host_row(daemon, host.ip())
        .is_some_and(|row| row["segment"] == segment && row["lladdr"] == host.mac().to_string())
}

#[harness::test]
fn masked_host_behind_a_repeater_is_reached_while_it_answers() -> Result<()> {
    let rig = Rig::new()?;
    let repeater = Repeater::new(&rig)?;
    let (mut c, b) = (repeater.client(30)?, rig.right(20)?);
    // Quiet for longer than a confirmation takes: a probe for the host where it was, which goes to the other segments too,
    // is answered there before the question of the confirmation is asked, and that is taken for a blind answer.
    let expiry = "{ quiet: 1500ms, interval: 100ms, unicast: 3, broadcast: 2 }";
    let daemon = Config::common_with(&[("expiry", expiry)]).start(&rig.r)?;
    introduce(&b, &rig.r, "eth1")?;
    c.announce()?;
    wait_until(SECOND + A_WHILE, "it is known", || routed_by(&rig.r, c.ip()).as_deref() == Some("eth0"));
    assert!(is_known(&daemon, &c, "eth0"), "{}", daemon.cli(&["hosts"]));
    echoes(&b.ns, c.ip());
    echoes(&c.ns, b.ip());
    let malformed = counter(&daemon, "eth0", "malformed");
    assert!(counter(&daemon, "eth0", "mismatched") > 0 && malformed == 0, "{}", daemon.cli(&["segments"]));
    pass(3 * SECOND); // it is asked several times whether it lives
    assert!(is_known(&daemon, &c, "eth0"));
    assert_eq!(events(&daemon, "host_gone"), Vec::<Value>::new());
    assert_eq!(count(&daemon, "sender_unconfirmed"), 0);
    // It walks over to the other segment, where nobody speaks for it.
    c.move_to(&rig.right)?;
    c.announce()?;
    wait_route(&rig.r, c.ip(), "eth1");
    // And back, where it dies in silence.
    c.move_to(&repeater.cell)?;
    c.announce()?;
    wait_route(&rig.r, c.ip(), "eth0");
    echoes(&b.ns, c.ip());
    c.silence(true)?;
    wait_until(SOON, "it is given up", || routed_by(&rig.r, c.ip()).is_none());
    Ok(())
}

/// Nobody heard of it, and it says nothing by itself.
#[harness::test]
fn masked_host_that_is_silent_is_reached_by_the_first_packets() -> Result<()> {
    let rig = Rig::new()?;
    let repeater = Repeater::new(&rig)?;
    let (c, b) = (repeater.client(30)?, rig.right(20)?);
    let _daemon = Config::common_with(&[("expiry", SLOW_EXPIRY)]).start(&rig.r)?;
    introduce(&b, &rig.r, "eth1")?;
    let stats = b.ns.ping(c.ip(), 3, SECOND, SECOND);
    assert!(stats.received >= 2, "{stats:?}");
    Ok(())
}

/// Packets that name somebody else's link-layer address, and answers to questions that were not asked yet.
fn blind(source: Mac, named: Mac, address: Ipv4Addr, rig: &Rig) -> [ArpFrame; 2] {
    let reply = ArpFrame::reply(named, address, rig.mac("eth0"), ip(1)).unicast_to(rig.mac("eth0"));
    [ArpFrame::request(named, address, ip(1)), reply].map(|frame| ArpFrame { src: source, ..frame })
}

/// What the router asked on its left.
fn questions(rig: &Rig, seen: &Capture) -> Vec<ArpFrame> {
    let mut questions = seen.arps();
    questions.retain(|arp| arp.src == rig.mac("eth0") && arp.is_request());
    questions
}

#[harness::test]
fn b3_forger_that_answers_blindly_is_not_believed() -> Result<()> {
    let rig = Rig::new()?;
    let (a, b, thief) = (rig.left(10)?, rig.right(20)?, rig.left(66)?);
    let daemon = Config::common_with(&[("expiry", SLOW_EXPIRY)]).start(&rig.r)?;
    introduce(&b, &rig.r, "eth1")?;
    introduce(&a, &rig.r, "eth0")?;
    let (wire, seen) = (thief.wire()?, Capture::start(&rig.r, "eth0")?);
    for _ in 0..150 {
        for claimed in [b.ip(), ip(99)] {
            for named in [a.mac(), forger(1)] {
                blind(forger(2), named, claimed, &rig)
                    .iter()
                    .try_for_each(|frame| wire.send(frame).map(drop))?;
            }
        }
        pass(Duration::from_millis(20)); // three seconds altogether
    }
    let event = wait_event(&daemon, "sender_unconfirmed", |event| event["segment"] == "eth0");
    assert_eq!(event["frame_lladdr"], forger(2).to_string());
    assert_eq!(routed_by(&rig.r, ip(99)), None);
    assert_eq!(routed_by(&rig.r, b.ip()).as_deref(), Some("eth1"));
    assert!(is_known(&daemon, &b, "eth1") && is_known(&daemon, &a, "eth0"));
    assert_eq!(events(&daemon, "host_moved"), Vec::<Value>::new());
    assert!(count(&daemon, "sender_unconfirmed") > 100 && events(&daemon, "sender_unconfirmed").len() == 1);
    let asked = questions(&rig, &seen).into_iter().filter(|arp| arp.tpa == ip(99)).count();
    assert!(asked <= 4, "{asked} questions about a forged address");
    echoes(&a.ns, b.ip());
    Ok(())
}

#[harness::test]
fn b3_flood_of_forged_sources_causes_no_flood_of_questions() -> Result<()> {
    let rig = Rig::new()?;
    let repeater = Repeater::new(&rig)?;
    let (b, c, thief) = (rig.right(20)?, repeater.client(30)?, rig.left(66)?);
    let keys = [("expiry", SLOW_EXPIRY)];
    let daemon = Config::of("10.9.0.0/16").segment("eth0", &keys).segment("eth1", &keys).start(&rig.r)?;
    introduce(&b, &rig.r, "eth1")?;
    let (wire, seen) = (thief.wire()?, Capture::start(&rig.r, "eth0")?);
    let forged = (0..4000_u32).map(|number| Ipv4Addr::from(u32::from(Ipv4Addr::new(10, 9, 16, 1)) + number));
    for address in forged {
        wire.send(&ArpFrame { src: forger(2), ..ArpFrame::gratuitous(Mac::of_crowd(address), address) })?;
    }
    wait_until(SOON, "all are counted", || counter(&daemon, "eth0", "mismatched") >= 4000);
    pass(SECOND); // every question is asked
    let asked = questions(&rig, &seen).len();
    assert!((1..=300).contains(&asked), "{asked} questions for 4000 frames");
    c.announce()?;
    wait_route(&rig.r, c.ip(), "eth0");
    echoes(&b.ns, c.ip());
    Ok(())
}

/// A cluster in multicast mode: its nodes answer ARP with a multicast address, in frames of their own.
#[harness::test]
fn masked_cluster_at_a_multicast_address_is_reached_where_the_configuration_names_it() -> Result<()> {
    let rig = Rig::new()?;
    let (named, pinned, b) = (rig.left(50)?, rig.left(51)?, rig.right(20)?);
    let cluster = |last: u8| Mac([3, 0xbf, 10, 9, 0, last]);
    let hosts = format!("{{ {}: \"{}\" }}", named.ip(), cluster(50));
    let pins = format!("{{ {}: \"{}\" }}", pinned.ip(), cluster(51));
    let keys = [("expiry", SLOW_EXPIRY), ("hosts", hosts.as_str()), ("pins", pins.as_str())];
    let daemon =
        Config::of("10.9.0.0/24").segment("eth0", &keys).segment("eth1", &keys[..1]).start(&rig.r)?;
    wait_event(&daemon, "config_warning", |event| {
        event["detail"].as_str().is_some_and(|text| text.contains(&cluster(50).to_string()))
    });
    introduce(&b, &rig.r, "eth1")?;
    wait_route(&rig.r, named.ip(), "eth0");
    let node = pinned.wire()?;
    let says = |last: u8| ArpFrame { src: pinned.mac(), ..ArpFrame::gratuitous(cluster(last), ip(last)) };
    node.send(&says(52))?;
    node.send(&says(51))?;
    wait_route(&rig.r, pinned.ip(), "eth0");
    assert_eq!(routed_by(&rig.r, ip(52)), None, "nobody named it");
    assert_eq!(counter(&daemon, "eth0", "malformed"), 1);
    for host in [&named, &pinned] {
        let entries = rig.r.neighbours();
        let entry = entries.iter().find(|entry| entry.address == host.ip()).expect("an entry");
        assert_eq!(entry.mac(), Some(cluster(host.ip().octets()[3])));
        let answer = b.wire()?.ask_one(&b.request(host.ip()), SOON).expect("it is answered for").0;
        assert_eq!(answer.sha, rig.mac("eth1"));
        echoes(&b.ns, host.ip());
    }
    Ok(())
}
