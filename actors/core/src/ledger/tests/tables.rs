//! Hosts and routes as operators are shown them.

use super::bench::{A, B, Bench, host};
use crate::ledger::Tables;

#[test]
fn parts_of_any_length_make_the_whole_table() {
    let mut bench = Bench::new();
    for last in 10..30 {
        bench.hears(if last % 2 == 0 { A } else { B }, host(last).speaks());
    }
    let tables = Tables::of(&bench.ledger);
    for most in [1, 3, 19, 20, 21] {
        let (mut hosts, mut routes, mut parts) = (Vec::new(), Vec::new(), 0);
        let mut after = None;
        loop {
            let (some, more) = (tables.hosts(bench.now, after, most), tables.routes(after, most));
            assert_eq!(some.last, more.last);
            assert!(some.rows.len() <= most && parts < 20);
            hosts.extend(some.rows);
            routes.extend(more.rows);
            parts += 1;
            match some.last {
                Some(last) => after = Some(last),
                None => break,
            }
        }
        assert_eq!(parts, 20_usize.div_ceil(most));
        assert_eq!((hosts, routes), (bench.ledger.host_views(bench.now), bench.ledger.route_views()));
    }
    assert_eq!(bench.ledger.host_views(bench.now).len(), 20);
    assert_eq!(bench.ledger.route_views().len(), 21, "one covers the prefix");
}
