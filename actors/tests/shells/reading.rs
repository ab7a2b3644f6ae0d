//! The route owner while the kernel's table is read in full: what it writes meanwhile is newer.

use std::time::Instant;

use arpherd_actors::messages::TableRead;
use arpherd_actors::owner::MarkReady;
use arpherd_core::event::Event;
use arpherd_core::fact::KernelRoute;
use arpherd_core::plan::RoutePlan;
use arpherd_core::{Fact, LinkAddr, SegmentId, Write};

use crate::fakes::{address, in_virtual_time, settle};
use crate::owner::OwnerBench;
use crate::writing::{blocked, puts, until};

/// Our route to a host on the first link.
fn ours(last: u8) -> KernelRoute {
    let RoutePlan { protocol, metric, .. } = RoutePlan::default();
    KernelRoute {
        address: address(last),
        protocol,
        metric,
        interface: 7,
        segment: Some(SegmentId(0)),
        source: Some(address(1)),
        lladdr: LinkAddr::UNKNOWN,
        next_hop: None,
        in_fabric_table: false,
    }
}

/// Host 11 on the first link is known, nobody waits.
async fn quiet() -> OwnerBench {
    let bench = OwnerBench::new().await;
    bench.owner.send(MarkReady).await.expect("the owner lives");
    bench.report(vec![bench.heard(0, 11, 99)]);
    settle().await;
    bench.table.batches();
    bench.events();
    bench
}

/// The table was read, with our routes to these.
async fn was_read(bench: &OwnerBench, begun: Instant, hosts: &[u8]) {
    let routes = hosts.iter().map(|last| ours(*last)).collect();
    bench.owner.send(TableRead { routes, begun }).await.expect("the owner lives");
}

fn is_healed(event: &Event, last: u8) -> bool {
    matches!(event, Event::RouteHealed { address: its, .. } if *its == address(last))
}

/// How often the route to a host was said to be healed, and how often it was written, since the last call.
fn healed_and_written(bench: &OwnerBench, last: u8) -> (usize, usize) {
    let events = bench.events();
    let writes = bench.table.batches().concat();
    let is_put = |write: &&Write| puts(&[vec![**write]], last);
    (events.iter().filter(|event| is_healed(event, last)).count(), writes.iter().filter(is_put).count())
}

fn deletes(writes: &[Write]) -> usize {
    let is_delete = |write: &&Write| matches!(write, Write::DeleteRoute { .. } | Write::DeleteStray(_));
    writes.iter().filter(is_delete).count()
}

#[test]
fn a_route_that_was_written_while_the_table_was_read_is_not_missing_there() {
    in_virtual_time(async {
        let bench = quiet().await;
        let begun = Instant::now();
        bench.report(vec![bench.heard(0, 44, 96)]);
        was_read(&bench, begun, &[11]).await;
        assert_eq!(healed_and_written(&bench, 44), (0, 1));
        was_read(&bench, Instant::now(), &[11]).await;
        assert_eq!(healed_and_written(&bench, 44), (1, 1), "others have deleted it since");
    });
}

#[test]
fn nor_is_one_that_the_thread_is_writing_or_has_written_meanwhile() {
    in_virtual_time(async {
        let bench = blocked().await;
        let begun = Instant::now();
        bench.report(vec![bench.heard(0, 44, 96)]);
        until("the route is being written", || bench.table.is_awaited().then_some(())).await;
        was_read(&bench, Instant::now(), &[11, 33]).await;
        bench.table.block(false);
        let mut events = Vec::new();
        let told = until("the host is told of, which waits for its route", || {
            events.extend(bench.events());
            let is_found =
                |event: &Event| matches!(event, Event::HostFound { address: its, .. } if *its == address(44));
            events.iter().any(is_found).then_some(())
        });
        told.await;
        assert!(!events.iter().any(|event| is_healed(event, 44)), "{events:?}");
        was_read(&bench, begun, &[11, 33]).await;
        assert_eq!(healed_and_written(&bench, 44), (0, 1));
    });
}

#[test]
fn a_route_that_was_deleted_while_the_table_was_read_is_not_deleted_again() {
    in_virtual_time(async {
        let bench = quiet().await;
        let begun = Instant::now();
        bench.report(vec![Fact::ForgetRequested { address: address(11) }]);
        settle().await;
        assert_eq!(deletes(&bench.table.batches().concat()), 1);
        was_read(&bench, begun, &[11]).await;
        assert_eq!(deletes(&bench.table.batches().concat()), 0);
        was_read(&bench, Instant::now(), &[11]).await;
        assert_eq!(deletes(&bench.table.batches().concat()), 1, "others have put it back");
    });
}

#[test]
fn a_table_from_before_all_that_is_remembered_is_read_again() {
    in_virtual_time(async {
        let bench = quiet().await;
        let begun = Instant::now();
        bench.report(vec![Fact::RouteVanished(ours(11)); 9000]);
        settle().await;
        assert_eq!(healed_and_written(&bench, 11), (9000, 9000));
        let before = bench.tables_read();
        was_read(&bench, begun, &[]).await;
        settle().await;
        assert_eq!(bench.tables_read(), before + 1);
        assert_eq!(healed_and_written(&bench, 11), (0, 0));
        was_read(&bench, Instant::now(), &[]).await;
        assert_eq!(healed_and_written(&bench, 11), (1, 1));
    });
}
