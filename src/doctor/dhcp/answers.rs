//! What servers answered to the probes.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use arpherd_core::plan::{DhcpPlan, DhcpRole, DhcpServer};

use super::offers::{DhcpAnswers, Offer, Question};
use crate::doctor::finding::{Finding, list_of};
use crate::doctor::machine::Machine;
use crate::doctor::scope::{CheckedSegment, Scope};

pub(super) fn check(scope: &Scope, machine: &Machine, plans: &BTreeMap<&str, &DhcpPlan>) -> Vec<Finding> {
    let Some(answers) = machine.dhcp.as_ref().and_then(|state| state.probed.as_ref()) else {
        let finding = Finding::info("DHCP", "servers were not asked: no message is sent without --probe")
            .why("a server that is away, a second one, or one that offers wrong addresses shows by its answers only")
            .fix("run arpherd doctor --probe: it asks each server for an offer, and takes none");
        return vec![finding];
    };
    let mut findings: Vec<_> = answers.iter().filter_map(not_asked).collect();
    for (domain, plan) in plans {
        let of_domain: Vec<_> = answers.iter().filter(|it| it.domain == *domain).collect();
        findings.extend(of_plan(scope, machine, domain, plan, &of_domain));
    }
    findings
}

fn not_asked(answers: &DhcpAnswers) -> Option<Finding> {
    let reason = answers.offers.as_ref().err()?;
    Some(
        Finding::info(&*answers.interface, format!("servers could not be asked from here: {reason}"))
            .why("it is unknown whether clients of this segment get a lease")
            .fix("run arpherd doctor with CAP_NET_RAW, and set the interface up"),
    )
}

fn of_plan(
    scope: &Scope,
    machine: &Machine,
    domain: &str,
    plan: &DhcpPlan,
    answers: &[&DhcpAnswers],
) -> Vec<Finding> {
    let offers = || answers.iter().flat_map(|it| it.offers.iter().flatten().map(move |offer| (*it, offer)));
    let mut findings = Vec::new();
    if plan.is_relaying {
        findings.extend(plan.servers.iter().filter_map(|server| silent(*server, answers)));
    } else if answers.iter().any(|it| it.offers.is_ok()) && offers().next().is_none() {
        findings.push(
            Finding::warning(domain, "no DHCP server answered on any of its segments")
                .why("there are no leases to be read; a server of this machine does not hear what this machine asks")
                .fix("start the server, or name it: dhcp: { servers: [ADDRESS] }, or set dhcp: off"),
        );
    }
    let segments: Vec<_> = scope.segments.iter().filter(|segment| segment.domain == domain).collect();
    let mut outside = BTreeMap::new();
    for (_, offer) in offers().filter(|(_, offer)| !is_inside(&segments, offer.address)) {
        outside.entry(offer.server).or_insert(offer);
    }
    findings.extend(outside.values().map(|offer| offers_outside(domain, offer)));
    findings.extend(strangers(machine, plan, &segments, answers));
    let servers: BTreeSet<_> = offers().map(|(_, offer)| offer.server).collect();
    if servers.len() > 1 {
        findings.push(several(domain, plan, &servers));
    }
    findings
}

fn is_inside(segments: &[&CheckedSegment], address: Ipv4Addr) -> bool {
    segments.iter().flat_map(|it| &it.plan.addresses.prefixes).any(|prefix| prefix.contains(address))
}

/// A server that was asked in the name of some segments, and has not answered.
fn silent(server: DhcpServer, answers: &[&DhcpAnswers]) -> Option<Finding> {
    let asked: Vec<_> = answers.iter().filter(|it| it.offers.is_ok() && it.asked.contains(&server)).collect();
    let has_answered = |it: &&&DhcpAnswers| {
        it.offers.iter().flatten().any(|offer| offer.question == Question::Relayed(server))
    };
    let deaf: Vec<_> = asked.iter().filter(|it| !has_answered(it)).map(|it| it.interface.as_str()).collect();
    let name = match server {
        DhcpServer::At(address) => format!("server {address}"),
        DhcpServer::Local => "the server of this machine".to_owned(),
    };
    if deaf.is_empty() {
        return None;
    }
    let clients = deaf.join(", ");
    if deaf.len() < asked.len() {
        let found = format!("{name} made no offer to a client of {clients}, and did to others");
        return Some(
            Finding::warning(&*clients, found)
                .why("it may have no address left, or chooses by the segment (circuit ID)")
                .fix("see its log"),
        );
    }
    Some(
        Finding::error("DHCP", format!("{name} made no offer to a client of {clients}"))
            .why("clients get no lease from it")
            .fix(
                "see that it runs, has a pool of the domain's network with addresses left, answers relays, and has a \
                 route back to this machine's address in the domain; a filter may drop UDP port 67",
            ),
    )
}

fn offers_outside(domain: &str, offer: &Offer) -> Finding {
    let found = format!("server {} offers {}, which is outside of {domain}", offer.server, offer.address);
    if offer.is_selecting {
        return Finding::error("DHCP", found)
            .why(
                "it ignores link selection (RFC 3527), by which it is told the clients' network because this machine \
                 has no address there; arpherd drops such offers",
            )
            .fix("give this machine an address of the domain, as a /32 if need be, or use a server that knows it");
    }
    Finding::error("DHCP", found)
        .why("a client with such an address reaches nobody of the domain; arpherd does not relay such offers")
        .fix("correct the server's pool, or the domain's prefixes")
}

/// Servers that answered on a segment although they are not the domain's.
fn strangers(
    machine: &Machine,
    plan: &DhcpPlan,
    segments: &[&CheckedSegment],
    answers: &[&DhcpAnswers],
) -> Vec<Finding> {
    let are_known = !plan.servers.is_empty()
        || segments.iter().any(|segment| segment.plan.dhcp.role == DhcpRole::Servers);
    let is_ours = |server: Ipv4Addr| {
        plan.servers.contains(&DhcpServer::At(server))
            || machine.owns(server) && plan.servers.contains(&DhcpServer::Local)
    };
    let mut findings = Vec::new();
    for answers in answers.iter().filter(|_| are_known) {
        let is_theirs = |segment: &&&CheckedSegment| segment.interface() == answers.interface;
        let role = segments.iter().find(is_theirs).map(|segment| segment.plan.dhcp.role);
        let offers = answers.offers.iter().flatten().filter(|it| it.question == Question::OnLink);
        let strange: BTreeSet<_> = offers.map(|it| it.server).filter(|server| !is_ours(*server)).collect();
        if role == Some(DhcpRole::Clients) && !strange.is_empty() {
            let strange: Vec<_> = strange.into_iter().collect();
            let found =
                format!("{} answers clients there, and is not one of dhcp.servers", list_of(&strange));
            findings.push(
                Finding::warning(&*answers.interface, found)
                    .why("clients of this link may take its lease; arpherd believes none of its messages")
                    .fix(
                        "turn it off, have the switch drop servers' messages on that port (DHCP snooping), or name it \
                         in dhcp.servers, or set dhcp: servers on the segment",
                    ),
            );
        }
    }
    findings
}

fn several(domain: &str, plan: &DhcpPlan, servers: &BTreeSet<Ipv4Addr>) -> Finding {
    let all: Vec<_> = servers.iter().copied().collect();
    let found = format!("{} servers answer: {}", all.len(), list_of(&all));
    let why = "clients take the first offer; two servers that share no leases must not share addresses";
    let fix = "give them one database of leases (Kea: the HA hook), or pools that do not overlap";
    let is_meant = plan.servers.len() > 1;
    let finding = if is_meant { Finding::info(domain, found) } else { Finding::warning(domain, found) };
    finding.why(why).fix(fix)
}
