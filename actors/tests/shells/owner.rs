//! The route owner: the order in which it carries out orders, its one timer, and refusals.

use arpherd_core::Write;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use actix::{Actor, Addr, Context, Handler, Recipient};
use arpherd_actors::clock::Clock;
use arpherd_actors::counters::Counters;
use arpherd_actors::dispatch::SegmentSinks;
use arpherd_actors::messages::{
    Finish, GetSweepContext, HostsSeen, Observed, ReadTable, RecordFacts, RunQuery, SendPort, SetSweep,
};
use arpherd_actors::owner::{Connect, RouteOwner};
use arpherd_actors::peer::Peer;
use arpherd_core::sweep::SweepContext;
use arpherd_core::view::{Query, Response};
use arpherd_core::{Event, Fact, Frame, Ledger, Operation, Plan, SegmentId};

use crate::fakes::{
    FakeLink, FakeTable, address, in_virtual_time, link, lladdr, plan, quiet_log, request, settle,
};

/// In the watch's place: counts how often it is to read the table.
#[derive(Clone, Default)]
struct FakeWatch(Arc<Mutex<u32>>);

impl Actor for FakeWatch {
    type Context = Context<Self>;
}

impl Handler<ReadTable> for FakeWatch {
    type Result = ();

    fn handle(&mut self, _: ReadTable, _: &mut Self::Context) {
        *self.0.lock().expect("no panic with the lock") += 1;
    }
}

/// In the sweep actors' place: remembers what hosts it was told of.
#[derive(Clone, Default)]
struct FakeSweep(Arc<Mutex<Vec<Ipv4Addr>>>);

impl Actor for FakeSweep {
    type Context = Context<Self>;
}

impl Handler<SetSweep> for FakeSweep {
    type Result = ();

    fn handle(&mut self, _: SetSweep, _: &mut Self::Context) {}
}

impl Handler<HostsSeen> for FakeSweep {
    type Result = ();

    fn handle(&mut self, HostsSeen(hosts): HostsSeen, _: &mut Self::Context) {
        self.0.lock().expect("no panic with the lock").extend(hosts);
    }
}

/// A route owner between two links.
pub(crate) struct OwnerBench {
    pub(crate) table: FakeTable,
    wires: Vec<FakeLink>,
    pub(crate) counters: Vec<Arc<Counters>>,
    watch: FakeWatch,
    sweep: FakeSweep,
    events: Arc<Mutex<Vec<Event>>>,
    pub(crate) owner: Addr<RouteOwner>,
}

/// So that a test that fails ends: the writing thread is waited for.
impl Drop for OwnerBench {
    fn drop(&mut self) {
        self.table.block(false);
    }
}

impl OwnerBench {
    /// Two links up, nobody known.
    pub(crate) async fn new() -> Self {
        Self::with(plan(None), None).await
    }

    /// The same with another plan, and a recorder of the facts.
    pub(crate) async fn with(plan: Plan, recorder: Option<Recipient<RecordFacts>>) -> Self {
        let (table, events) = (FakeTable::default(), Arc::new(Mutex::new(Vec::new())));
        let emitted = events.clone();
        let event_sink = Box::new(move |event: &Event| {
            emitted.lock().expect("no panic with the lock").push(event.clone());
        });
        let ledger = Ledger::new(&plan);
        let owner =
            RouteOwner::new(ledger, Box::new(table.clone()), Clock::start(), event_sink, quiet_log()).start();
        let wires = vec![FakeLink::default(), FakeLink::default()];
        let counters: Vec<Arc<Counters>> = vec![Arc::default(), Arc::default()];
        let (watch, sweep_actor) = (FakeWatch::default(), FakeSweep::default());
        let actor = Arc::new(sweep_actor.clone().start());
        let sweep = Some((actor.clone() as Peer<SetSweep>, actor as Peer<HostsSeen>));
        owner.do_send(Connect {
            sinks: counters
                .iter()
                .map(|it| Some(SegmentSinks { sweep: sweep.clone(), counters: it.clone() }))
                .collect(),
            watch: watch.clone().start().recipient(),
            wifi: None,
            cover: None,
            leases: None,
            recorder,
        });
        for (segment, wire) in (0..).map(SegmentId).zip(&wires) {
            owner.do_send(SendPort { segment, port: Some(Box::new(wire.clone())) });
        }
        let bench = Self { table, wires, counters, watch, sweep: sweep_actor, events, owner };
        bench.report(vec![
            Fact::AddressesChanged { addresses: vec![address(1)] },
            Fact::LinkChanged { segment: SegmentId(0), link: Some(link(7).1) },
            Fact::LinkChanged { segment: SegmentId(1), link: Some(link(8).1) },
        ]);
        settle().await;
        bench.table.batches();
        bench
    }

    pub(crate) fn report(&self, facts: Vec<Fact>) {
        self.owner.do_send(Observed::of(facts));
    }

    pub(crate) fn heard(&self, segment: u16, from: u8, target: u8) -> Fact {
        Fact::Heard { segment: SegmentId(segment), heard: request(from, target) }
    }

    pub(crate) fn frames(&self, segment: usize) -> Vec<Frame> {
        self.wires[segment].sent()
    }

    /// The events since the last call.
    pub(crate) fn events(&self) -> Vec<Event> {
        std::mem::take(&mut self.events.lock().expect("no panic with the lock"))
    }

    /// How often the owner has had the table read.
    pub(crate) fn tables_read(&self) -> u32 {
        *self.watch.0.lock().expect("no panic with the lock")
    }

    /// The hosts that were reported to sweeps since the last call.
    fn reported(&self) -> Vec<Ipv4Addr> {
        std::mem::take(&mut self.sweep.0.lock().expect("no panic with the lock"))
    }

    /// What the first segment's sweep is told. `wants_hosts`: see [`GetSweepContext`].
    async fn sweep_context(&self, wants_hosts: Weak<()>) -> Option<SweepContext> {
        let request = GetSweepContext { segment: SegmentId(0), wants_hosts };
        self.owner.send(request).await.expect("the owner lives")
    }

    pub(crate) async fn hosts(&self) -> Vec<Ipv4Addr> {
        let query = RunQuery { query: Query::Hosts, after: None };
        match self.owner.send(query).await.expect("the owner lives").response {
            Response::Hosts(hosts) => hosts.iter().map(|host| host.address).collect(),
            other => panic!("expected hosts, got {other:?}"),
        }
    }
}

#[test]
fn routes_are_written_before_anybody_is_answered_and_neighbours_after_the_burst() {
    in_virtual_time(async {
        let bench = OwnerBench::new().await;
        bench.report(vec![bench.heard(0, 11, 99)]);
        let facts = vec![bench.heard(1, 22, 11)];
        bench.owner.do_send(Observed { more: true, ..Observed::of(facts) });
        settle().await;
        let batches = bench.table.batches();
        let is_route = |write: &Write| matches!(write, Write::PutRoute { .. });
        assert!(batches[0].iter().all(is_route), "{batches:?}");
        assert!(!batches[1].iter().any(is_route), "{batches:?}");
        assert_eq!(
            batches.len(),
            3,
            "the second host's neighbour entry waits for the burst's end: {batches:?}"
        );
        bench.owner.do_send(Observed::of(Vec::new()));
        settle().await;
        let late = bench.table.batches().concat();
        assert!(matches!(late[..], [Write::PutNeighbour { interface: 8, .. }]), "{late:?}");
        let answers = bench.frames(1);
        let reply = answers.iter().find(|frame| frame.arp.operation == Operation::Reply).expect("a reply");
        assert_eq!((reply.arp.sender, reply.arp.sender_lladdr), (address(11), lladdr(8)));
        assert_eq!(reply.to, Some(lladdr(22)));
    });
}

#[test]
fn where_nobody_waits_for_an_answer_route_and_neighbour_are_one_message() {
    in_virtual_time(async {
        let bench = OwnerBench::new().await;
        bench.report(vec![bench.heard(0, 11, 11)]);
        settle().await;
        let batches = bench.table.batches();
        let [batch] = &batches[..] else { panic!("{batches:?}") };
        assert!(matches!(batch[..], [Write::PutRoute { .. }, Write::PutNeighbour { .. }]), "{batch:?}");
    });
}

#[test]
fn a_silent_host_is_verified_and_dropped_by_the_one_timer() {
    in_virtual_time(async {
        let bench = OwnerBench::new().await;
        bench.report(vec![bench.heard(0, 11, 12)]);
        settle().await;
        bench.table.batches();
        bench.frames(0);
        tokio::time::sleep(Duration::from_secs(34)).await;
        settle().await;
        assert_eq!(bench.hosts().await, [address(11)]);
        tokio::time::sleep(Duration::from_secs(5)).await;
        settle().await;
        assert!(bench.hosts().await.is_empty());
        let is_unicast: Vec<bool> = bench.frames(0).iter().map(|frame| frame.to.is_some()).collect();
        assert_eq!(is_unicast, [true, true, true, false, false], "three by unicast, two by broadcast");
        let writes = bench.table.batches().concat();
        assert!(writes.iter().any(|write| matches!(write, Write::DeleteRoute { interface: 7, .. })));
    });
}

#[test]
fn a_refused_route_is_reported_and_retried_and_answered_for_only_when_it_stands() {
    in_virtual_time(async {
        let bench = OwnerBench::new().await;
        bench.table.refuse(Some((address(11), 22)));
        bench.report(vec![bench.heard(0, 11, 99)]);
        settle().await;
        bench.report(vec![bench.heard(1, 22, 11)]);
        settle().await;
        let is_answer = |frame: &Frame| frame.arp.operation == Operation::Reply;
        assert!(!bench.frames(1).iter().any(is_answer), "no route, no answer");
        let refused = |event: &Event| matches!(event, Event::RouteRefused { errno: 22, .. });
        assert!(bench.events.lock().expect("no panic with the lock").iter().any(refused));
        bench.table.refuse(None);
        tokio::time::sleep(Duration::from_secs(2)).await;
        bench.report(vec![bench.heard(1, 22, 11)]);
        settle().await;
        assert!(bench.frames(1).iter().any(is_answer));
    });
}

#[test]
fn an_answer_does_not_go_out_when_its_route_was_refused_in_the_same_batch() {
    in_virtual_time(async {
        let bench = OwnerBench::new().await;
        bench.report(vec![bench.heard(1, 22, 11)]);
        settle().await;
        bench.frames(1);
        bench.table.refuse(Some((address(11), 22)));
        bench.report(vec![bench.heard(0, 11, 99)]);
        settle().await;
        assert!(bench.frames(1).iter().all(|frame| frame.arp.operation == Operation::Request));
        assert_eq!(bench.counters[1].view().answered, 0);
    });
}

#[test]
fn a_route_that_already_stands_has_the_table_read() {
    in_virtual_time(async {
        let bench = OwnerBench::new().await;
        bench.table.refuse(Some((address(11), 17)));
        bench.report(vec![bench.heard(0, 11, 99)]);
        settle().await;
        assert_eq!(bench.tables_read(), 1);
    });
}

#[test]
fn a_sweep_gets_the_known_hosts_and_our_own_addresses() {
    in_virtual_time(async {
        let bench = OwnerBench::new().await;
        bench.report(vec![bench.heard(1, 22, 99)]);
        let context = bench.sweep_context(Weak::new()).await.expect("it is up");
        assert_eq!((context.senders, context.lladdr), (vec![address(1)], lladdr(7)));
        let mut skip = context.skip;
        skip.sort_unstable();
        let nobodys = [address(0), address(255)];
        assert_eq!(skip, [nobodys[0], address(1), address(22), nobodys[1]]);
        bench.report(vec![Fact::LinkChanged { segment: SegmentId(0), link: None }]);
        assert!(bench.sweep_context(Weak::new()).await.is_none());
    });
}

#[test]
fn hosts_are_reported_to_a_sweep_from_its_context_on_until_it_wants_no_more() {
    in_virtual_time(async {
        let bench = OwnerBench::new().await;
        let hear = async |last: u8| {
            bench.report(vec![bench.heard(0, last, 99)]);
            settle().await;
        };
        hear(11).await;
        assert!(bench.reported().is_empty(), "nobody sweeps");
        let wants_hosts = Arc::new(());
        let context = bench.sweep_context(Arc::downgrade(&wants_hosts)).await.expect("it is up");
        assert!(context.skip.contains(&address(11)));
        hear(12).await;
        bench.report(vec![bench.heard(1, 22, 99)]);
        settle().await;
        assert_eq!(bench.reported(), [address(12)], "of the swept segment");
        drop(wants_hosts);
        hear(13).await;
        assert!(bench.reported().is_empty());
    });
}

#[test]
fn what_is_sent_is_counted_and_so_is_what_has_no_link_to_go_to() {
    in_virtual_time(async {
        let bench = OwnerBench::new().await;
        bench.report(vec![bench.heard(1, 22, 99), bench.heard(0, 11, 22)]);
        settle().await;
        let view = bench.counters[0].view();
        assert_eq!((view.answered, view.probed, view.dropped), (1, 1, 0), "an answer, and a search for .99");
        bench.owner.do_send(SendPort { segment: SegmentId(0), port: None });
        bench.report(vec![bench.heard(0, 11, 22)]);
        settle().await;
        assert_eq!((bench.counters[0].view().answered, bench.counters[0].view().dropped), (1, 1));
    });
}

#[test]
fn the_end_takes_everything_away_only_if_asked_to() {
    for purge in [true, false] {
        in_virtual_time(async move {
            let bench = OwnerBench::new().await;
            bench.report(vec![bench.heard(0, 11, 99), bench.heard(1, 22, 99)]);
            settle().await;
            bench.table.batches();
            bench.owner.send(Finish { purge }).await.expect("the owner lives");
            let writes = bench.table.batches().concat();
            let deleted = writes.iter().filter(|write| matches!(write, Write::DeleteRoute { .. })).count();
            let covers = writes.iter().filter(|write| matches!(write, Write::DeleteCover { .. })).count();
            assert_eq!((deleted, covers), if purge { (2, 1) } else { (0, 0) }, "purge: {purge}");
        });
    }
}
