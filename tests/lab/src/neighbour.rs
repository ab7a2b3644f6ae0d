//! The kernel's own IPv4 neighbour table, and how patient it is.

use std::net::Ipv4Addr;
use std::time::Duration;

use netlink_packet_core::{NLM_F_CREATE, NLM_F_REPLACE};
use netlink_packet_route::neighbour::{
    NeighbourAddress, NeighbourAttribute, NeighbourFlags, NeighbourMessage, NeighbourState,
};
use netlink_packet_route::neighbour_table::{
    NeighbourTableAttribute, NeighbourTableMessage, NeighbourTableParameter as Parameter,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};

use crate::{Mac, Netns, Result};

/// One entry of the kernel's ARP table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Neighbour {
    /// Whose entry it is.
    pub address: Ipv4Addr,
    /// Its link-layer address; empty while unknown.
    pub lladdr: Vec<u8>,
    /// The link it lives on.
    pub dev: String,
    /// `NUD_*`, e.g. 2 reachable, 4 stale, 0x20 failed.
    pub state: u16,
    /// `NTF_*`, e.g. 8 for an entry the kernel answers for.
    pub flags: u8,
}

impl Neighbour {
    /// The entry's address, if it is an Ethernet one.
    pub fn mac(&self) -> Option<Mac> {
        self.lladdr.as_slice().try_into().ok().map(Mac)
    }
}

/// The kernel's patience with a link's neighbours; `None` leaves a value as it is. Set by netlink: in
/// a user namespace older kernels do not show the same settings under `/proc/sys`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NeighbourTimers {
    /// Unicast requests before it broadcasts.
    pub ucast_solicit: Option<u32>,
    /// Broadcast requests before it gives up.
    pub mcast_solicit: Option<u32>,
    /// Time between requests.
    pub retrans: Option<Duration>,
    /// How long an answer is good for.
    pub base_reachable: Option<Duration>,
    /// How long a stale entry is used before it asks.
    pub delay_probe: Option<Duration>,
    /// How long it waits at most before a proxied answer.
    pub proxy_delay: Option<Duration>,
    /// An entry does not change its address again within this time.
    pub locktime: Option<Duration>,
}

impl Netns {
    /// The kernel's ARP table, the entries it answers for (`proxy`) left out.
    ///
    /// # Panics
    /// When the kernel does not answer.
    pub fn neighbours(&self) -> Vec<Neighbour> {
        self.dump_neighbours(NeighbourFlags::empty())
    }

    /// The addresses the kernel answers for by `ip neigh add proxy` or its like.
    ///
    /// # Panics
    /// When the kernel does not answer.
    pub fn proxy_neighbours(&self) -> Vec<Neighbour> {
        self.dump_neighbours(NeighbourFlags::Proxy)
    }

    fn dump_neighbours(&self, flags: NeighbourFlags) -> Vec<Neighbour> {
        let mut request = NeighbourMessage::default();
        request.header.family = AddressFamily::Inet;
        request.header.flags = flags;
        let answers = self.rtnl().dump("read neighbours", &RouteNetlinkMessage::GetNeighbour(request));
        let links = self.links();
        let read = |message: &NeighbourMessage| {
            let link = links.iter().find(|link| link.index == message.header.ifindex)?;
            let (mut address, mut lladdr) = (None, Vec::new());
            for attribute in &message.attributes {
                match attribute {
                    NeighbourAttribute::Destination(NeighbourAddress::Inet(ip)) => address = Some(*ip),
                    NeighbourAttribute::LinkLayerAddress(bytes) => lladdr.clone_from(bytes),
                    _ => {}
                }
            }
            let (state, flags) = (u16::from(message.header.state), message.header.flags.bits());
            Some(Neighbour { address: address?, lladdr, dev: link.name.clone(), state, flags })
        };
        let answers = answers.expect("the kernel lists its neighbours to anyone");
        let neighbours = answers.iter().filter_map(|answer| match answer {
            RouteNetlinkMessage::NewNeighbour(message) => read(message),
            _ => None,
        });
        neighbours.collect()
    }

    /// Adds a neighbour entry that stays as it is.
    ///
    /// # Errors
    /// When the link is missing or the kernel refuses.
    pub fn add_neighbour(&self, link: &str, ip: Ipv4Addr, mac: Mac) -> Result<()> {
        let mut message = self.neighbour_message(link, ip)?;
        message.header.state = NeighbourState::Permanent;
        message.attributes.push(NeighbourAttribute::LinkLayerAddress(mac.0.to_vec()));
        let what = format!("add neighbour {ip} on {link} in {}", self.name());
        self.rtnl().change(&what, RouteNetlinkMessage::NewNeighbour(message), NLM_F_CREATE | NLM_F_REPLACE)
    }

    /// Lets the kernel answer for `ip` on `link`, as `ip neigh add proxy` does.
    ///
    /// # Errors
    /// When the link is missing or the kernel refuses.
    pub fn add_proxy_neighbour(&self, link: &str, ip: Ipv4Addr) -> Result<()> {
        let mut message = self.neighbour_message(link, ip)?;
        message.header.flags = NeighbourFlags::Proxy;
        let what = format!("add proxy neighbour {ip} on {link} in {}", self.name());
        self.rtnl().change(&what, RouteNetlinkMessage::NewNeighbour(message), NLM_F_CREATE | NLM_F_REPLACE)
    }

    /// Has the kernel no longer answer for `ip` on `link`, as `ip neigh del proxy` does.
    ///
    /// # Errors
    /// When it did not (`ENOENT`), the link is missing or the kernel refuses.
    pub fn delete_proxy_neighbour(&self, link: &str, ip: Ipv4Addr) -> Result<()> {
        let mut message = self.neighbour_message(link, ip)?;
        message.header.flags = NeighbourFlags::Proxy;
        let what = format!("delete proxy neighbour {ip} on {link} in {}", self.name());
        self.rtnl().change(&what, RouteNetlinkMessage::DelNeighbour(message), 0)
    }

    /// Removes a neighbour entry, so that the next packet asks again.
    ///
    /// # Errors
    /// When there is none (`ENOENT`), the link is missing or the kernel refuses.
    pub fn forget_neighbour(&self, link: &str, ip: Ipv4Addr) -> Result<()> {
        let message = self.neighbour_message(link, ip)?;
        let what = format!("forget neighbour {ip} on {link} in {}", self.name());
        self.rtnl().change(&what, RouteNetlinkMessage::DelNeighbour(message), 0)
    }

    fn neighbour_message(&self, link: &str, ip: Ipv4Addr) -> Result<NeighbourMessage> {
        let mut message = NeighbourMessage::default();
        message.header.family = AddressFamily::Inet;
        message.header.ifindex = self.index(link)?;
        message.attributes.push(NeighbourAttribute::Destination(NeighbourAddress::Inet(ip)));
        Ok(message)
    }

    /// Makes the kernel impatient with the link's neighbours, so that tests need not wait: an answer
    /// is good for a second, requests come every 100 ms, three of them unanswered are enough.
    ///
    /// # Errors
    /// When the link is missing or the kernel refuses.
    pub fn quick_neighbours(&self, link: &str) -> Result<()> {
        self.neighbour_timers(
            link,
            NeighbourTimers {
                ucast_solicit: Some(1),
                mcast_solicit: Some(2),
                retrans: Some(Duration::from_millis(100)),
                base_reachable: Some(Duration::from_secs(1)),
                delay_probe: Some(Duration::from_millis(100)),
                proxy_delay: None,
                locktime: Some(Duration::ZERO),
            },
        )
    }

    /// Sets the kernel's patience with the link's neighbours.
    ///
    /// # Errors
    /// When the link is missing or the kernel refuses.
    pub fn neighbour_timers(&self, link: &str, timers: NeighbourTimers) -> Result<()> {
        let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let mut parameters = vec![Parameter::Ifindex(self.index(link)?)];
        parameters.extend(timers.ucast_solicit.map(Parameter::UcastProbes));
        parameters.extend(timers.mcast_solicit.map(Parameter::McastProbes));
        parameters.extend(timers.retrans.map(ms).map(Parameter::RetransTime));
        parameters.extend(timers.base_reachable.map(ms).map(Parameter::BaseReachableTime));
        parameters.extend(timers.delay_probe.map(ms).map(Parameter::DelayProbeTime));
        parameters.extend(timers.proxy_delay.map(ms).map(Parameter::ProxyDelay));
        parameters.extend(timers.locktime.map(ms).map(Parameter::Locktime));
        let mut message = NeighbourTableMessage::default();
        message.header.family = AddressFamily::Inet;
        message.attributes = vec![
            NeighbourTableAttribute::Name("arp_cache".to_owned()),
            NeighbourTableAttribute::Parms(parameters),
        ];
        let what = format!("set neighbour timers of {link} in {}", self.name());
        self.rtnl().change(&what, RouteNetlinkMessage::SetNeighbourTable(message), 0)
    }
}
