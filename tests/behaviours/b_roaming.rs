//! B4: a host that roams is followed as often as it walks; one that both segments go on hearing is held.

use std::time::{Duration, Instant};

use arpherd_lab::{ArpFrame, Daemon, Host, Mac, Result, RouteWatch, wait_until};

use crate::rig::{Config, Rig, SOON, echoes, events, ip, pass, routed_by, wait_event, wait_route};

const SECOND: Duration = Duration::from_secs(1);
/// How long it stays where it is.
const STAY: Duration = Duration::from_secs(2);
/// More than a minute's moves once were.
const WALKS: u32 = 9;

/// Waits for the route and returns how long that took.
fn followed(rig: &Rig, host: &Host, link: &str) -> Duration {
    let start = Instant::now();
    wait_route(&rig.r, host.ip(), link);
    start.elapsed()
}

/// A phone goes to and fro between a repeater on the left, which speaks for it under its own link-layer address, and an
/// access point on the right.
#[harness::test(alone)]
fn b4_a_phone_that_roams_is_followed_as_often_as_it_walks() -> Result<()> {
    let rig = Rig::new()?;
    let daemon = Config::common_with(&[("expiry", "{ quiet: 30s }")]).start(&rig.r)?;
    let (near, far) = (rig.left(10)?, rig.right(20)?);
    let (at_repeater, mut at_access_point) = (rig.left(60)?, Host::new("phone", "10.9.0.60/24")?);
    at_access_point = at_access_point.with_mac(Mac([2, 0, 0, 0, 0, 0x61]));
    at_access_point.attach_to(&rig.right)?;
    rig.use_kernel_timers(&[&near, &far, &at_repeater, &at_access_point])?;
    at_access_point.silence(true)?;
    at_repeater.announce()?;
    wait_route(&rig.r, at_repeater.ip(), "eth0");
    for walk in 0..WALKS {
        pass(STAY);
        let (from, to, link, client) = if walk % 2 == 0 {
            (&at_repeater, &at_access_point, "eth1", &near)
        } else {
            (&at_access_point, &at_repeater, "eth0", &far)
        };
        from.silence(true)?;
        to.silence(false)?;
        to.announce()?;
        let time = followed(&rig, to, link);
        assert!(time < SECOND, "walk {walk} was followed after {time:?}");
        // Written after the route: it only saves the kernel a request.
        wait_until(SOON, "the neighbour entry is the place's", || {
            let mut entries = rig.r.neighbours().into_iter();
            let entry = entries.find(|entry| entry.address == to.ip() && entry.dev == link);
            entry.and_then(|entry| entry.mac()) == Some(to.mac())
        });
        echoes(&client.ns, to.ip());
    }
    assert_eq!(events(&daemon, "host_flapping").len(), 0);
    assert_eq!(events(&daemon, "host_moved").len(), usize::try_from(WALKS).expect("a few"));
    Ok(())
}

/// The station of a frame that a loop carries to both segments, until it is held. Returns where.
fn loop_until_held(rig: &Rig, daemon: &Daemon, frame: &ArpFrame) -> Result<&'static str> {
    let (left, right) = (rig.left(11)?.wire()?, rig.right(21)?.wire()?);
    left.send(frame)?;
    wait_route(&rig.r, frame.spa, "eth0");
    wait_until(SOON, "it is held", || {
        let is_sent = [&right, &left].map(|wire| wire.send(frame).is_ok());
        assert_eq!(is_sent, [true; 2]);
        pass(Duration::from_millis(20)); // the loop's pace
        !events(daemon, "host_flapping").is_empty()
    });
    let event = wait_event(daemon, "host_flapping", |_| true);
    Ok(if event["segment"] == "eth0" { "eth0" } else { "eth1" })
}

/// A loop between the segments made it flap. Then the loop is gone, and the host on the other side than it is held on.
#[harness::test(alone)]
fn b4_a_held_host_is_let_go_when_nobody_answers_where_it_is_held() -> Result<()> {
    let rig = Rig::new()?;
    let daemon = Config::common_with(&[("expiry", "{ quiet: 30s }")]).start(&rig.r)?;
    let mac = Mac([2, 0, 0, 0, 0, 0xf1]);
    let held_on = loop_until_held(&rig, &daemon, &ArpFrame::gratuitous(mac, ip(60)))?;
    let (segment, link) = if held_on == "eth0" { (&rig.right, "eth1") } else { (&rig.left, "eth0") };
    let mut host = Host::new("h60", "10.9.0.60/24")?.with_mac(mac);
    host.attach_to(segment)?;
    pass(SECOND); // whatever the loop began has ended
    host.announce()?;
    let time = followed(&rig, &host, link);
    assert!(time < SECOND, "let go after {time:?}");
    echoes(&rig.r, host.ip());
    Ok(())
}

/// Both segments go on hearing one station: a loop, or a machine and its copy.
#[harness::test]
fn b4_a_host_that_both_segments_hear_stays_where_it_answers() -> Result<()> {
    let rig = Rig::new()?;
    let daemon = Config::common_with(&[("expiry", "{ quiet: 30s }")]).start(&rig.r)?;
    let mac = Mac([2, 0, 0, 0, 0, 0xf1]);
    let (mut one, mut copy) = (Host::new("one", "10.9.0.60/24")?, Host::new("copy", "10.9.0.60/24")?);
    (one, copy) = (one.with_mac(mac), copy.with_mac(mac));
    one.attach_to(&rig.left)?;
    copy.attach_to(&rig.right)?;
    loop_until_held(&rig, &daemon, &ArpFrame::gratuitous(mac, ip(60)))?;
    pass(SECOND); // what was being decided is decided
    let watch = RouteWatch::start(&rig.r)?;
    let place = routed_by(&rig.r, ip(60));
    for _ in 0..30 {
        one.announce()?;
        copy.announce()?;
        pass(SECOND / 10); // the pace of their words
    }
    let changes = watch.events().into_iter().filter(|event| event.route.dst.ip() == ip(60)).count();
    assert_eq!((changes, routed_by(&rig.r, ip(60))), (0, place));
    assert_eq!(events(&daemon, "host_flapping").len(), 1, "reported once");
    Ok(())
}
