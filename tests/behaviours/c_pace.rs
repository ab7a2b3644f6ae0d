//! C14: a link of 2 Mbit/s is not filled with ARP.

use std::time::Duration;

use arpherd_lab::{Capture, Captured, Crowd, Result, monotonic_ns, wait_until};

use crate::rig::{Config, Rig, SOON, SUBNET, echoes, host_routes, introduce, ip, pass};

/// Frames a second at the most, as configured.
const RATE: u32 = 60;
/// Bits a second.
const LINK: u32 = 2_000_000;
const HOSTS: usize = 200;
const LIVELY: &str = "{ quiet: 30s, interval: 1s }";
const HECTIC: &str = "{ quiet: 1s, interval: 1s, unicast: 5, broadcast: 5 }";

/// Only the sweeps want more than the pace allows.
#[harness::test]
fn c14_background_arp_on_a_slow_link_keeps_the_configured_pace() -> Result<()> {
    background(LIVELY)
}

/// The requests to hosts want more than that, too.
#[harness::test]
fn c14_sweeps_and_questions_together_keep_the_configured_pace() -> Result<()> {
    background(HECTIC)
}

/// Two hundred hosts behind a slow link, which are known, looked after, and swept for all the time.
fn background(expiry: &str) -> Result<()> {
    let rig = Rig::new()?;
    for (ns, link) in [(&rig.r, "eth1"), (&rig.right.ns, rig.right_port.as_str())] {
        ns.limit_rate(link, LINK)?;
    }
    let (a, far) = (rig.left(230)?, rig.right(231)?);
    let crowd_of = (2..).take(HOSTS).map(ip).collect::<Vec<_>>();
    let crowd = Crowd::start(&far.ns, "eth0", crowd_of.clone())?;
    let sweep = format!("{{ interval: 500ms, rate: {RATE} }}");
    let slow = [("sweep", sweep.as_str()), ("expiry", expiry)];
    let _daemon = Config::of(SUBNET).segment("eth0", &[]).segment("eth1", &slow).start(&rig.r)?;
    crowd_of.iter().try_for_each(|host| crowd.speak(*host).map(drop))?;
    introduce(&a, &rig.r, "eth0")?;
    introduce(&far, &rig.r, "eth1")?;
    let known = || host_routes(&rig.r).len();
    wait_until(2 * SOON, "all are known", || known() >= HOSTS + 2);
    let sent = Capture::start(&rig.r, "eth1")?;
    let start = monotonic_ns();
    pass(Duration::from_secs(6)); // background is what happens while nobody wants anything
    let frames = sent.frames();
    let seconds = Duration::from_nanos(monotonic_ns() - start).as_secs_f64();
    assert_eq!(sent.dropped(), 0);
    let is_arp = |frame: &&Captured| frame.outgoing() && frame.arp().is_some();
    let count = frames.iter().filter(is_arp).count();
    let allowed = f64::from(RATE) * (seconds + 1.0); // a tenth of a second's requests may leave at once
    assert!(f64::from(u32::try_from(count).expect("some")) <= allowed, "{count} frames in {seconds} s");
    assert!(count > 60, "it does ask: {count} frames in {seconds} s");
    assert_eq!(known(), HOSTS + 2, "nobody is lost by being asked slowly");
    echoes(&a.ns, far.ip());
    let pings = a.ns.ping(far.ip(), 50, Duration::from_millis(20), SOON);
    assert_eq!(pings.received, 50, "the link has room for what it is there for: {pings:?}");
    Ok(())
}
