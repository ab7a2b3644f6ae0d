//! All hosts behind other gateways, part by part, and how many.

use std::net::Ipv4Addr;

use super::bench::{A, Bench, host, ip, mac, net, segment};
use super::fabric::{appears, bench, fabric_plan, remote};
use crate::Tables;
use crate::fact::{Fact, KernelRoute};
use crate::plan::{DomainId, DomainPlan};

/// Three addresses of each of three prefixes.
fn subnets() -> impl Iterator<Item = Ipv4Addr> {
    let of = |third| (1..=3).map(move |last| Ipv4Addr::new(10, 0, third, last));
    of(5).chain(of(1)).chain(of(3))
}

#[test]
fn parts_follow_one_another_by_domain_though_prefixes_do_not() {
    let mut plan = fabric_plan();
    let spans = |domain: &mut DomainPlan, texts: &[&str]| {
        domain.prefixes = texts.iter().map(|text| net(text)).collect();
    };
    let mut second = DomainPlan { name: "second".to_owned(), ..plan.domains[0].clone() };
    spans(&mut plan.domains[0], &["10.0.5.0/24", "10.0.1.0/24"]);
    spans(&mut second, &["10.0.3.0/24"]);
    plan.domains.push(second);
    for segment in &mut plan.segments {
        segment.addresses.prefixes.clone_from(&plan.domains[0].prefixes);
    }
    plan.segments.push({
        let mut other = segment('d', &[net("10.0.3.0/24")]);
        other.domain = DomainId(1);
        other
    });
    let mut bench = Bench::with(plan);
    for address in subnets() {
        bench.give(Fact::RouteAppeared(KernelRoute { address, ..remote(9) }));
    }
    let mut wanted: Vec<(u16, Ipv4Addr)> =
        subnets().map(|address| (u16::from(address.octets()[2] == 3), address)).collect();
    wanted.sort_unstable();
    for most in 1..=10 {
        let (mut seen, mut after) = (Vec::new(), None);
        loop {
            let part = Tables::of(&bench.ledger).hosts(bench.now, after, most);
            assert!(part.rows.len() <= most);
            seen.extend(part.rows.iter().map(|row| (u16::from(&*row.domain == "second"), row.address)));
            after = part.last;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(seen, wanted, "in parts of {most}");
    }
    assert_eq!(bench.ledger.status_view().missing.remote_hosts, 9);
}

#[test]
fn who_lives_here_too_or_is_known_better_is_not_counted() {
    let mut plan = fabric_plan();
    plan.segments[0].addresses.pins.insert(ip(10), mac(10));
    let mut bench = Bench::with(plan);
    bench.knows(A, host(9));
    let count = |bench: &Bench| bench.ledger.status_view().missing.remote_hosts;
    // A host here, a pinned one, this machine, and one of somebody else's that the kernel prefers.
    for last in [9, 10, 1, 12] {
        appears(&mut bench, last);
    }
    bench.give(Fact::RouteAppeared(super::bench::foreign_route(12)));
    assert_eq!(count(&bench), 0);
    for last in [20, 21, 20] {
        appears(&mut bench, last);
    }
    assert_eq!(count(&bench), 2);
    bench.give(Fact::RouteAppeared(KernelRoute { metric: 99, ..remote(21) }));
    assert_eq!(count(&bench), 2, "two routes of one host");
    bench.give(Fact::RouteVanished(remote(21)));
    assert_eq!(count(&bench), 2, "the other one stands");
    bench.give(Fact::TableRead { routes: vec![remote(30), super::bench::our_route(A, 9)] });
    assert_eq!(count(&bench), 1);
}

#[test]
fn nobody_is_counted_without_a_route() {
    let mut bench = bench();
    bench.knows(A, host(9));
    assert_eq!(bench.ledger.status_view().missing.remote_hosts, 0);
}
