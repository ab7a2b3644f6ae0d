//! A6: two hosts with one address. The first keeps it, and both are reported.

use std::time::{Duration, Instant};

use arpherd_lab::{ArpFrame, Capture, Daemon, Host, Mac, Result, RouteEvent, RouteWatch, Segment, Wire};
use serde_json::Value;

use crate::rig::{Config, Rig, SOON, events, host_row, introduce, pass, routed_by, wait_event};

/// Who wants an address that another has.
const CLAIMANT: Mac = Mac([2, 0, 0, 0, 0, 0xee]);
/// How long it goes on claiming, and how often.
const CLAIMS: u32 = 20;
const PAUSE: Duration = Duration::from_millis(100);

/// A known host on the left and somebody who wants its address.
struct Quarrel {
    rig: Rig,
    daemon: Daemon,
    incumbent: Host,
    claimant: Wire,
    watch: RouteWatch,
}

impl Quarrel {
    fn begin(side: fn(&Rig) -> &Segment) -> Result<Self> {
        let rig = Rig::new()?;
        let daemon = Config::common().start(&rig.r)?;
        let incumbent = rig.left(50)?;
        rig.use_kernel_timers(&[&incumbent])?;
        introduce(&incumbent, &rig.r, "eth0")?;
        let stranger = arpherd_lab::Netns::new("stranger")?;
        side(&rig).plug(&stranger, "eth0")?;
        let claimant = Wire::open(&stranger, "eth0")?;
        let watch = RouteWatch::start(&rig.r)?;
        Ok(Self { rig, daemon, incumbent, claimant, watch })
    }

    fn announcement(&self) -> ArpFrame {
        ArpFrame::gratuitous(CLAIMANT, self.incumbent.ip())
    }

    /// Says so again and again.
    fn insist(&self, claim: &ArpFrame) -> Result<()> {
        for _ in 0..CLAIMS {
            self.claimant.send(claim)?;
            pass(PAUSE); // the pace of the claims
        }
        Ok(())
    }

    fn reported(&self) -> Value {
        let event = wait_event(&self.daemon, "duplicate_address", |_| true);
        assert_eq!(event["address"], self.incumbent.ip().to_string());
        assert_eq!(event["lladdr"], self.incumbent.mac().to_string());
        assert_eq!(event["claimant_lladdr"], CLAIMANT.to_string());
        assert_eq!(event["segment"], "eth0");
        event
    }

    fn changes(&self) -> Vec<RouteEvent> {
        let ours = |event: &RouteEvent| event.route.dst.ip() == self.incumbent.ip();
        self.watch.events().into_iter().filter(ours).collect()
    }

    /// The router still reaches the first, by its kernel's tables.
    fn incumbent_stays(&self) {
        let (r, ip) = (&self.rig.r, self.incumbent.ip());
        assert_eq!(self.changes(), [], "no flapping");
        assert_eq!(routed_by(r, ip).as_deref(), Some("eth0"));
        let entry = r.neighbours().into_iter().find(|entry| entry.address == ip && entry.dev == "eth0");
        assert_eq!(entry.and_then(|entry| entry.mac()), Some(self.incumbent.mac()));
        let row = host_row(&self.daemon, ip).expect("a known host");
        assert_eq!(row["lladdr"], self.incumbent.mac().to_string());
        let quick = Duration::from_millis(10);
        assert_eq!(r.ping(ip, 20, quick, SOON).received, 20);
    }
}

#[harness::test]
fn a6_claim_from_another_segment_is_told_with_both_macs() -> Result<()> {
    let quarrel = Quarrel::begin(|rig| &rig.right)?;
    let sent = Capture::start(&quarrel.rig.right.ns, &quarrel.rig.right_port)?;
    quarrel.insist(&quarrel.announcement())?;
    assert_eq!(quarrel.reported()["claimant_segment"], "eth1");
    quarrel.incumbent_stays();
    assert_eq!(events(&quarrel.daemon, "duplicate_address").len(), 1, "a complaint, not a flood");
    let to_claimant = |arp: &&ArpFrame| arp.is_reply() && arp.spa == quarrel.incumbent.ip();
    assert_eq!(sent.arps().iter().find(to_claimant), None, "an announcement is not answered");
    Ok(())
}

/// The router's kernel believes every announcement on the link of an entry it has; only arpherd can tell it
/// better.
#[harness::test]
fn a6_claim_on_the_same_segment_is_told_with_both_macs() -> Result<()> {
    let quarrel = Quarrel::begin(|rig| &rig.left)?;
    quarrel.insist(&quarrel.announcement())?;
    assert_eq!(quarrel.reported()["claimant_segment"], "eth0");
    quarrel.incumbent_stays();
    Ok(())
}

#[harness::test]
fn a6_claimant_that_only_asks_gets_no_route_either() -> Result<()> {
    let quarrel = Quarrel::begin(|rig| &rig.right)?;
    let request = ArpFrame::request(CLAIMANT, quarrel.incumbent.ip(), crate::rig::ROUTER);
    quarrel.insist(&request)?;
    quarrel.reported();
    quarrel.incumbent_stays();
    Ok(())
}

#[harness::test]
fn a6_incumbent_that_died_loses_to_the_claimant() -> Result<()> {
    let quarrel = Quarrel::begin(|rig| &rig.right)?;
    quarrel.incumbent.silence(true)?;
    let start = Instant::now();
    quarrel.claimant.send(&quarrel.announcement())?;
    let moved = wait_event(&quarrel.daemon, "host_moved", |_| true);
    assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
    assert_eq!(moved["old_lladdr"], quarrel.incumbent.mac().to_string());
    assert_eq!(moved["lladdr"], CLAIMANT.to_string());
    assert_eq!(routed_by(&quarrel.rig.r, quarrel.incumbent.ip()).as_deref(), Some("eth1"));
    let removed = quarrel.changes().into_iter().find(|event| !event.is_new);
    assert_eq!(removed, None, "one replace, no gap");
    assert_eq!(events(&quarrel.daemon, "duplicate_address"), Vec::<Value>::new());
    Ok(())
}
