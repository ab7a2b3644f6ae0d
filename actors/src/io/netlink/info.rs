//! What the kernel lists: interfaces, addresses, neighbours and proxy entries.

use std::net::Ipv4Addr;
use std::path::Path;

use arpherd_core::LinkAddr;
use arpherd_core::plan::LinkKind;
use ipnetwork::Ipv4Network;

use crate::io::netns::Netns;

/// An interface.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LinkInfo {
    /// Its number.
    pub index: u32,
    /// Its name, made printable.
    pub name: String,
    /// Its alternative names (`IFLA_ALT_IFNAME`), made printable. The kernel gives no name to two interfaces of a network
    /// namespace, whichever of the two sorts it is.
    pub alternative_names: Vec<String>,
    /// `ARPHRD_…`: what kind of link-layer header it has.
    pub hardware: u16,
    /// `IFF_UP`: set up by the administrator.
    pub up: bool,
    /// `IFF_LOWER_UP`: there is a carrier.
    pub carrier: bool,
    /// Not `IFF_NOARP`: the kernel uses ARP on it.
    pub arp: bool,
    /// `IFLA_OPERSTATE`, RFC 2863: 6 is up; on Wi-Fi it is down (2) without an access point.
    pub operational: u8,
    /// Its own link-layer address; unknown if it has none of 6 or 20 octets.
    pub lladdr: LinkAddr,
    /// Its broadcast address; likewise.
    pub broadcast: LinkAddr,
    /// Longest packet it takes, in octets.
    pub mtu: u32,
    /// The interface it is a port of.
    pub master: Option<u32>,
    /// `IFLA_INFO_KIND`, what it was created as: `veth`, `bridge`, `vlan`, …; hardware has none.
    pub created_as: Option<String>,
    /// `IFLA_INFO_SLAVE_KIND`, what it is a port of: `bridge`, `bond`, ….
    pub port_of: Option<String>,
    /// `IFLA_VRF_TABLE`: what a VRF routes by.
    pub vrf_table: Option<u32>,
}

impl LinkInfo {
    /// Its name and its alternative names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        std::iter::once(&self.name).chain(&self.alternative_names).map(String::as_str)
    }

    /// Whether this is its name or one of its alternative names.
    pub fn is_called(&self, name: &str) -> bool {
        self.name == name || self.alternative_names.iter().any(|other| other == name)
    }

    /// What kind of link it is to arpherd; `None` if ARP over it is not supported.
    pub fn kind(&self) -> Option<LinkKind> {
        self.kind_in(&Netns::own())
    }

    /// The same of a link in this namespace.
    ///
    /// Wi-Fi has Ethernet's link type; sysfs shows the difference. Without a sysfs it is taken for Ethernet, and
    /// sleeping clients may be expired too early.
    pub fn kind_in(&self, netns: &Netns) -> Option<LinkKind> {
        match self.hardware {
            libc::ARPHRD_INFINIBAND => Some(LinkKind::Ipoib),
            libc::ARPHRD_ETHER => {
                let wireless = netns.interfaces().is_some_and(|sysfs| is_wireless(&sysfs, &self.name));
                Some(if wireless { LinkKind::Wifi } else { LinkKind::Ethernet })
            }
            _ => None,
        }
    }
}

/// The interface of that name or alternative name. While news of several changes is read a name may stand at two: the
/// one whose own name it is comes first.
pub fn find_link<'a>(
    mut links: impl Iterator<Item = &'a LinkInfo> + Clone,
    name: &str,
) -> Option<&'a LinkInfo> {
    let its_own = links.clone().find(|link| link.name == name);
    its_own.or_else(|| links.find(|link| link.is_called(name)))
}

fn is_wireless(sysfs: &Path, name: &str) -> bool {
    let directory = sysfs.join(name);
    ["phy80211", "wireless"].iter().any(|entry| directory.join(entry).exists())
}

/// An IPv4 address of this host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AddressInfo {
    /// The interface that has it.
    pub interface: u32,
    /// The address with its prefix.
    pub network: Ipv4Network,
}

/// An IPv4 entry of the kernel's neighbour table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NeighbourInfo {
    /// The interface it is on.
    pub interface: u32,
    /// Whose it is.
    pub address: Ipv4Addr,
    /// Its link-layer address; unknown if the kernel has none.
    pub lladdr: LinkAddr,
    /// `NUD_…` bits.
    pub state: u16,
    /// Written by a daemon (`NTF_EXT_LEARNED`), as those of arpherd are.
    pub learned_elsewhere: bool,
}

/// An address the kernel answers for on an interface (`NTF_PROXY`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProxyInfo {
    /// The interface.
    pub interface: u32,
    /// The address.
    pub address: Ipv4Addr,
    /// Who wrote it, `NDA_PROTOCOL`; 0 if not given.
    pub protocol: u8,
}
