//! Pings: an actor that hangs or has died is named, and only that one.

use std::net::Ipv4Addr;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use actix::{Addr, System};
use arpherd_actors::capture::CaptureActor;
use arpherd_actors::clock::Clock;
use arpherd_actors::counters::{Counters, CoverCounters};
use arpherd_actors::cover::CoverActor;
use arpherd_actors::io::packet::Medium;
use arpherd_actors::io::{FramePort, PortError, Refusal, RouteTable, StationPort};
use arpherd_actors::liveness::{ActorGroup, ActorList, ActorName, Ping, Verdict};
use arpherd_actors::messages::{Finish, Observed, SetSweep};
use arpherd_actors::owner::RouteOwner;
use arpherd_actors::port::{PortOpener, Readiness};
use arpherd_actors::sweep::SweepActor;
use arpherd_actors::wifi::WifiMonitor;
use arpherd_core::plan::SweepPlan;
use arpherd_core::sweep::Sweep as SweepRounds;
use arpherd_core::{Fact, Ledger, SegmentId, Write};

use crate::fakes::{FakeLink, FakeTable, link, plan, quiet_log, request, update};

const PATIENCE: Duration = Duration::from_millis(400);
/// How long pings may pass before an actor hangs.
const LIMIT: Duration = Duration::from_secs(2);

/// A system call that never returns.
fn hang() -> ! {
    loop {
        thread::park();
    }
}

/// A kernel in which every call hangs.
struct HungKernel;

impl PortOpener for HungKernel {
    fn open(&self, _: Medium) -> Result<(Box<dyn FramePort>, Readiness), PortError> {
        hang()
    }

    fn open_stations(&self, _: Medium) -> Result<(Box<dyn StationPort>, Readiness), PortError> {
        hang()
    }

    fn open_send_only(&self, _: Medium) -> Result<Box<dyn FramePort>, PortError> {
        hang()
    }
}

impl RouteTable for HungKernel {
    fn write(&mut self, _: &[Write], _: &mut Vec<Refusal>) {
        hang()
    }

    fn lookup_route(&mut self, _: u32, _: Ipv4Addr, _: Ipv4Addr) -> Option<u32> {
        hang()
    }
}

fn owner(group: &ActorGroup, table: Box<dyn RouteTable>) -> Addr<RouteOwner> {
    let ledger = Ledger::new(&plan(None));
    let owner = RouteOwner::new(ledger, table, Clock::start(), Box::new(|_| {}), quiet_log());
    group.start(ActorName::of("route_owner"), owner)
}

/// What a round finds once these actors were started on a thread of their own, beside a route owner that is well. The
/// thread may hang, so it ends with the test's process.
fn verdict(start: impl FnOnce(&ActorGroup, Addr<RouteOwner>) + Send + 'static) -> Verdict {
    let (started, is_started) = mpsc::channel();
    thread::spawn(move || {
        System::new().block_on(async move {
            let list = ActorList::default();
            let group = list.group();
            let owner = owner(&group, Box::new(FakeTable::default()));
            start(&group, owner.clone());
            started.send(list).expect("the test waits");
            std::future::pending::<()>().await;
            drop(group);
        });
    });
    let list = is_started.recv().expect("the actors start");
    // A ping may pass before what hangs is called.
    let start = Instant::now();
    let mut rounds = std::iter::repeat_with(|| list.round(PATIENCE));
    let mut rounds = rounds.by_ref().take_while(|_| start.elapsed() < LIMIT);
    rounds.find(|found| *found != Verdict::Alive).unwrap_or(Verdict::Alive)
}

fn hung(actor: &'static str, segment: Option<&str>) -> Verdict {
    Verdict::Hung(vec![ActorName { actor, segment: segment.map(Into::into) }])
}

fn of_segment_a(actor: &'static str) -> ActorName {
    ActorName { actor, segment: Some("a".into()) }
}

fn capture(opener: Box<dyn PortOpener>, owner: &Addr<RouteOwner>) -> CaptureActor {
    let (facts, ports) = (owner.clone().recipient(), owner.clone().recipient());
    CaptureActor::new(SegmentId(0), facts, ports, opener, Arc::new(Counters::default()), quiet_log())
}

#[test]
fn all_that_are_well_answer() {
    let found = verdict(|group, owner| {
        let capture = group.start(of_segment_a("capture"), capture(Box::new(FakeLink::default()), &owner));
        capture.do_send(update(7));
        Box::leak(Box::new(capture));
    });
    assert_eq!(found, Verdict::Alive);
}

#[test]
fn a_capture_that_hangs_is_named_and_not_the_actors_of_its_thread() {
    let found = verdict(|group, owner| {
        let capture = group.start(of_segment_a("capture"), capture(Box::new(HungKernel), &owner));
        capture.do_send(update(7));
        Box::leak(Box::new(capture));
    });
    assert_eq!(found, hung("capture", Some("a")));
}

#[test]
fn a_route_owner_that_hangs_is_named() {
    let found = verdict(|group, _| {
        let owner = owner(group, Box::new(HungKernel));
        let (_, link) = link(7);
        owner.do_send(Observed::of(vec![
            Fact::LinkChanged { segment: SegmentId(0), link: Some(link) },
            Fact::Heard { segment: SegmentId(0), heard: request(10, 11) },
        ]));
        Box::leak(Box::new(owner));
    });
    assert_eq!(found, hung("route_owner", None));
}

#[test]
fn a_sweep_that_hangs_is_named() {
    let found = verdict(|group, _| {
        let owner = crate::sweep::SweepOwner::started();
        let pace = SweepPlan { interval: Duration::from_secs(60), rate: 10, in_flight: 10 };
        let (plan, counters) = (SweepRounds::new(pace, Vec::new()), Arc::new(Counters::default()));
        let opener = Box::new(HungKernel);
        let sweep = SweepActor::new(SegmentId(0), plan, owner, opener, counters, Clock::start(), quiet_log());
        let sweep = group.start(of_segment_a("sweep"), sweep);
        sweep.do_send(update(7));
        sweep.do_send(SetSweep(true));
        Box::leak(Box::new(sweep));
    });
    assert_eq!(found, hung("sweep", Some("a")));
}

#[test]
fn a_wifi_monitor_that_hangs_is_named() {
    let found = verdict(|group, owner| {
        let wifi = WifiMonitor::new(Box::new(|| hang()), owner.recipient(), quiet_log());
        Box::leak(Box::new(group.start(ActorName::of("wifi"), wifi)));
    });
    assert_eq!(found, hung("wifi", None));
}

#[test]
fn a_cover_that_hangs_is_named() {
    let found = verdict(|group, owner| {
        let (counters, clock) = (Arc::new(CoverCounters::default()), Clock::start());
        let cover = CoverActor::new(Box::new(|| hang()), owner.recipient(), counters, clock, quiet_log());
        Box::leak(Box::new(group.start(ActorName::of("cover"), cover)));
    });
    assert_eq!(found, hung("cover", None));
}

#[test]
fn an_actor_that_died_is_named_at_once() {
    let list = ActorList::default();
    let group = list.group();
    group.add(ActorName::of("supervisor"), |ping: Ping| {
        drop(ping);
        true
    });
    let found = list.round(Duration::from_secs(60));
    assert_eq!(found, Verdict::Died(vec![ActorName::of("supervisor")]));
}

#[test]
fn whoever_ends_in_order_is_not_missed() {
    System::new().block_on(async {
        let list = ActorList::default();
        let group = list.group();
        let owner = owner(&group, Box::new(FakeTable::default()));
        owner.send(Finish { purge: true }).await.expect("it ends");
        drop(owner);
        tokio::task::yield_now().await;
        assert_eq!(list.round(PATIENCE), Verdict::Alive, "nobody has its address");
        let _stays = group;
        let second = list.group();
        second.add(ActorName::of("supervisor"), |_| true);
        drop(second);
        assert_eq!(list.round(PATIENCE), Verdict::Alive, "it has left the list");
    });
}
