//! B4: a host moves while everybody's caches are warm, as a virtual machine does that migrates: its link never goes
//! down, so its kernel forgets nothing, and neither does anybody else's.
//!
//! ```text
//!                    ┌ up0 ── left switch ── eth0 ┐
//!  mover ── hypervisor                            [ R: arpherd, 10.9.0.1 on all three ] eth2 ── C .30
//!                    └ up1 ── right switch ─ eth1 ┘
//! ```
//!
//! One of the two uplinks is in the hypervisor's bridge. A .10 is on the left, B .20 on the right.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::thread;
use std::time::Duration;

use arpherd_lab::{Capture, Captured, Daemon, Host, Netns, PingStats, Result, Segment, wait_until};

use crate::rig::{Config, ROUTER, SOON, SUBNET, introduce, pass, routed_by};
use crate::trio::Trio;

/// How often everybody pings everybody while the mover moves.
pub(crate) const BEAT: Duration = Duration::from_millis(100);
/// Beats of a second.
const A_SECOND: u32 = 10;
/// Beats before the move.
const BEFORE: u32 = 5;
/// Beats watched after it.
const AFTER: u32 = 3 * A_SECOND;

/// A virtual machine, and the hypervisor's switch with an uplink to each segment.
pub(crate) struct Guest {
    pub(crate) host: Host,
    switch: Segment,
}

/// To the left and to the right.
pub(crate) const UPLINKS: [&str; 2] = ["up0", "up1"];

impl Guest {
    /// A guest `10.9.0.50` behind the left segment.
    fn new(trio: &Trio) -> Result<Self> {
        let switch = Segment::new("hypervisor")?;
        for (uplink, segment) in UPLINKS.iter().zip([&trio.rig.left, &trio.rig.right]) {
            segment.plug(&switch.ns, uplink)?;
        }
        let mut host = Host::new("h50", "10.9.0.50/24")?;
        host.attach_to(&switch)?;
        trio.rig.use_kernel_timers(&[&host])?;
        let guest = Self { host, switch };
        guest.connect(UPLINKS[0])?;
        Ok(guest)
    }

    fn connect(&self, uplink: &str) -> Result<()> {
        self.switch.ns.enslave(uplink, &self.switch.bridge)?;
        self.switch.ns.wait_ready(uplink)
    }

    /// To the other segment; the guest's link notices nothing of it.
    pub(crate) fn migrate(&self, from: &str, to: &str) -> Result<()> {
        self.switch.ns.release(from)?;
        self.connect(to)
    }
}

/// How long each of the ways was interrupted, from the first lost ping to the last.
pub(crate) fn interruptions(
    ways: &[(&Netns, Ipv4Addr)],
    change: impl FnOnce() -> Result<()>,
) -> Result<Vec<Duration>> {
    let stats: Vec<PingStats> = thread::scope(|scope| {
        let ping = |from: &Netns, to| from.ping(to, BEFORE + AFTER, BEAT, BEAT * 3);
        let running: Vec<_> = ways.iter().map(|&(from, to)| scope.spawn(move || ping(from, to))).collect();
        pass(BEAT * BEFORE - BEAT / 2);
        change()?;
        let stats = running.into_iter().map(|ping| ping.join().expect("a ping does not panic"));
        Ok::<_, arpherd_lab::LabError>(stats.collect())
    })?;
    let span = |stats: PingStats| match (stats.lost.first(), stats.lost.last()) {
        (Some(first), Some(last)) => BEAT * (last - first + 1),
        _ => Duration::ZERO,
    };
    Ok(stats.into_iter().map(span).collect())
}

/// The mover and the others, all known and with warm caches.
pub(crate) struct Warm {
    pub(crate) trio: Trio,
    pub(crate) guest: Guest,
    pub(crate) daemon: Daemon,
}

impl Warm {
    pub(crate) fn new(config: &Config) -> Result<Self> {
        let trio = Trio::new()?;
        let guest = Guest::new(&trio)?;
        let daemon = trio.start(config)?;
        introduce(&guest.host, &trio.rig.r, "eth0")?;
        let warm = Self { trio, guest, daemon };
        for (from, to) in warm.ways() {
            assert_eq!(from.ping(to, 3, BEAT / 2, BEAT * 5).received, 3, "{} to {to}", from.name());
        }
        Ok(warm)
    }

    /// From the mover to everybody, and back.
    pub(crate) fn ways(&self) -> [(&Netns, Ipv4Addr); 8] {
        let Trio { rig, a, b, c, .. } = &self.trio;
        let mover = &self.guest.host;
        let (from, to) = (&mover.ns, mover.ip());
        let others = [(&a.ns, a.ip()), (&b.ns, b.ip()), (&c.ns, c.ip()), (&rig.r, ROUTER)];
        let [a, b, c, r] = others.map(|(ns, ip)| [(ns, to), (from, ip)]);
        [a[0], a[1], b[0], b[1], c[0], c[1], r[0], r[1]]
    }

    /// Whatever happens interrupts none of the ways for more than a second.
    pub(crate) fn stays_connected(&self, change: impl FnOnce() -> Result<()>) -> Result<()> {
        let ways = self.ways();
        let spans = interruptions(&ways, change)?;
        eprintln!("SPANS {spans:?}");
        for ((from, to), span) in ways.iter().zip(&spans) {
            assert!(*span <= BEAT * A_SECOND, "{} to {to} was interrupted for {span:?}", from.name());
        }
        Ok(())
    }
}

fn announced_migration_keeps_everybody_connected(config: &Config) -> Result<()> {
    let warm = Warm::new(config)?;
    let mover = &warm.guest.host;
    let [left, right] = UPLINKS;
    for (from, to, link) in [(left, right, "eth1"), (right, left, "eth0")] {
        warm.stays_connected(|| {
            warm.guest.migrate(from, to)?;
            mover.announce().map(drop)
        })?;
        assert_eq!(routed_by(&warm.trio.rig.r, mover.ip()).as_deref(), Some(link));
    }
    Ok(())
}

#[harness::test(alone)]
fn b4_a_migrated_guest_with_warm_caches_is_connected_with_everybody_within_a_second() -> Result<()> {
    announced_migration_keeps_everybody_connected(&Trio::config())
}

#[harness::test(alone)]
fn b4_so_it_is_where_the_kernel_answers() -> Result<()> {
    let keys = [("answer", "kernel"), ("expiry", "{ quiet: 30s }")];
    let config = Config::of(SUBNET).segment("eth0", &keys).segment("eth1", &keys).segment("eth2", &keys);
    announced_migration_keeps_everybody_connected(&config)
}

/// What is said to the mover is said to it alone, and about itself nothing is said.
#[harness::test]
fn b4_a_mover_is_told_by_unicast_where_the_others_are() -> Result<()> {
    let warm = Warm::new(&Trio::config())?;
    let rig = &warm.trio.rig;
    let mover = &warm.guest.host;
    let capture = Capture::start(&rig.right.ns, &rig.right_port)?;
    warm.guest.migrate(UPLINKS[0], UPLINKS[1])?;
    mover.announce()?;
    let ours = |frame: &Captured| frame.arp().filter(|arp| !frame.outgoing() && arp.is_gratuitous());
    let told = || capture.frames().iter().filter_map(ours).collect::<Vec<_>>();
    wait_until(SOON, "three rounds of four", || told().len() >= 12);
    let us = rig.mac("eth1");
    let expected = BTreeSet::from([
        (ROUTER, us),
        (warm.trio.a.ip(), us),
        (warm.trio.c.ip(), us),
        (warm.trio.b.ip(), warm.trio.b.mac()),
    ]);
    assert_eq!(told().iter().map(|arp| (arp.spa, arp.sha)).collect::<BTreeSet<_>>(), expected);
    assert!(told().iter().all(|arp| arp.dst == mover.mac() && arp.src == us), "{:?}", told());
    Ok(())
}
