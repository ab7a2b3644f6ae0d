//! Magic packets for machines that sleep.

use super::bench::{A, B, Bench, C, SECOND, host, ip, link, mac};
use crate::fact::{Fact, Link};
use crate::ledger::Operator;
use crate::lladdr::LinkAddr;
use crate::order::Order;
use crate::plan::{LinkKind, SegmentId};
use crate::wake::Sleeper;

/// What is said of each place, and where packets went, for whom.
fn wake(bench: &mut Bench, sleeper: Sleeper) -> (Vec<String>, Vec<(SegmentId, LinkAddr)>) {
    let outcomes = Operator::of(&bench.ledger).judge_wake(sleeper);
    let log = bench.give(Fact::WakeRequested { sleeper });
    let orders = log.orders();
    let sent = orders.iter().filter_map(|order| match *order {
        Order::SendMagicPacket { segment, station } => Some((segment, station)),
        _ => None,
    });
    (outcomes.into_iter().map(|row| row.outcome.to_string()).collect(), sent.collect())
}

#[test]
fn a_host_is_woken_where_it_was_heard_last_however_long_ago() {
    let mut bench = Bench::new();
    bench.knows(B, host(9));
    assert_eq!(wake(&mut bench, Sleeper::Host(ip(9))), (vec!["sent".into()], vec![(B, mac(9))]));
    bench.passes(100_000 * SECOND);
    assert_eq!(bench.ledger.host_views(bench.now), [], "it has gone");
    assert_eq!(wake(&mut bench, Sleeper::Host(ip(9))), (vec!["sent".into()], vec![(B, mac(9))]));
    // It came up elsewhere.
    bench.knows(C, host(9).with_mac(77));
    assert_eq!(wake(&mut bench, Sleeper::Host(ip(9))).1, [(C, mac(77))]);
}

#[test]
fn who_cannot_be_woken_is_told_why() {
    let mut bench = Bench::new();
    bench.knows(A, host(9));
    assert_eq!(wake(&mut bench, Sleeper::Host(ip(8))), (vec!["unknown".into()], vec![]));
    assert_eq!(wake(&mut bench, Sleeper::Host(ip(1))), (vec!["own_address".into()], vec![]));
    assert_eq!(wake(&mut bench, Sleeper::Host("10.9.9.9".parse().expect("an address"))), (vec![], vec![]));
    bench.links(A, None);
    assert_eq!(wake(&mut bench, Sleeper::Host(ip(9))), (vec!["segment_down".into()], vec![]));
}

#[test]
fn a_station_is_woken_on_every_segment_that_has_such_addresses() {
    let infiniband =
        "80:00:02:08:fe:80:00:00:00:00:00:00:00:02:c9:03:00:00:00:01".parse().expect("an address");
    let mut bench = Bench::new();
    bench.links(B, Some(Link { kind: LinkKind::Ipoib, lladdr: infiniband, ..link(B) }));
    bench.links(C, None);
    let outcomes = ["sent", "infiniband", "segment_down"].map(String::from).to_vec();
    assert_eq!(wake(&mut bench, Sleeper::Station(mac(7))), (outcomes, vec![(A, mac(7))]));
}

#[test]
fn so_many_are_remembered_and_those_that_went_last_stay() {
    use crate::ledger::departed::Departed;
    use crate::ledger::key::Key;
    use crate::plan::DomainId;

    let key = |number: u32| Key { domain: DomainId(0), address: number.into() };
    let mut departed = Departed::default();
    for number in 0..4096 {
        departed.note(key(number), A, mac(1));
    }
    departed.note(key(0), B, mac(2));
    departed.note(key(9999), A, mac(3));
    assert_eq!(departed.place(&key(1)), None, "it went first");
    assert_eq!(departed.place(&key(0)), Some((B, mac(2))), "it came and went again");
    assert_eq!(departed.place(&key(9999)), Some((A, mac(3))));
}

#[test]
fn a_sleeper_is_an_address_of_either_kind() {
    for (text, sleeper) in [
        ("10.2.0.9", Sleeper::Host([10, 2, 0, 9].into())),
        ("02:00:00:00:00:07", Sleeper::Station(LinkAddr::ethernet([2, 0, 0, 0, 0, 7]))),
    ] {
        assert_eq!(text.parse(), Ok(sleeper));
        assert_eq!(sleeper.to_string(), text);
        let json = serde_json::to_string(&sleeper).expect("JSON");
        assert_eq!(serde_json::from_str::<Sleeper>(&json).expect("the same"), sleeper);
    }
    for wrong in
        ["", "10.2.0", "ff:ff:ff:ff:ff:ff", "80:00:02:08:fe:80:00:00:00:00:00:00:00:02:c9:03:00:00:00:01"]
    {
        assert!(wrong.parse::<Sleeper>().is_err(), "{wrong}");
    }
}
