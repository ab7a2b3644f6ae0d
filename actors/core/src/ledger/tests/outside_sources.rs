//! A source outside of the domain's prefixes: some hosts answer only requests in its name, some only those in nobody's.

use super::bench::{A, B, Bench, SECOND, host, ip, mac, ms, plan};
use super::log::{Log, put_with_source};
use crate::arp::{Arp, Operation};
use crate::fact::Fact;
use crate::order::Purpose;
use crate::plan::SegmentId;
use crate::{Address, LinkAddr};

const OUTSIDE: Address = Address::new(192, 0, 2, 1);

/// Two segments with the source.
fn bench() -> Bench {
    let mut plan = plan(2);
    for segment in &mut plan.segments {
        segment.sources = vec![OUTSIDE];
    }
    let mut bench = Bench::with(plan);
    bench.give(Fact::AddressesChanged { addresses: vec![ip(1), OUTSIDE] });
    bench
}

/// The senders of requests for the address on the segment.
fn askers(log: &Log, segment: SegmentId, target: Address) -> Vec<Address> {
    let requests = log.frames(Purpose::Search).into_iter().chain(log.frames(Purpose::Verify));
    let about_it = requests.filter(|(place, frame)| (*place, frame.arp.target) == (segment, target));
    about_it.map(|(_, frame)| frame.arp.sender).collect()
}

fn reply(last: u8, to: Address) -> Arp {
    Arp { operation: Operation::Reply, target: to, target_lladdr: LinkAddr::UNKNOWN, ..host(last).replies() }
}

#[test]
fn a_target_is_searched_for_in_its_name_and_in_nobodys() {
    for asked_as in [OUTSIDE, Address::UNSPECIFIED] {
        let mut bench = bench();
        let log = bench.hears(A, host(9).asks(ip(20)));
        assert_eq!(askers(&log, B, ip(20)), [OUTSIDE, Address::UNSPECIFIED]);
        let log = bench.hears(B, reply(20, asked_as));
        assert_eq!(log.answers(), [(A, ip(20), mac(9))], "whichever it answered");
        assert_eq!(log.routes(), [put_with_source(B, ip(20), OUTSIDE)]);
    }
}

#[test]
fn a_quiet_host_is_probed_in_both_names_and_lives_by_either() {
    let mut bench = bench();
    bench.knows(A, host(9));
    let log = bench.passes(30 * SECOND);
    assert_eq!(askers(&log, A, ip(9)), [OUTSIDE, Address::UNSPECIFIED]);
    bench.hears(A, reply(9, Address::UNSPECIFIED));
    let log = bench.passes(29 * SECOND);
    assert_eq!(askers(&log, A, ip(9)), [] as [Address; 0]);
}

#[test]
fn on_behalf_of_a_prober_nobody_is_asked_in_nobodys_name() {
    let mut bench = bench();
    let mut log = bench.hears(A, host(9).probes());
    log.append(bench.passes(ms(500)));
    assert_eq!(askers(&log, B, ip(9)), [OUTSIDE]);
}

#[test]
fn a_sweep_bears_both_names() {
    let bench = bench();
    let context = bench.ledger.sweep_context(A).expect("the segment is up");
    assert_eq!(context.senders, [OUTSIDE, Address::UNSPECIFIED]);
}
