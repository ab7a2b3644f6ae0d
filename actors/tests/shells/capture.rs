//! The capture actor: what it passes on, and how it keeps a socket.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix::{Actor, Context, Handler};
use arpherd_actors::capture::Capture;
use arpherd_actors::io::packet::BATCH;
use arpherd_actors::messages::{Counters, LinkUpdate, Outlet, Told};
use arpherd_core::{Fact, SegmentId};

use crate::fakes::{FakeLink, in_virtual_time, link, quiet_log, request, settle};

/// The facts of one message, and whether more were promised.
type Batch = (Vec<Fact>, bool);

/// In the route owner's place: keeps what it is told.
#[derive(Clone, Default)]
struct Ear {
    told: Arc<Mutex<Vec<Batch>>>,
    outlets: Arc<Mutex<Vec<bool>>>,
}

impl Ear {
    fn told(&self) -> Vec<Batch> {
        std::mem::take(&mut *self.told.lock().expect("no panic with the lock"))
    }

    /// Whether each outlet that came was one.
    fn outlets(&self) -> Vec<bool> {
        std::mem::take(&mut *self.outlets.lock().expect("no panic with the lock"))
    }
}

impl Actor for Ear {
    type Context = Context<Self>;
}

impl Handler<Told> for Ear {
    type Result = ();

    fn handle(&mut self, told: Told, _: &mut Self::Context) {
        self.told.lock().expect("no panic with the lock").push((told.facts, told.more));
    }
}

impl Handler<Outlet> for Ear {
    type Result = ();

    fn handle(&mut self, outlet: Outlet, _: &mut Self::Context) {
        self.outlets.lock().expect("no panic with the lock").push(outlet.port.is_some());
    }
}

struct Bench {
    wire: FakeLink,
    ear: Ear,
    capture: actix::Addr<Capture>,
    counters: Arc<Counters>,
}

fn bench() -> Bench {
    let (wire, ear, counters) = (FakeLink::default(), Ear::default(), Arc::new(Counters::default()));
    let owner = ear.clone().start();
    let (told, outlet, opener) = (owner.clone().recipient(), owner.recipient(), Box::new(wire.clone()));
    let capture = Capture::new(SegmentId(0), told, outlet, opener, counters.clone(), quiet_log()).start();
    Bench { wire, ear, capture, counters }
}

fn heard_in(told: &[Batch]) -> usize {
    told.iter().flat_map(|(facts, _)| facts).filter(|fact| matches!(fact, Fact::Heard { .. })).count()
}

#[test]
fn a_link_is_opened_before_the_owner_hears_of_it_and_its_frames_follow() {
    in_virtual_time(async {
        let bench = bench();
        bench.capture.do_send(LinkUpdate(Some(link(7))));
        settle().await;
        let told = bench.ear.told();
        assert!(
            matches!(&told[..], [(facts, _)] if matches!(facts[..], [Fact::LinkChanged { link: Some(_), .. }]))
        );
        assert_eq!(bench.wire.opened(), [link(7).0; 2]);
        bench.wire.arrive([request(11, 12), request(13, 12)]);
        settle().await;
        let told = bench.ear.told();
        assert_eq!(heard_in(&told), 2);
        assert_eq!(told.len(), 1, "one batch is one message");
        assert_eq!(bench.counters.view().read, 2);
    });
}

#[test]
fn a_burst_goes_on_in_batches_and_its_end_is_told() {
    in_virtual_time(async {
        let bench = bench();
        bench.capture.do_send(LinkUpdate(Some(link(7))));
        settle().await;
        bench.ear.told();
        // Exactly full batches: what comes after is nothing, and the owner must still hear that.
        bench.wire.arrive((0..2 * BATCH).map(|index| request(u8::try_from(index % 200).unwrap_or(0) + 2, 1)));
        settle().await;
        let told = bench.ear.told();
        assert_eq!(heard_in(&told), 2 * BATCH);
        let more: Vec<bool> = told.iter().map(|(_, more)| *more).collect();
        assert_eq!(more, [true, true, false]);
    });
}

/// The socket of a link that was down says so to the reader of the first frame after it.
#[test]
fn the_first_frame_after_a_link_was_down_is_not_left_waiting_for_the_second() {
    in_virtual_time(async {
        let bench = bench();
        bench.capture.do_send(LinkUpdate(Some(link(7))));
        settle().await;
        bench.ear.told();
        bench.wire.was_down();
        bench.wire.arrive([request(11, 12)]);
        settle().await;
        assert_eq!(heard_in(&bench.ear.told()), 1);
    });
}

#[test]
fn a_link_that_cannot_be_opened_is_absent_and_tried_again() {
    in_virtual_time(async {
        let bench = bench();
        bench.wire.refuse_to_open(true);
        bench.capture.do_send(LinkUpdate(Some(link(7))));
        settle().await;
        let told = bench.ear.told();
        assert!(
            matches!(&told[..], [(facts, _)] if matches!(facts[..], [Fact::LinkChanged { link: None, .. }]))
        );
        bench.wire.refuse_to_open(false);
        tokio::time::sleep(Duration::from_secs(2)).await;
        settle().await;
        let told = bench.ear.told();
        assert!(
            matches!(&told[..], [(facts, _)] if matches!(facts[..], [Fact::LinkChanged { link: Some(_), .. }]))
        );
    });
}

#[test]
fn a_recreated_interface_gets_a_new_socket_and_a_changed_one_keeps_its() {
    in_virtual_time(async {
        let bench = bench();
        bench.capture.do_send(LinkUpdate(Some(link(7))));
        let (medium, mut changed) = link(7);
        changed.carrier = false;
        bench.capture.do_send(LinkUpdate(Some((medium, changed))));
        settle().await;
        assert_eq!(bench.wire.opened().len(), 2, "one that hears, one that sends");
        bench.capture.do_send(LinkUpdate(None));
        bench.capture.do_send(LinkUpdate(Some(link(8))));
        settle().await;
        let opened: Vec<u32> = bench.wire.opened().iter().map(|medium| medium.interface).collect();
        assert_eq!(opened, [7, 7, 8, 8]);
    });
}

#[test]
fn the_owner_gets_an_outlet_with_the_link_and_loses_it_with_it() {
    in_virtual_time(async {
        let bench = bench();
        bench.capture.do_send(LinkUpdate(Some(link(7))));
        settle().await;
        assert_eq!(bench.ear.outlets(), [true], "before the link is told");
        bench.capture.do_send(LinkUpdate(None));
        settle().await;
        assert_eq!(bench.ear.outlets(), [false]);
    });
}
