//! What the relay knows of its surroundings: the plan, the links, this machine's addresses, and where servers are.

use std::collections::{BTreeMap, BTreeSet};

use crate::address::{Address, Prefix};
use crate::fact::Link;
use crate::lladdr::LinkAddr;
use crate::plan::{
    DhcpPlan, DhcpRole, DhcpServer, DomainPlan, LinkKind, Plan, RoleRule, SegmentId, SegmentPlan,
};
use crate::subnet::given_by;

/// The surroundings.
#[derive(Debug)]
pub(super) struct Places {
    domains: Vec<DomainPlan>,
    segments: Vec<SegmentPlan>,
    links: Vec<Option<Link>>,
    /// This machine's addresses.
    pub(super) own: BTreeSet<Address>,
    /// From which of them the kernel sends to a server.
    paths: BTreeMap<Address, Address>,
    /// Where a server on this machine listens, if at one address only.
    pub(super) local_server: Option<Address>,
}

/// The address at which a server answers us, for clients of one segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct GatewayAddress {
    pub(super) address: Address,
    /// The network of the clients, where the address does not tell it (RFC 3527).
    pub(super) network: Option<Address>,
}

impl Places {
    pub(super) fn new(plan: &Plan) -> Self {
        Self {
            domains: plan.domains.clone(),
            segments: plan.segments.clone(),
            links: vec![None; plan.segments.len()],
            own: BTreeSet::new(),
            paths: BTreeMap::new(),
            local_server: None,
        }
    }

    pub(super) fn replan(&mut self, plan: &Plan) {
        self.domains.clone_from(&plan.domains);
        self.segments.clone_from(&plan.segments);
        self.links.resize(plan.segments.len(), None);
        for (link, segment) in self.links.iter_mut().zip(&plan.segments) {
            link.take_if(|_| segment.is_retired());
        }
    }

    pub(super) fn link_changed(&mut self, segment: SegmentId, link: Option<Link>) {
        if let Some(place) = self.links.get_mut(segment.index()) {
            *place = link;
        }
    }

    pub(super) fn path_found(&mut self, server: Address, own: Option<Address>) {
        match own {
            Some(own) => self.paths.insert(server, own),
            None => self.paths.remove(&server),
        };
    }

    fn segment(&self, id: SegmentId) -> Option<&SegmentPlan> {
        self.segments.get(id.index()).filter(|segment| !segment.is_retired())
    }

    fn domain_of(&self, id: SegmentId) -> Option<&DomainPlan> {
        self.domains.get(self.segment(id)?.domain.index())
    }

    /// What is done with the segment's messages; `None`: nothing.
    pub(super) fn dhcp_of(&self, id: SegmentId) -> Option<&DhcpPlan> {
        let takes_part = self.role_of(id) != DhcpRole::Off;
        self.domain_of(id)?.dhcp.as_ref().filter(|_| takes_part)
    }

    /// Whether clients of the segment are this gateway's to serve: of two gateways that follow an address, who has it asks
    /// the servers, or they would get every request twice.
    pub(super) fn is_active(&self, id: SegmentId) -> bool {
        match self.domain_of(id).and_then(|domain| domain.ha).map(|ha| ha.rule) {
            Some(RoleRule::Follow(address)) => self.own.contains(&address),
            Some(RoleRule::Command { .. }) | None => true,
        }
    }

    pub(super) fn role_of(&self, id: SegmentId) -> DhcpRole {
        self.segment(id).map_or(DhcpRole::Off, |segment| segment.dhcp.role)
    }

    /// Whether a segment of the same domain is marked as one of servers.
    pub(super) fn has_server_segment(&self, id: SegmentId) -> bool {
        let domain = self.segment(id).map(|segment| segment.domain);
        let is_servers =
            |segment: &SegmentPlan| segment.dhcp.role == DhcpRole::Servers && !segment.is_retired();
        self.segments.iter().any(|segment| Some(segment.domain) == domain && is_servers(segment))
    }

    pub(super) fn kind_of(&self, id: SegmentId) -> LinkKind {
        let planned = self.segment(id).and_then(|segment| segment.kind);
        let found = self.link_of(id).map(|link| link.kind);
        planned.or(found).unwrap_or(LinkKind::Ethernet)
    }

    fn link_of(&self, id: SegmentId) -> Option<&Link> {
        self.links.get(id.index())?.as_ref()
    }

    pub(super) fn is_own_lladdr(&self, lladdr: &LinkAddr) -> bool {
        !lladdr.is_empty() && self.links.iter().flatten().any(|link| link.lladdr.same_port(lladdr))
    }

    /// The prefixes of the segment's domain.
    pub(super) fn prefixes_of(&self, id: SegmentId) -> Vec<Prefix> {
        let Some(domain) = self.domain_of(id) else { return Vec::new() };
        if !domain.auto {
            return domain.prefixes.clone();
        }
        let is_of_domain =
            |segment: &SegmentPlan| self.segment(id).is_some_and(|it| it.domain == segment.domain);
        let members = self.segments.iter().zip(&self.links).filter(|(segment, _)| is_of_domain(segment));
        let given = |(segment, link): (&SegmentPlan, &Option<Link>)| {
            link.iter()
                .flat_map(|link| given_by(&link.addresses, &segment.addresses.never))
                .collect::<Vec<_>>()
        };
        members.flat_map(given).collect()
    }

    pub(super) fn is_in_domain(&self, id: SegmentId, address: Address) -> bool {
        self.prefixes_of(id).iter().any(|prefix| prefix.contains(address))
    }

    /// Whether the destination is that of a client that knows no server: everybody on the link.
    pub(super) fn is_broadcast(&self, id: SegmentId, destination: Address) -> bool {
        destination.is_broadcast()
            || self
                .prefixes_of(id)
                .iter()
                .any(|prefix| prefix.prefix() < 31 && prefix.broadcast() == destination)
    }

    /// The address that the server is to answer at; `None`: there is none, as the segment has no address and the kernel
    /// no route to the server.
    pub(super) fn gateway_address(&self, id: SegmentId, server: DhcpServer) -> Option<GatewayAddress> {
        let (segment, prefixes) = (self.segment(id)?, self.prefixes_of(id));
        let is_inside = |address: &Address| prefixes.iter().any(|prefix| prefix.contains(*address));
        let inside = |address| GatewayAddress { address, network: None };
        let at = match server {
            DhcpServer::At(at) => Some(at),
            DhcpServer::Local => self.local_server,
        };
        // A server on this machine answers there as well, and takes no other address for its own link's.
        if let Some(at) = at.filter(|at| self.own.contains(at)) {
            return Some(self.selecting(at, &prefixes, is_inside(&at)));
        }
        let mut configured = segment.sources.iter().filter(|source| self.own.contains(source));
        let on_link =
            self.link_of(id).into_iter().flat_map(|link| &link.addresses).map(|address| address.ip());
        let source = configured
            .find(|source| is_inside(source))
            .copied()
            .or_else(|| on_link.into_iter().find(is_inside))
            .or_else(|| self.own.iter().copied().find(is_inside));
        if let Some(source) = source {
            return Some(inside(source));
        }
        let path = at.and_then(|at| self.paths.get(&at)).copied()?;
        Some(self.selecting(path, &prefixes, false))
    }

    fn selecting(&self, address: Address, prefixes: &[Prefix], is_inside: bool) -> GatewayAddress {
        let network = prefixes.first().map(Prefix::network).filter(|_| !is_inside);
        GatewayAddress { address, network }
    }

    /// The addresses of all configured servers.
    pub(super) fn servers(&self) -> impl Iterator<Item = Address> + '_ {
        let configured = self.domains.iter().filter_map(|domain| domain.dhcp.as_ref());
        configured.flat_map(|dhcp| &dhcp.servers).filter_map(|server| match server {
            DhcpServer::At(address) => Some(*address),
            DhcpServer::Local => None,
        })
    }

    pub(super) fn is_configured(&self, server: Address) -> bool {
        self.servers().any(|it| it == server) || self.own.contains(&server)
    }

    pub(super) fn has_local_server(&self) -> bool {
        self.domains.iter().filter_map(|domain| domain.dhcp.as_ref()).any(|dhcp| self.is_local(dhcp))
    }

    /// Whether one of the plan's servers is on this machine.
    pub(super) fn is_local(&self, dhcp: &DhcpPlan) -> bool {
        dhcp.servers.iter().any(|server| match server {
            DhcpServer::At(address) => self.own.contains(address),
            DhcpServer::Local => true,
        })
    }

    pub(super) fn reply_addresses(&self) -> BTreeSet<Address> {
        let relayed = |id: &SegmentId| self.dhcp_of(*id).is_some_and(|dhcp| dhcp.is_relaying);
        let ids = (0..).map(SegmentId).take(self.segments.len()).filter(relayed);
        let asked = ids.flat_map(|id| {
            let servers = self.dhcp_of(id).map(|dhcp| &dhcp.servers[..]).unwrap_or_default();
            let is_remote = |server: &&DhcpServer| match server {
                DhcpServer::At(address) => !self.own.contains(address),
                DhcpServer::Local => false,
            };
            servers.iter().filter(is_remote).filter_map(move |server| self.gateway_address(id, *server))
        });
        asked.map(|gateway| gateway.address).collect()
    }

    /// The circuit ID of a segment (RFC 3046, section 3.1): its domain's name and its own.
    pub(super) fn circuit_of(&self, id: SegmentId) -> Vec<u8> {
        let (domain, segment) = (self.domain_of(id), self.segment(id));
        let name = |name: Option<&str>| name.unwrap_or_default().to_owned();
        let (domain, segment) = (name(domain.map(|it| &*it.name)), name(segment.map(|it| &*it.name)));
        format!("{domain}/{segment}").into_bytes()
    }

    /// The segment of a circuit ID of ours.
    pub(super) fn segment_of_circuit(&self, circuit: &[u8]) -> Option<SegmentId> {
        let mut ids = (0..).map(SegmentId).take(self.segments.len());
        ids.find(|id| self.dhcp_of(*id).is_some() && self.circuit_of(*id) == circuit)
    }
}
