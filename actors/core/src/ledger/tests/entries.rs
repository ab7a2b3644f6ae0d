//! The kernel's neighbour entries: they follow the ledger, not whoever spoke last.

use super::bench::{A, B, Bench, SECOND, host, mac, ms};
use super::log::put_neighbour;
use crate::arp::Heard;
use crate::fact::Fact;

#[test]
fn a_claim_on_the_hosts_own_link_leaves_the_kernel_with_the_incumbent() {
    let mut bench = Bench::new();
    bench.knows(A, host(9));
    let again = [put_neighbour(A, 9, mac(9))];
    assert_eq!(bench.hears(A, host(9).with_mac(99).announces()).neighbours(), again);
    assert_eq!(
        bench.hears(A, host(9).with_mac(99).announces()).neighbours(),
        again,
        "the claim is under way"
    );
    bench.hears(A, host(9).replies());
    bench.passes(ms(500));
    assert_eq!(bench.hears(A, host(9).with_mac(99).announces()).neighbours(), again, "it was refused");
}

#[test]
fn an_unsolicited_reply_leaves_the_kernel_with_the_incumbent() {
    let mut bench = Bench::new();
    bench.knows(A, host(9));
    let log = bench.hears(A, host(9).with_mac(99).replies());
    assert_eq!(log.neighbours(), [put_neighbour(A, 9, mac(9))]);
}

#[test]
fn a_frame_from_another_station_than_it_says_leaves_the_kernel_with_the_incumbent() {
    let mut bench = Bench::new();
    bench.knows(A, host(9));
    let arp = host(9).with_mac(99).announces();
    let log = bench.give(Fact::Heard { segment: A, heard: Heard { arp, from: mac(66), mark: None } });
    assert_eq!(log.orders(), [put_neighbour(A, 9, mac(9))]);
    // A repeater forwards what the host itself said.
    let arp = host(9).announces();
    assert!(
        bench.give(Fact::Heard { segment: A, heard: Heard { arp, from: mac(66), mark: None } }).is_empty()
    );
}

#[test]
fn claims_from_another_link_do_not_concern_an_entry() {
    let mut bench = Bench::new();
    bench.knows(A, host(9));
    assert!(bench.hears(B, host(9).with_mac(99).announces()).neighbours().is_empty());
    bench.hears(A, host(9).replies());
    assert!(bench.passes(SECOND).neighbours().is_empty());
}
