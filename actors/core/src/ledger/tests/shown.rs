//! What operators are shown.

use super::bench::{B, Bench, host, ip, mac};
use crate::arp::Heard;
use crate::fact::Fact;

#[test]
fn what_the_ledger_passed_over_is_shown_with_its_segment() {
    let mut bench = Bench::new();
    let arp = host(9).speaks();
    bench.give(Fact::Heard { segment: B, heard: Heard { arp, from: mac(66), mark: None } });
    let shown: Vec<u64> = bench.ledger.segment_views().iter().map(|view| view.counters.mismatched).collect();
    assert_eq!(shown, [0, 1, 0]);
    assert!(bench.ledger.host_views(bench.now).iter().all(|host| host.address != ip(9)));
}
