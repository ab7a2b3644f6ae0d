//! The sweep actor: its pace, its limit of probes in flight, and addresses that it does not probe.

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use actix::{Actor, Addr, Context, Handler, MessageResult, Recipient};
use arpherd_actors::clock::Clock;
use arpherd_actors::counters::Counters;
use arpherd_actors::messages::{GetSweepContext, HostsSeen, SetSweep};
use arpherd_actors::sweep::SweepActor;
use arpherd_core::SegmentId;
use arpherd_core::plan::SweepPlan;
use arpherd_core::sweep::{Sweep as SweepRounds, SweepContext};

use crate::fakes::{FakeLink, address, in_virtual_time, lladdr, quiet_log, settle, update};

/// In the route owner's place: 10.0.0.1 is ourselves, 10.0.0.5 is known. Keeps what the last request said of hosts that
/// are wanted.
#[derive(Clone, Default)]
pub(crate) struct SweepOwner(Arc<Mutex<Weak<()>>>);

impl SweepOwner {
    pub(crate) fn started() -> Recipient<GetSweepContext> {
        Self::default().start().recipient()
    }

    fn is_to_report(&self) -> bool {
        self.0.lock().expect("no panic with the lock").strong_count() > 0
    }
}

impl Actor for SweepOwner {
    type Context = Context<Self>;
}

impl Handler<GetSweepContext> for SweepOwner {
    type Result = MessageResult<GetSweepContext>;

    fn handle(&mut self, request: GetSweepContext, _: &mut Self::Context) -> Self::Result {
        *self.0.lock().expect("no panic with the lock") = request.wants_hosts;
        MessageResult(Some(SweepContext {
            senders: vec![address(1)],
            lladdr: lladdr(7),
            prefixes: vec!["10.0.0.0/28".parse().expect("a prefix")],
            from: None,
            skip: vec![address(1), address(5)],
            patience: 1,
        }))
    }
}

fn sweep(rate: u32, in_flight: u32) -> (FakeLink, Addr<SweepActor>) {
    sweep_of(SweepOwner::started(), rate, in_flight)
}

fn sweep_of(owner: Recipient<GetSweepContext>, rate: u32, in_flight: u32) -> (FakeLink, Addr<SweepActor>) {
    let wire = FakeLink::default();
    let pace = SweepPlan { interval: Duration::from_secs(60), rate, in_flight };
    let plan = SweepRounds::new(pace, Vec::new());
    let (counters, opener) = (Arc::new(Counters::default()), Box::new(wire.clone()));
    let sweep =
        SweepActor::new(SegmentId(0), plan, owner, opener, counters, Clock::start(), quiet_log()).start();
    sweep.do_send(update(7));
    (wire, sweep)
}

fn targets(wire: &FakeLink) -> Vec<Ipv4Addr> {
    wire.sent().iter().map(|frame| frame.arp.target).collect()
}

#[test]
fn a_round_probes_everybody_unknown_at_its_pace_and_comes_back_after_the_interval() {
    in_virtual_time(async {
        let (wire, sweep) = sweep(10, 100);
        settle().await;
        assert!(targets(&wire).is_empty(), "no probe before the segment is up");
        sweep.do_send(SetSweep(true));
        tokio::time::sleep(Duration::from_millis(450)).await;
        settle().await;
        let first = targets(&wire);
        assert_eq!(first.len(), 5, "at ten a second: {first:?}");
        tokio::time::sleep(Duration::from_secs(5)).await;
        settle().await;
        let all: Vec<Ipv4Addr> = first.into_iter().chain(targets(&wire)).collect();
        let wanted: Vec<Ipv4Addr> = (2..=14).filter(|last| *last != 5).map(address).collect();
        assert_eq!(all, wanted);
        tokio::time::sleep(Duration::from_secs(56)).await;
        settle().await;
        assert!(!targets(&wire).is_empty(), "the next round");
    });
}

#[test]
fn an_answer_makes_room_for_the_next_probe() {
    in_virtual_time(async {
        let (wire, sweep) = sweep(100_000, 3);
        sweep.do_send(SetSweep(true));
        settle().await;
        let first = targets(&wire);
        assert_eq!(first.len(), 3);
        sweep.do_send(HostsSeen(vec![first[0]]));
        settle().await;
        assert_eq!(targets(&wire).len(), 1);
    });
}

#[test]
fn hosts_are_wanted_from_the_start_of_a_round_until_its_last_probe_is_given_up() {
    in_virtual_time(async {
        let owner = SweepOwner::default();
        let (_wire, sweep) = sweep_of(owner.clone().start().recipient(), 10, 100);
        settle().await;
        assert!(!owner.is_to_report(), "not swept yet");
        sweep.do_send(SetSweep(true));
        settle().await;
        assert!(owner.is_to_report());
        // Twelve probes, ten a second.
        tokio::time::sleep(Duration::from_millis(1500)).await;
        settle().await;
        assert!(owner.is_to_report(), "the last ones may still be answered");
        tokio::time::sleep(Duration::from_secs(10)).await;
        settle().await;
        assert!(!owner.is_to_report());
        tokio::time::sleep(Duration::from_secs(49)).await;
        settle().await;
        assert!(owner.is_to_report(), "the next round");
        sweep.do_send(SetSweep(false));
        settle().await;
        assert!(!owner.is_to_report(), "the segment went down");
    });
}

#[test]
fn a_segment_that_went_down_is_not_swept() {
    in_virtual_time(async {
        let (wire, sweep) = sweep(10, 100);
        sweep.do_send(SetSweep(true));
        settle().await;
        sweep.do_send(SetSweep(false));
        settle().await;
        wire.sent();
        tokio::time::sleep(Duration::from_secs(120)).await;
        settle().await;
        assert!(targets(&wire).is_empty());
    });
}
