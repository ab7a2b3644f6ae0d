//! What a new link-layer address of our own means for the segment's own hosts.

use super::bench::{A, B, Bench, host, link, mac};
use super::log::put_neighbour;
use crate::fact::Link;

#[test]
fn neighbours_the_kernel_forgot_with_our_old_address_are_written_again() {
    let mut bench = Bench::new();
    bench.knows(A, host(9));
    bench.knows(B, host(20));
    let log = bench.links(A, Some(Link { lladdr: mac(200), ..link(A) }));
    assert_eq!(log.neighbours(), [put_neighbour(A, 9, mac(9))]);
}
