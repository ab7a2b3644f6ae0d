//! A segment as it is now.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::net::Ipv4Addr;

use ipnetwork::Ipv4Network;

use super::air::Air;
use crate::event::{DownReason, Limit};
use crate::fact::Link;
use crate::lladdr::LinkAddr;
use crate::pace::Pace;
use crate::plan::{DomainPlan, LinkKind, SegmentPlan};
use crate::time::Time;

/// Own link-layer addresses that are remembered, the one in use among them: frames of ours sent with an old
/// one may still come back from a slow switch, and must not be learned.
const LABELS: usize = 5;
/// Questions about known hosts a second where no sweep sets a rate.
const VERIFY_RATE: u32 = 500;
/// Searches for unknown targets a second and segment.
const SEARCH_RATE: u32 = 2000;
/// Unknown targets one station may have searched for at the same time, so that a flood of one leaves room for
/// others. Whoever asks for hosts that are there never gets near it.
const OPEN_QUESTIONS: u32 = 1000;
/// Look-ups of routes a second; each costs the kernel some microseconds.
const LOOKUP_RATE: u32 = 10_000;

/// What is known and counted of one segment.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) plan: SegmentPlan,
    /// Network and broadcast addresses of every prefix of the domain, sorted: the larger prefix around a
    /// sub-subnet has them in its middle.
    pub(crate) edges: Vec<Ipv4Addr>,
    pub(crate) link: Option<Link>,
    /// The interface's number, or its last one: what was written there is taken away by it.
    pub(crate) last_index: Option<u32>,
    /// Sender of probes and preferred source of routes.
    pub(crate) source: Option<Ipv4Addr>,
    /// `None`: it can be used.
    pub(crate) down: Option<DownReason>,
    /// Since when it can be used, while it can.
    pub(crate) came_up: Option<Time>,
    /// It came up with another link-layer address than before, and nobody was heard on it since.
    pub(crate) unheard: bool,
    /// What radios tell of it.
    pub(crate) air: Air,
    /// Own link-layer addresses frames were sent with, the last one last.
    labels: VecDeque<LinkAddr>,
    /// Live hosts.
    pub(crate) hosts: u32,
    /// Remembered ones.
    pub(crate) dormant: u32,
    /// Live hosts of each link-layer address.
    pub(crate) holders: HashMap<LinkAddr, u32>,
    /// Pace of new hosts; a fabric that comes back after a power cut speaks all at once.
    pub(crate) newcomers: Pace,
    /// Pace of questions about known hosts.
    pub(crate) verifications: Pace,
    /// Pace of searches.
    pub(crate) searches: Pace,
    /// Pace of look-ups of routes.
    pub(crate) lookups: Pace,
    /// Unknown targets being searched for on behalf of each station.
    open_questions: HashMap<LinkAddr, u32>,
    /// Sightings that were not learned because frame source and ARP sender differ.
    pub(crate) mismatched: u64,
    /// Questions about unknown targets that were not searched for because there were too many.
    pub(crate) shed: u64,
}

impl Segment {
    pub(crate) fn new(plan: SegmentPlan, edges: Vec<Ipv4Addr>) -> Self {
        // Sweeps and questions about known hosts share the rate. A sweep gives way, and a quarter is left to it.
        let verify = plan.sweep.map_or(VERIFY_RATE, |sweep| sweep.rate - sweep.rate / 4);
        let newcomers = plan.limits.new_per_second;
        Self {
            link: None,
            last_index: None,
            source: None,
            down: Some(DownReason::Absent),
            came_up: None,
            unheard: false,
            air: Air::default(),
            labels: VecDeque::new(),
            hosts: 0,
            dormant: 0,
            holders: HashMap::new(),
            newcomers: Pace::new(newcomers, newcomers.saturating_mul(4)),
            verifications: Pace::new(verify, verify / 10),
            searches: Pace::new(SEARCH_RATE, SEARCH_RATE),
            lookups: Pace::new(LOOKUP_RATE, LOOKUP_RATE / 4),
            open_questions: HashMap::new(),
            mismatched: 0,
            shed: 0,
            edges,
            plan,
        }
    }

    pub(crate) fn is_up(&self) -> bool {
        self.down.is_none()
    }

    /// Whether frames of this station can come in: it is one, of this sort of link, and the link is up.
    pub(crate) fn may_hear(&self, station: &LinkAddr) -> bool {
        self.is_up() && station.len() == self.lladdr().len() && station.is_station()
    }

    pub(crate) fn lladdr(&self) -> LinkAddr {
        self.link.as_ref().map_or(LinkAddr::UNKNOWN, |link| link.lladdr)
    }

    pub(crate) fn index(&self) -> Option<u32> {
        self.link.as_ref().map(|link| link.index)
    }

    pub(crate) fn kind(&self) -> LinkKind {
        self.plan.kind.or(self.link.as_ref().map(|link| link.kind)).unwrap_or(LinkKind::Ethernet)
    }

    /// Whether the address is or was our own on this link.
    pub(crate) fn is_own(&self, lladdr: &LinkAddr) -> bool {
        self.link.as_ref().is_some_and(|link| link.lladdr.same_port(lladdr))
            || self.labels.iter().any(|old| old.same_port(lladdr))
    }

    /// Takes note of the link-layer address in use. True if frames were sent with another one before.
    pub(crate) fn relabel(&mut self) -> bool {
        let lladdr = self.lladdr();
        let last = self.labels.back().copied();
        if last == Some(lladdr) {
            return false;
        }
        self.labels.retain(|old| *old != lladdr);
        self.labels.push_back(lladdr);
        if self.labels.len() > LABELS {
            self.labels.pop_front();
        }
        last.is_some()
    }

    /// Whether a host of this address may live here: within the segment's prefixes, not forbidden or published
    /// here, and not an address that no host can have.
    pub(crate) fn may_hold(&self, address: Ipv4Addr) -> bool {
        is_unicast(address)
            && contains(&self.plan.prefixes, address)
            && !self.is_edge(address)
            && !contains(&self.plan.never, address)
            && !contains(&self.plan.publish, address)
    }

    /// Whether the address is the network or broadcast address of a prefix of the domain.
    pub(crate) fn is_edge(&self, address: Ipv4Addr) -> bool {
        self.edges.binary_search(&address).is_ok()
    }

    /// Whether the address is to be neither learned nor answered for here.
    pub(crate) fn is_never(&self, address: Ipv4Addr) -> bool {
        contains(&self.plan.never, address)
    }

    /// Whether the address is answered for here whether or not a host is known.
    pub(crate) fn publishes(&self, address: Ipv4Addr) -> bool {
        contains(&self.plan.publish, address) && !self.is_edge(address) && !self.is_never(address)
    }

    /// Counts one more unknown target that is searched for on behalf of the station; false if it has enough.
    pub(crate) fn open_question(&mut self, lladdr: LinkAddr) -> bool {
        let open = self.open_questions.entry(lladdr).or_default();
        let is_free = *open < OPEN_QUESTIONS;
        *open += u32::from(is_free);
        is_free
    }

    /// One is found, or given up.
    pub(crate) fn close_question(&mut self, lladdr: &LinkAddr) {
        if let Some(open) = self.open_questions.get_mut(lladdr) {
            *open -= 1;
            if *open == 0 {
                self.open_questions.remove(lladdr);
            }
        }
    }

    /// The limit that keeps out one more address of the station, or one more host if it is new on this segment.
    pub(crate) fn limit_for(&self, lladdr: &LinkAddr, is_new: bool) -> Option<Limit> {
        let limits = &self.plan.limits;
        if is_new && self.hosts >= limits.hosts {
            return Some(Limit::Hosts);
        }
        let held = self.holders.get(&lladdr.port()).copied().unwrap_or_default();
        (held >= limits.hosts_per_lladdr).then_some(Limit::HostsPerLladdr)
    }

    /// The source that configuration and addresses give: the configured one if this machine has it, else
    /// the interface's first address in the domain, else any of ours in the domain (one address shared by
    /// several links), else none.
    pub(crate) fn choose_source(
        &self,
        own: &BTreeSet<Ipv4Addr>,
        domain: &DomainPlan,
    ) -> Result<Option<Ipv4Addr>, DownReason> {
        if let Some(source) = self.plan.source {
            return if own.contains(&source) { Ok(Some(source)) } else { Err(DownReason::SourceMissing) };
        }
        let in_domain = |address: &Ipv4Addr| domain.prefixes.iter().any(|prefix| prefix.contains(*address));
        let on_link = self.link.iter().flat_map(|link| link.addresses.iter().map(|network| network.ip()));
        Ok(on_link
            .filter(|address| own.contains(address))
            .find(in_domain)
            .or_else(|| own.iter().copied().find(in_domain)))
    }
}

fn contains(prefixes: &[Ipv4Network], address: Ipv4Addr) -> bool {
    prefixes.iter().any(|prefix| prefix.contains(address))
}

/// Network and broadcast address of each prefix. Those of /31 (RFC 3021) and /32 have none.
pub(crate) fn edges<'a>(prefixes: impl Iterator<Item = &'a Ipv4Network>) -> Vec<Ipv4Addr> {
    let has_edges = prefixes.filter(|prefix| prefix.prefix() < 31);
    let mut edges: Vec<_> = has_edges.flat_map(|prefix| [prefix.network(), prefix.broadcast()]).collect();
    edges.sort_unstable();
    edges.dedup();
    edges
}

/// Whether an address can be one host's: not unspecified, multicast, loopback, link-local (RFC 3927), of the
/// reserved 0/8 and 240/4, or the limited broadcast.
pub(crate) fn is_unicast(address: Ipv4Addr) -> bool {
    let first = address.octets()[0];
    first != 0 && first < 224 && !address.is_loopback() && !address.is_link_local()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_host_has_a_special_address() {
        for text in
            ["0.0.0.0", "0.1.2.3", "127.0.0.1", "169.254.1.1", "224.0.0.1", "240.0.0.1", "255.255.255.255"]
        {
            assert!(!is_unicast(text.parse().expect("an address")), "{text}");
        }
        assert!(is_unicast(Ipv4Addr::new(10, 0, 0, 1)));
    }
}
