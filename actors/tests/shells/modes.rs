//! What the answering modes have the route owner do beside answering: ask the kernel for ways, and write what
//! makes the kernel answer.

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};

use actix::{Actor, Context, Handler};
use arpherd_actors::io::Write;
use arpherd_actors::messages::{Finish, Record};
use arpherd_core::plan::{AnswerMode, KernelProxy};
use arpherd_core::{Fact, Heard, Operation, Plan, SegmentId};

use crate::fakes::{address, in_virtual_time, lladdr, plan, request, settle};
use crate::owner::Bench;

/// Out in the world.
const FAR_AWAY: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);

/// In the recorder's place: keeps the facts.
#[derive(Clone, Default)]
struct Facts(Arc<Mutex<Vec<Fact>>>);

impl Actor for Facts {
    type Context = Context<Self>;
}

impl Handler<Record> for Facts {
    type Result = ();

    fn handle(&mut self, Record(facts): Record, _: &mut Self::Context) {
        let mut known = self.0.lock().expect("no panic with the lock");
        known.extend(facts.into_iter().map(|(_, fact)| fact));
    }
}

/// The two segments of all tests, the first with another answer.
fn first(answer: AnswerMode, kernel: KernelProxy) -> Plan {
    let mut plan = plan(None);
    (plan.segments[0].answer, plan.segments[0].kernel) = (answer, kernel);
    plan
}

fn asks_for(target: Ipv4Addr) -> Fact {
    let mut heard: Heard = request(11, 99);
    heard.arp.target = target;
    Fact::Heard { segment: SegmentId(0), heard }
}

#[test]
fn the_kernel_is_asked_for_a_way_and_the_asker_answered_in_the_same_turn() {
    in_virtual_time(async {
        let facts = Facts::default();
        let recorder = facts.clone().start().recipient();
        let bench = Bench::with(first(AnswerMode::Routed, KernelProxy::ProxyArp), Some(recorder)).await;
        let answers = || {
            let replies = bench.frames(0).into_iter().filter(|frame| frame.arp.operation == Operation::Reply);
            replies.map(|frame| (frame.arp.sender, frame.to)).collect::<Vec<_>>()
        };
        for (way, expected) in
            [(None, vec![]), (Some(7), vec![]), (Some(9), vec![(FAR_AWAY, Some(lladdr(11)))])]
        {
            way.into_iter().for_each(|interface| bench.table.lead(FAR_AWAY, interface));
            bench.tell(vec![asks_for(FAR_AWAY)]);
            settle().await;
            assert_eq!(bench.table.asked(), [(7, address(11), FAR_AWAY)]);
            assert_eq!(answers(), expected, "by {way:?}, where 7 is the asker's own");
            let facts = std::mem::take(&mut *facts.0.lock().expect("no panic with the lock"));
            let (segment, asker, asker_lladdr) = (SegmentId(0), address(11), lladdr(11));
            let found = Fact::RouteFound { segment, asker, asker_lladdr, target: FAR_AWAY, interface: way };
            assert_eq!(facts.last(), Some(&found), "what was found is recorded");
        }
        assert_eq!(bench.counters[0].view().answered, 1);
    });
}

#[test]
fn a_known_host_needs_no_way() {
    in_virtual_time(async {
        let bench = Bench::with(first(AnswerMode::Routed, KernelProxy::ProxyArp), None).await;
        bench.tell(vec![bench.hears(1, 22, 99), bench.hears(0, 11, 22)]);
        settle().await;
        assert_eq!(bench.table.asked(), []);
        assert_eq!(bench.counters[0].view().answered, 1);
    });
}

#[test]
fn entries_stand_for_hosts_elsewhere_and_go_with_the_end() {
    in_virtual_time(async {
        let bench = Bench::with(first(AnswerMode::Kernel, KernelProxy::Entries), None).await;
        bench.tell(vec![bench.hears(1, 22, 99), bench.hears(0, 11, 22)]);
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
