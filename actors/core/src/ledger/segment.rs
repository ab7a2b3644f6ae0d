//! A segment as it is now: its plan, its link, and what follows from both.

use std::collections::BTreeSet;
use std::time::Duration;

use super::domains::Domain;
use super::shared_lladdr::SharedLladdr;
use crate::address::{Address, Prefix};
use crate::arp::{Arp, Operation};
use crate::event::DownReason;
use crate::fact::Link;
use crate::lladdr::LinkAddr;
use crate::plan::{KernelProxy, LinkKind, SegmentId, SegmentPlan};
use crate::subnet::is_unicast;
use crate::time::Time;

/// Own link-layer addresses that are remembered, the one in use among them: frames of ours sent with an old
/// one may still come back from a slow switch, and must not be learned.
const OWN_LLADDRS: usize = 5;
/// A standby asks hosts, and sweeps, so many times less often than an active one: it hears hosts that ask for others, but
/// not what they answer the active one, which a switch sends to nobody else.
const POLITE: u32 = 3;

/// What is known of one segment, but for its hosts.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) id: SegmentId,
    pub(super) plan: SegmentPlan,
    /// Prefixes in which hosts are learned and routed at present.
    pub(super) prefixes: Vec<Prefix>,
    /// Network and broadcast addresses of every prefix of the domain, sorted: the larger prefix around a
    /// sub-subnet has them in its middle.
    pub(super) edges: Vec<Address>,
    pub(super) link: Option<Link>,
    /// The interface's number, or its last one.
    pub(super) last_index: Option<u32>,
    pub(super) source: Source,
    /// `None`: it can be used.
    pub(super) down: Option<DownReason>,
    /// Since when it can be used, while it can.
    pub(super) came_up: Option<Time>,
    /// What those on it were perhaps not told.
    pub(super) untold: Untold,
    /// The interface, a Wi-Fi station, lost its access point and has found none since.
    pub(super) is_disassociated: bool,
    /// Addresses of the interface that frames were sent with, the last one last.
    own_lladdrs: Vec<LinkAddr>,
    pub(super) shared: SharedLladdr,
    /// Whether we may be heard there.
    pub(super) voice: Voice,
}

/// Whether we may answer, announce and correct on a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Voice {
    /// We may.
    #[default]
    Heard,
    /// The other gateway of the domain does.
    Standby,
    /// We would, and another one does.
    Yielding,
}

impl Voice {
    pub(super) fn is_heard(self) -> bool {
        self == Self::Heard
    }

    /// What that makes of this machine, of two gateways.
    pub(super) fn role(self) -> &'static str {
        match self {
            Self::Heard => "active",
            Self::Standby => "standby",
            Self::Yielding => "yielding",
        }
    }
}

/// What those on a segment were perhaps not told.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Untold {
    /// It came up with another link-layer address than before, and nobody was heard on it since.
    pub(super) is_unheard: bool,
    /// What we answer for is yet to be announced there: its interface found an access point, or this gateway took over from
    /// another one.
    pub(super) is_unannounced: bool,
}

/// Sender of probes and preferred source of routes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Source {
    pub(super) address: Option<Address>,
    /// It lies outside of the domain's prefixes, as the operator wants it. Hosts may have no route to it, and then do
    /// not answer a request in its name.
    pub(super) is_outside: bool,
}

impl Source {
    /// Whether it is one that hosts of the domain answer like any of theirs.
    pub(super) fn is_inside(&self) -> bool {
        self.address.is_some() && !self.is_outside
    }

    /// The senders of a request: each host answers in one name at least.
    pub(super) fn senders(&self) -> impl Iterator<Item = Address> + use<> {
        let nobody = self.is_outside.then_some(Address::UNSPECIFIED);
        [self.address.unwrap_or(Address::UNSPECIFIED)].into_iter().chain(nobody)
    }
}

/// What became of a segment when its state was worked out anew.
#[derive(Debug, Clone, Copy)]
pub(super) struct Refreshed {
    /// Why it was down before; `None`: it was up.
    pub(super) before: Option<DownReason>,
    /// Its source is another one.
    pub(super) is_new_source: bool,
    /// It is up, and frames are sent with another link-layer address than before.
    pub(super) is_relabelled: bool,
}

impl Segment {
    /// A segment that is down. Its prefixes are yet to be worked out.
    pub(super) fn new(id: SegmentId, plan: SegmentPlan, shared: SharedLladdr) -> Self {
        Self {
            id,
            plan,
            prefixes: Vec::new(),
            edges: Vec::new(),
            link: None,
            last_index: None,
            source: Source::default(),
            down: Some(DownReason::Absent),
            came_up: None,
            untold: Untold::default(),
            is_disassociated: false,
            own_lladdrs: Vec::new(),
            shared,
            voice: Voice::default(),
        }
    }

    /// The plan is this one from now on. Of a segment that is gone nothing is left but its name.
    pub(super) fn replan(&mut self, plan: &SegmentPlan) {
        if plan.is_retired() {
            let shared = SharedLladdr::new(None);
            *self = Self { last_index: self.last_index, ..Self::new(self.id, plan.clone(), shared) };
        } else {
            self.plan.clone_from(plan);
        }
    }

    pub(super) fn is_up(&self) -> bool {
        self.down.is_none()
    }

    /// Silence after which a host is probed. A standby leaves it to the active one.
    pub(super) fn quiet(&self) -> Duration {
        self.plan.expiry.quiet.saturating_mul(self.patience())
    }

    /// How many times as long as an active one we wait before we ask.
    pub(super) fn patience(&self) -> u32 {
        if self.voice == Voice::Standby { POLITE } else { 1 }
    }

    /// Whether routes and entries through the interface stand: it is up, though perhaps without a carrier.
    pub(super) fn keeps_kernel_state(&self) -> bool {
        matches!(self.down, None | Some(DownReason::NoCarrier))
    }

    /// Whether frames of this station can come in: it is one, of this kind of link, and the link is up.
    pub(super) fn may_hear(&self, station: &LinkAddr) -> bool {
        self.is_up() && station.len() == self.lladdr().len() && station.is_station()
    }

    /// Whether the packet has the form of an answer to a request of ours.
    pub(super) fn is_answer(&self, arp: &Arp) -> bool {
        arp.operation == Operation::Reply
            && !arp.is_gratuitous()
            && arp.target_lladdr.same_port(&self.lladdr())
            && self.source.senders().any(|sender| sender == arp.target)
    }

    /// The link-layer address that we have for others on this link: the shared one where there is one, else the
    /// interface's.
    pub(super) fn lladdr(&self) -> LinkAddr {
        self.shared.used().unwrap_or(self.interface_lladdr())
    }

    /// The same, where it is not the interface's.
    pub(super) fn shared_lladdr(&self) -> Option<LinkAddr> {
        self.shared.used()
    }

    pub(super) fn interface_lladdr(&self) -> LinkAddr {
        self.link.as_ref().map_or(LinkAddr::UNKNOWN, |link| link.lladdr)
    }

    /// The interface's name in the kernel, or the configured one while there is no interface.
    pub(super) fn interface(&self) -> &str {
        let name = self.link.as_ref().map(|link| link.name.as_str());
        name.filter(|name| !name.is_empty()).unwrap_or(&self.plan.interface)
    }

    pub(super) fn index(&self) -> Option<u32> {
        self.link.as_ref().map(|link| link.index)
    }

    pub(super) fn kind(&self) -> LinkKind {
        self.plan.kind.or(self.link.as_ref().map(|link| link.kind)).unwrap_or(LinkKind::Ethernet)
    }

    /// The ports whose addresses are or were our own on this link. Some may come twice.
    pub(super) fn own_ports(&self) -> impl Iterator<Item = LinkAddr> {
        let present = self.link.iter().map(|link| &link.lladdr);
        present.chain(&self.own_lladdrs).chain(&self.shared.configured).map(|lladdr| lladdr.port())
    }

    /// Whether a host of this address may live here: within the segment's prefixes, not forbidden or published
    /// here, and not an address that no host can have.
    pub(super) fn may_hold(&self, address: Address) -> bool {
        is_unicast(address)
            && self.spans(address)
            && !self.is_edge(address)
            && !contains(&self.plan.addresses.never, address)
            && !contains(&self.plan.addresses.publish, address)
    }

    /// Whether the address lies in the segment's prefixes.
    pub(super) fn spans(&self, address: Address) -> bool {
        contains(&self.prefixes, address)
    }

    /// Whether the address is the network or broadcast address of a prefix of the domain.
    pub(super) fn is_edge(&self, address: Address) -> bool {
        self.edges.binary_search(&address).is_ok()
    }

    /// Whether the address is to be neither learned nor answered for here.
    pub(super) fn is_never(&self, address: Address) -> bool {
        contains(&self.plan.addresses.never, address)
    }

    /// Whether the address is answered for here whether or not a host is known.
    pub(super) fn publishes(&self, address: Address) -> bool {
        contains(&self.plan.addresses.publish, address) && !self.is_edge(address) && !self.is_never(address)
    }

    /// Whether the kernel answers here by proxy entries of ours.
    pub(super) fn has_entries(&self) -> bool {
        self.plan.kernel_proxy() == Some(KernelProxy::Entries)
    }

    /// The interface is now like this, or gone.
    pub(super) fn set_link(&mut self, link: Option<Link>) {
        self.last_index = link.as_ref().map(|link| link.index).or(self.last_index);
        self.link = link;
        // What the kernel says of the carrier is as new as what the radio said.
        self.is_disassociated = false;
    }

    /// Works out anew what its source is and whether it can be used. `is_taken`: another segment of the domain has
    /// its interface. `yields`: it is one link with an earlier segment.
    pub(super) fn refresh_state(
        &mut self,
        is_taken: bool,
        yields: bool,
        own: &BTreeSet<Address>,
        domain: &Domain,
        now: Time,
    ) -> Refreshed {
        let chosen = self.choose_source(own, domain);
        let down = match (&self.link, &chosen) {
            (None, _) => Some(DownReason::Absent),
            (Some(Link { ineligible: Some(reason), .. }), _) => Some((*reason).into()),
            (Some(_), _) if is_taken => Some(DownReason::InterfaceTaken),
            (Some(link), _) if !link.up => Some(DownReason::AdminDown),
            _ if domain.is_overlapping => Some(DownReason::PrefixOverlap),
            _ if domain.plan.auto && domain.prefixes.is_empty() => Some(DownReason::WaitingForAddress),
            (_, Err(reason)) => Some(*reason),
            (Some(link), _) if !link.carrier || self.is_disassociated => Some(DownReason::NoCarrier),
            _ => None,
        };
        self.shared.decide(self.link.as_ref(), self.kind(), yields);
        self.came_up = down.is_none().then(|| self.came_up.unwrap_or(now));
        let before = std::mem::replace(&mut self.down, down);
        let address = chosen.unwrap_or_default();
        let is_outside = address.is_some_and(|address| !contains(&domain.prefixes, address));
        let source = Source { address, is_outside };
        let is_new_source = std::mem::replace(&mut self.source, source) != source;
        let is_relabelled = self.is_up() && self.note_own_lladdr();
        Refreshed { before, is_new_source, is_relabelled }
    }

    /// Takes note of the link-layer addresses in use. True if frames were sent with another one before.
    fn note_own_lladdr(&mut self) -> bool {
        let is_other = self.shared.note_use();
        let lladdr = self.interface_lladdr();
        let last = self.own_lladdrs.last().copied();
        if last == Some(lladdr) {
            return is_other;
        }
        self.own_lladdrs.retain(|old| *old != lladdr);
        if self.own_lladdrs.len() == OWN_LLADDRS {
            self.own_lladdrs.remove(0);
        }
        // Most have one for ever.
        self.own_lladdrs.reserve_exact(1);
        self.own_lladdrs.push(lladdr);
        last.is_some()
    }

    /// The source that configuration and addresses give. Of those configured it is the first that this machine has:
    /// with none of them the kernel would refuse every route. Otherwise it is the interface's first address in
    /// the domain, else any of ours in the domain (one address shared by several links), else none. One that two gateways
    /// share is none.
    fn choose_source(&self, own: &BTreeSet<Address>, domain: &Domain) -> Result<Option<Address>, DownReason> {
        if let [_, ..] = self.plan.sources[..] {
            // Where prefixes follow addresses, one of another network than the present may still be there.
            let is_outside = |source: &Address| domain.plan.auto && !contains(&domain.prefixes, *source);
            let present = self.plan.sources.iter().find(|source| own.contains(source) && !is_outside(source));
            return present.map(|source| Some(*source)).ok_or(DownReason::SourceMissing);
        }
        // One that goes to the other gateway would take the routes along.
        let shared = domain.plan.ha.and_then(|ha| ha.rule.followed());
        let is_in_domain =
            |address: &Address| contains(&domain.prefixes, *address) && Some(*address) != shared;
        let on_link = self.link.iter().flat_map(|link| link.addresses.iter().map(|network| network.ip()));
        Ok(on_link
            .filter(|address| own.contains(address))
            .find(is_in_domain)
            .or_else(|| own.iter().copied().find(is_in_domain)))
    }
}

fn contains(prefixes: &[Prefix], address: Address) -> bool {
    prefixes.iter().any(|prefix| prefix.contains(address))
}

/// Network and broadcast address of each prefix. Those of /31 (RFC 3021) and /32 have none.
pub(super) fn edges<'a>(prefixes: impl Iterator<Item = &'a Prefix>) -> Vec<Address> {
    let has_edges = prefixes.filter(|prefix| prefix.prefix() < 31);
    let mut edges: Vec<_> = has_edges.flat_map(|prefix| [prefix.network(), prefix.broadcast()]).collect();
    edges.sort_unstable();
    edges.dedup();
    edges
}
