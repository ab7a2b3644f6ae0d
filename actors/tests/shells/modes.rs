//! What the answering modes have the route owner do beside answering: look up routes in the kernel, and write
//! the entries by which the kernel answers.

use arpherd_core::Write;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};

use actix::{Actor, Context, Handler};
use arpherd_actors::messages::{Finish, RecordFacts};
use arpherd_core::fact::PendingRequest;
use arpherd_core::plan::{AnswerMode, KernelProxy};
use arpherd_core::{Fact, Heard, Operation, Plan, SegmentId};

use crate::fakes::{address, in_virtual_time, lladdr, plan, request, settle};
use crate::owner::OwnerBench;

/// Outside the domain.
const FAR_AWAY: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);

/// In the recorder's place: keeps the facts.
#[derive(Clone, Default)]
struct FakeRecorder(Arc<Mutex<Vec<Fact>>>);

impl Actor for FakeRecorder {
    type Context = Context<Self>;
}

impl Handler<RecordFacts> for FakeRecorder {
    type Result = ();

    fn handle(&mut self, RecordFacts(facts): RecordFacts, _: &mut Self::Context) {
        let mut known = self.0.lock().expect("no panic with the lock");
        known.extend(facts.into_iter().map(|(_, fact)| fact));
    }
}

/// The two segments of all tests, the first with another mode of answering.
fn first(answer: AnswerMode, kernel: KernelProxy) -> Plan {
    let mut plan = plan(None);
    (plan.segments[0].answer, plan.segments[0].kernel.proxy) = (answer, kernel);
    plan
}

fn request_for(target: Ipv4Addr) -> Fact {
    let mut heard: Heard = request(11, 99);
    heard.arp.target = target;
    Fact::Heard { segment: SegmentId(0), heard }
}

#[test]
fn a_route_is_looked_up_and_the_requester_answered_while_one_message_is_handled() {
    in_virtual_time(async {
        let recorded = FakeRecorder::default();
        let recorder = recorded.clone().start().recipient();
        let bench = OwnerBench::with(first(AnswerMode::Routed, KernelProxy::ProxyArp), Some(recorder)).await;
        let answers = || {
            let replies = bench.frames(0).into_iter().filter(|frame| frame.arp.operation == Operation::Reply);
            replies.map(|frame| (frame.arp.sender, frame.to)).collect::<Vec<_>>()
        };
        for (interface, expected) in
            [(None, vec![]), (Some(7), vec![]), (Some(9), vec![(FAR_AWAY, Some(lladdr(11)))])]
        {
            interface.into_iter().for_each(|interface| bench.table.add_route(FAR_AWAY, interface));
            bench.report(vec![request_for(FAR_AWAY)]);
            settle().await;
            assert_eq!(bench.table.lookups(), [(7, address(11), FAR_AWAY)]);
            assert_eq!(answers(), expected, "by {interface:?}, where 7 is the requester's own");
            let facts = std::mem::take(&mut *recorded.0.lock().expect("no panic with the lock"));
            let (segment, requester, lladdr) = (SegmentId(0), address(11), lladdr(11));
            let request = PendingRequest { segment, requester, lladdr, target: FAR_AWAY };
            let looked_up = Fact::RouteLookedUp { request, interface };
            assert_eq!(facts.last(), Some(&looked_up), "the result is recorded");
        }
        assert_eq!(bench.counters[0].view().answered, 1);
    });
}

#[test]
fn a_known_host_needs_no_route_lookup() {
    in_virtual_time(async {
        let bench = OwnerBench::with(first(AnswerMode::Routed, KernelProxy::ProxyArp), None).await;
        bench.report(vec![bench.heard(1, 22, 99), bench.heard(0, 11, 22)]);
        settle().await;
        assert_eq!(bench.table.lookups(), []);
        assert_eq!(bench.counters[0].view().answered, 1);
    });
}

#[test]
fn entries_stand_for_hosts_elsewhere_and_go_with_the_end() {
    in_virtual_time(async {
        let bench = OwnerBench::with(first(AnswerMode::Kernel, KernelProxy::Entries), None).await;
        bench.report(vec![bench.heard(1, 22, 99), bench.heard(0, 11, 22)]);
        settle().await;
        let puts = |writes: Vec<Write>| {
            let puts = writes.into_iter().filter(|write| matches!(write, Write::PutProxy { .. }));
            puts.collect::<Vec<_>>()
        };
        let entry = Write::PutProxy { interface: 7, address: address(22) };
        assert_eq!(puts(bench.table.batches().concat()), [entry]);
        assert_eq!(bench.counters[0].view().answered, 0, "the kernel answers");
        bench.owner.send(Finish { purge: true }).await.expect("the owner lives");
        let gone = Write::DeleteProxy { interface: 7, address: address(22) };
        assert!(bench.table.batches().concat().contains(&gone));
    });
}
