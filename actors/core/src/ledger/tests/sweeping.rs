//! What a sweep leaves out.

use super::bench::{A, B, Bench, host, ip, net, own_mac, plan};
use crate::sweep::SweepContext;

#[test]
fn a_sweep_leaves_out_known_hosts_and_our_own_addresses() {
    let mut bench = Bench::new();
    bench.knows(A, host(9));
    bench.knows(B, host(20));
    let SweepContext { senders, lladdr, from, prefixes, skip, .. } =
        bench.ledger.sweep_context(A).expect("the segment is up");
    assert_eq!((senders, lladdr, from), (vec![ip(1)], own_mac(A), None));
    assert_eq!(prefixes, [net("10.0.0.0/24")]);
    assert!([1, 9, 20].iter().all(|last| skip.contains(&ip(*last))), "{skip:?}");
    assert!(!skip.contains(&ip(10)));
}

#[test]
fn a_sweep_of_the_larger_segment_leaves_out_the_edges_of_a_sub_subnet_in_it() {
    let mut plan = plan(2);
    plan.segments[0].addresses.prefixes = vec![net("10.0.0.64/28")];
    let bench = Bench::with(plan);
    let skip = bench.ledger.sweep_context(B).expect("the segment is up").skip;
    assert!([64, 79].iter().all(|last| skip.contains(&ip(*last))), "{skip:?}");
    assert!(!skip.contains(&ip(65)));
}
