//! The route owner while the kernel makes it wait: who need not wait, and who does.

use std::time::{Duration, Instant};

use arpherd_actors::messages::Finish;
use arpherd_actors::owner::MarkReady;
use arpherd_core::event::Event;
use arpherd_core::{Frame, Operation, Write};

use crate::fakes::{address, in_virtual_time, lladdr, settle, spend};
use crate::owner::OwnerBench;

const LIMIT: Duration = Duration::from_secs(10);

/// Hosts 11 on the first link and 22 on the second are known, and a write has just taken long: the next waits until the
/// table is unblocked.
pub(crate) async fn blocked() -> OwnerBench {
    let bench = OwnerBench::new().await;
    bench.owner.send(MarkReady).await.expect("the owner lives");
    bench.report(vec![bench.heard(0, 11, 99), bench.heard(1, 22, 98)]);
    settle().await;
    bench.table.delay_next(Duration::from_millis(20));
    bench.report(vec![bench.heard(0, 33, 97)]);
    settle().await;
    bench.table.batches();
    bench.events();
    bench.table.block(true);
    bench
}

/// The replies sent on a link since the last call: for whom, and to whom.
fn replies(frames: &[Frame]) -> Vec<(u8, u8)> {
    let replies = frames.iter().filter(|frame| frame.arp.operation == Operation::Reply);
    replies.map(|frame| (frame.arp.sender.octets()[3], frame.arp.target.octets()[3])).collect()
}

/// Waits for a thread's work to show.
pub(crate) async fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        settle().await;
        if let Some(found) = look() {
            return found;
        }
        assert!(begun.elapsed() < LIMIT, "{what}");
        std::thread::yield_now();
    }
}

pub(crate) fn puts(batches: &[Vec<Write>], last: u8) -> bool {
    let is_its =
        |write: &Write| matches!(write, Write::PutRoute { address: its, .. } if *its == address(last));
    batches.concat().iter().any(is_its)
}

#[test]
fn known_hosts_are_answered_for_while_a_route_waits_for_the_kernel_and_new_ones_when_it_stands() {
    in_virtual_time(async {
        let bench = blocked().await;
        bench.report(vec![bench.heard(0, 44, 22)]);
        until("the route is being written", || bench.table.is_awaited().then_some(())).await;
        bench.report(vec![bench.heard(1, 22, 44), bench.heard(0, 11, 22)]);
        bench.report(vec![bench.heard(1, 22, 11)]);
        settle().await;
        assert_eq!(replies(&bench.frames(0)), [(22, 11)], "not to the new host, whose route does not stand");
        assert_eq!(replies(&bench.frames(1)), [(11, 22)], "not for the new host");
        assert_eq!(bench.table.batches(), Vec::<Vec<Write>>::new());
        assert_eq!(bench.events(), [], "nothing is told that is not so yet");
        bench.table.block(false);
        let answered = until("the new host is answered", || {
            Some(replies(&bench.frames(0))).filter(|replies| !replies.is_empty())
        });
        assert_eq!(answered.await, [(22, 44)]);
        assert_eq!(replies(&bench.frames(1)), [(44, 22)]);
        assert!(puts(&bench.table.batches(), 44));
        let events = bench.events();
        assert!(
            events
                .iter()
                .any(|event| matches!(event, Event::HostFound { address: its, .. } if *its == address(44))),
            "{events:?}"
        );
        assert_eq!(bench.counters[0].view().answered + bench.counters[1].view().answered, 4);
    });
}

#[test]
fn nobody_is_answered_for_a_host_whose_route_is_refused_in_the_end() {
    in_virtual_time(async {
        let bench = blocked().await;
        bench.table.refuse(Some((address(44), 12)));
        bench.report(vec![bench.heard(0, 44, 96)]);
        until("the route is being written", || bench.table.is_awaited().then_some(())).await;
        bench.report(vec![bench.heard(1, 22, 44)]);
        settle().await;
        assert_eq!(replies(&bench.frames(1)), []);
        bench.table.block(false);
        let is_refused = |event: &Event| matches!(event, Event::RouteRefused { errno: 12, .. });
        until("the refusal is told", || bench.events().iter().any(is_refused).then_some(())).await;
        bench.report(vec![bench.heard(1, 22, 11)]);
        settle().await;
        assert_eq!(replies(&bench.frames(1)), [(11, 22)], "and not for the one without a route");
    });
}

#[test]
fn the_end_waits_for_what_is_being_written_and_comes_after_it() {
    in_virtual_time(async {
        let bench = blocked().await;
        bench.report(vec![bench.heard(0, 44, 96)]);
        until("the route is being written", || bench.table.is_awaited().then_some(())).await;
        let table = bench.table.clone();
        let kernel = std::thread::spawn(move || {
            spend(Duration::from_millis(20));
            table.block(false);
        });
        bench.owner.send(Finish { purge: true }).await.expect("the owner lives");
        kernel.join().expect("unblocked");
        let writes = bench.table.batches().concat();
        let at = |wanted: fn(&Write) -> bool| writes.iter().position(wanted);
        let put = at(|write| matches!(write, Write::PutRoute { address: its, .. } if *its == address(44)));
        let deleted =
            at(|write| matches!(write, Write::DeleteRoute { address: its, .. } if *its == address(44)));
        assert!(put.is_some() && put < deleted, "{writes:?}");
        assert!(bench.events().iter().any(|event| matches!(event, Event::HostFound { .. })));
    });
}

/// It costs a new host no switch of threads.
#[test]
fn a_write_that_takes_no_time_is_done_before_the_next_message() {
    in_virtual_time(async {
        let bench = OwnerBench::new().await;
        bench.owner.send(MarkReady).await.expect("the owner lives");
        bench.report(vec![bench.heard(0, 11, 99)]);
        settle().await;
        assert!(puts(&bench.table.batches(), 11));
        let reply = (address(11), lladdr(22));
        bench.report(vec![bench.heard(1, 22, 11)]);
        settle().await;
        let frames = bench.frames(1);
        assert!(
            frames.iter().any(|frame| (frame.arp.sender, frame.arp.target_lladdr) == reply),
            "{frames:?}"
        );
    });
}
