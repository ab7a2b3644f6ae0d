//! The capture actor: what it passes on, and how it keeps a socket.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix::{Actor, Context, Handler};
use arpherd_actors::capture::CaptureActor;
use arpherd_actors::counters::Counters;
use arpherd_actors::io::packet::BATCH;
use arpherd_actors::messages::{LinkUpdate, Observed, SendPort};
use arpherd_core::{Fact, LinkAddr, SegmentId};

use crate::fakes::{FakeLink, in_virtual_time, link, quiet_log, request, settle, update};

/// The facts of one message, and whether more were promised.
type ObservedBatch = (Vec<Fact>, bool);

/// In the route owner's place: keeps what it receives.
#[derive(Clone, Default)]
struct CaptureOwner {
    observed: Arc<Mutex<Vec<ObservedBatch>>>,
    counters: Arc<Counters>,
    /// Frames read from the link when each message was handled.
    read_by_then: Arc<Mutex<Vec<u64>>>,
    send_ports: Arc<Mutex<Vec<bool>>>,
}

impl CaptureOwner {
    fn observed(&self) -> Vec<ObservedBatch> {
        std::mem::take(&mut *self.observed.lock().expect("no panic with the lock"))
    }

    /// Whether each of the messages had a port.
    fn send_ports(&self) -> Vec<bool> {
        std::mem::take(&mut *self.send_ports.lock().expect("no panic with the lock"))
    }
}

impl Actor for CaptureOwner {
    type Context = Context<Self>;
}

impl Handler<Observed> for CaptureOwner {
    type Result = ();

    fn handle(&mut self, observed: Observed, _: &mut Self::Context) {
        self.observed.lock().expect("no panic with the lock").push((observed.facts, observed.more));
        self.read_by_then.lock().expect("no panic with the lock").push(self.counters.view().read);
    }
}

impl Handler<SendPort> for CaptureOwner {
    type Result = ();

    fn handle(&mut self, send_port: SendPort, _: &mut Self::Context) {
        self.send_ports.lock().expect("no panic with the lock").push(send_port.port.is_some());
    }
}

struct CaptureBench {
    wire: FakeLink,
    owner: CaptureOwner,
    capture: actix::Addr<CaptureActor>,
    counters: Arc<Counters>,
}

fn bench() -> CaptureBench {
    let (wire, owner) = (FakeLink::default(), CaptureOwner::default());
    let counters = Arc::clone(&owner.counters);
    let address = owner.clone().start();
    let (facts, ports, opener) = (address.clone().recipient(), address.recipient(), Box::new(wire.clone()));
    let capture =
        CaptureActor::new(SegmentId(0), facts, ports, opener, counters.clone(), quiet_log()).start();
    CaptureBench { wire, owner, capture, counters }
}

fn heard_in(observed: &[ObservedBatch]) -> usize {
    observed.iter().flat_map(|(facts, _)| facts).filter(|fact| matches!(fact, Fact::Heard { .. })).count()
}

#[test]
fn a_link_is_opened_before_it_is_reported_and_its_frames_follow() {
    in_virtual_time(async {
        let bench = bench();
        bench.capture.do_send(update(7));
        settle().await;
        let observed = bench.owner.observed();
        assert!(
            matches!(&observed[..], [(facts, _)] if matches!(facts[..], [Fact::LinkChanged { link: Some(_), .. }]))
        );
        assert_eq!(bench.wire.opened(), [link(7).0; 2]);
        bench.wire.arrive([request(11, 12), request(13, 12)]);
        settle().await;
        let observed = bench.owner.observed();
        assert_eq!(heard_in(&observed), 2);
        assert_eq!(observed.len(), 1, "one batch is one message");
        assert_eq!(bench.counters.view().read, 2);
    });
}

#[test]
fn a_burst_is_sent_in_batches_and_its_end_is_reported() {
    in_virtual_time(async {
        let bench = bench();
        bench.capture.do_send(update(7));
        settle().await;
        bench.owner.observed();
        // Exactly full batches: nothing comes after them, and that must be reported, too.
        bench.wire.arrive((0..2 * BATCH).map(|index| request(u8::try_from(index % 200).unwrap_or(0) + 2, 1)));
        settle().await;
        let observed = bench.owner.observed();
        assert_eq!(heard_in(&observed), 2 * BATCH);
        let more: Vec<bool> = observed.iter().map(|(_, more)| *more).collect();
        assert_eq!(more, [true, true, false]);
    });
}

#[test]
fn each_batch_of_a_burst_is_handled_before_the_next_is_read() {
    in_virtual_time(async {
        let bench = bench();
        bench.capture.do_send(update(7));
        settle().await;
        bench.owner.read_by_then.lock().expect("no panic with the lock").clear();
        bench.wire.arrive((0..3 * BATCH).map(|_| request(11, 12)));
        settle().await;
        let batch = BATCH as u64;
        let read_by_then = bench.owner.read_by_then.lock().expect("no panic with the lock").clone();
        assert_eq!(read_by_then, [batch, 2 * batch, 3 * batch, 3 * batch]);
    });
}

#[test]
fn when_many_batches_wait_all_are_read_before_the_kernel_has_no_room_for_more() {
    in_virtual_time(async {
        let bench = bench();
        bench.capture.do_send(update(7));
        settle().await;
        bench.owner.read_by_then.lock().expect("no panic with the lock").clear();
        bench.wire.arrive((0..20 * BATCH).map(|_| request(11, 12)));
        settle().await;
        let batch = BATCH as u64;
        let read_by_then = bench.owner.read_by_then.lock().expect("no panic with the lock").clone();
        let one_by_one: Vec<u64> = (1..8).map(|number| number * batch).collect();
        assert_eq!(read_by_then, [&one_by_one[..], &[20 * batch; 14]].concat());
    });
}

/// A socket whose link was down returns the error to the reader of the first frame after it.
#[test]
fn the_first_frame_after_a_link_was_down_is_not_left_waiting_for_the_second() {
    in_virtual_time(async {
        let bench = bench();
        bench.capture.do_send(update(7));
        settle().await;
        bench.owner.observed();
        bench.wire.was_down();
        bench.wire.arrive([request(11, 12)]);
        settle().await;
        assert_eq!(heard_in(&bench.owner.observed()), 1);
    });
}

#[test]
fn a_link_that_cannot_be_opened_is_absent_and_tried_again() {
    in_virtual_time(async {
        let bench = bench();
        bench.wire.refuse_to_open(true);
        bench.capture.do_send(update(7));
        settle().await;
        let observed = bench.owner.observed();
        assert!(
            matches!(&observed[..], [(facts, _)] if matches!(facts[..], [Fact::LinkChanged { link: None, .. }]))
        );
        bench.wire.refuse_to_open(false);
        tokio::time::sleep(Duration::from_secs(2)).await;
        settle().await;
        let observed = bench.owner.observed();
        assert!(
            matches!(&observed[..], [(facts, _)] if matches!(facts[..], [Fact::LinkChanged { link: Some(_), .. }]))
        );
    });
}

#[test]
fn a_recreated_interface_gets_a_new_socket_and_a_changed_one_keeps_its() {
    in_virtual_time(async {
        let bench = bench();
        bench.capture.do_send(update(7));
        let (medium, mut changed) = link(7);
        changed.carrier = false;
        bench.capture.do_send(LinkUpdate::present(medium, changed));
        settle().await;
        assert_eq!(bench.wire.opened().len(), 2, "one that receives, one that sends");
        bench.capture.do_send(LinkUpdate(None));
        bench.capture.do_send(update(8));
        settle().await;
        let opened: Vec<u32> = bench.wire.opened().iter().map(|medium| medium.interface).collect();
        assert_eq!(opened, [7, 7, 8, 8]);
    });
}

#[test]
fn the_owner_gets_a_send_port_with_the_link_and_loses_it_with_the_link() {
    in_virtual_time(async {
        let bench = bench();
        bench.capture.do_send(update(7));
        settle().await;
        assert_eq!(bench.owner.send_ports(), [true], "before the link is reported");
        bench.capture.do_send(LinkUpdate(None));
        settle().await;
        assert_eq!(bench.owner.send_ports(), [false]);
    });
}

#[test]
fn stations_are_reported_once_a_batch_and_a_flood_of_them_waits() {
    in_virtual_time(async {
        let bench = bench();
        bench.capture.do_send(update(7));
        settle().await;
        bench.owner.observed();
        let station = |number: u8| LinkAddr::ethernet([2, 0, 0, 0, 0, number]);
        bench.wire.announce_stations([station(2), station(1), station(2)]);
        settle().await;
        let heard = |number| Fact::StationHeard { segment: SegmentId(0), lladdr: station(number) };
        assert_eq!(bench.owner.observed(), [(vec![heard(1), heard(2)], false)]);
        bench.wire.announce_stations((0..3 * BATCH).map(|_| station(1)));
        settle().await;
        assert_eq!(bench.owner.observed(), [(vec![heard(1)], false)], "one batch");
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert_eq!(bench.owner.observed().len(), 2, "and the others later");
        assert_eq!(bench.counters.view().traces, 3 + 3 * BATCH as u64);
    });
}

#[test]
fn nothing_is_read_from_a_link_that_is_gone() {
    in_virtual_time(async {
        let bench = bench();
        bench.capture.do_send(update(7));
        settle().await;
        bench.capture.do_send(LinkUpdate(None));
        settle().await;
        bench.owner.observed();
        bench.wire.announce_stations([LinkAddr::ethernet([2, 0, 0, 0, 0, 1])]);
        settle().await;
        assert_eq!(bench.owner.observed(), []);
    });
}
