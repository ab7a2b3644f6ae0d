//! Links: made, changed, and read back.

use std::io;
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::{
    BridgePortState, InfoBridge, InfoBridgePort, InfoData, InfoKind, InfoPortData, InfoVeth, LinkAttribute,
    LinkFlags, LinkInfo as Info, LinkMessage, Prop, State,
};

use crate::error::Tried;
use crate::wait::pause;
use crate::{LabError, Mac, Netns, Result};

/// What the kernel says about a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkInfo {
    /// Its name.
    pub name: String,
    /// Its number in the namespace.
    pub index: u32,
    /// Its Ethernet address; zero for links that have none of six octets.
    pub mac: Mac,
    /// Its link-layer address whatever the length.
    pub lladdr: Vec<u8>,
    /// Administratively up.
    pub up: bool,
    /// The other end answers (`IFF_LOWER_UP`).
    pub carrier: bool,
    /// Ready to carry frames. A link with carrier becomes so a moment later, in the kernel's own time,
    /// and a bridge port a moment after that; frames sent before are lost.
    pub ready: bool,
    /// How many users asked for promiscuous mode.
    pub promiscuity: u32,
    /// Largest packet, in octets.
    pub mtu: u32,
    /// The index of the bridge or bond it is a port of.
    pub controller: Option<u32>,
}

impl Netns {
    /// Makes a cable with one end here and one in `other`; both ends are down.
    ///
    /// # Errors
    /// When a name is taken or the kernel refuses.
    pub fn veth(&self, name: &str, other: &Self, other_name: &str) -> Result<()> {
        let mut peer = named(other_name);
        peer.attributes.push(LinkAttribute::NetNsFd(other.fd().as_raw_fd()));
        self.create(name, InfoKind::Veth, Some(InfoData::Veth(InfoVeth::Peer(peer))))
    }

    /// Makes a bridge, down, without multicast snooping (its queries would be noise).
    ///
    /// # Errors
    /// When the name is taken or the kernel refuses.
    pub fn bridge(&self, name: &str) -> Result<()> {
        let data = InfoData::Bridge(vec![InfoBridge::MulticastSnooping(false)]);
        self.create(name, InfoKind::Bridge, Some(data))
    }

    /// Makes a link that leads nowhere, down: a dummy, or an ifb on kernels without dummies. Both
    /// have carrier when up, use no ARP and drop what they are given.
    ///
    /// # Errors
    /// When the name is taken or the kernel refuses.
    pub fn dummy(&self, name: &str) -> Result<()> {
        match self.create(name, InfoKind::Dummy, None) {
            Err(error) if error.errno() == Some(libc::EOPNOTSUPP) => self.create(name, InfoKind::Ifb, None),
            done => done,
        }
    }

    fn create(&self, name: &str, kind: InfoKind, data: Option<InfoData>) -> Result<()> {
        let what = format!("make {kind} {name} in {}", self.name());
        let mut message = named(name);
        let info = std::iter::once(Info::Kind(kind)).chain(data.map(Info::Data)).collect();
        message.attributes.push(LinkAttribute::LinkInfo(info));
        self.rtnl().change(&what, RouteNetlinkMessage::NewLink(message), NLM_F_CREATE | NLM_F_EXCL)
    }

    /// Makes `port` a port of `bridge` (or of another controller).
    ///
    /// # Errors
    /// When either is missing or the kernel refuses.
    pub fn enslave(&self, port: &str, bridge: &str) -> Result<()> {
        let controller = self.index(bridge)?;
        self.set(port, "enslave", |message| message.attributes.push(LinkAttribute::Controller(controller)))
    }

    /// Takes `port` out of its bridge.
    ///
    /// # Errors
    /// When it is missing or the kernel refuses.
    pub fn release(&self, port: &str) -> Result<()> {
        self.set(port, "release", |message| message.attributes.push(LinkAttribute::Controller(0)))
    }

    /// Sets the link up.
    ///
    /// # Errors
    /// When it is missing or the kernel refuses.
    pub fn up(&self, link: &str) -> Result<()> {
        self.set(link, "set up", |message| {
            message.header.flags = LinkFlags::Up;
            message.header.change_mask = LinkFlags::Up;
        })
    }

    /// Sets the link down.
    ///
    /// # Errors
    /// When it is missing or the kernel refuses.
    pub fn down(&self, link: &str) -> Result<()> {
        self.set(link, "set down", |message| message.header.change_mask = LinkFlags::Up)
    }

    /// Gives the link another name. Since Linux 6.2 it may be up.
    ///
    /// # Errors
    /// When it is missing, the name is taken or the kernel refuses.
    pub fn rename(&self, link: &str, new: &str) -> Result<()> {
        self.set(link, "rename", |message| message.attributes.push(LinkAttribute::IfName(new.to_owned())))
    }

    /// Gives the link an alternative name, of up to 127 octets.
    ///
    /// # Errors
    /// When it is missing, the name is taken or the kernel refuses.
    pub fn add_altname(&self, link: &str, name: &str) -> Result<()> {
        let flags = NLM_F_CREATE | NLM_F_EXCL;
        self.change_altname(link, name, "add an alternative name to", RouteNetlinkMessage::NewLinkProp, flags)
    }

    /// Takes an alternative name away from the link.
    ///
    /// # Errors
    /// When either is missing or the kernel refuses.
    pub fn remove_altname(&self, link: &str, name: &str) -> Result<()> {
        self.change_altname(link, name, "take an alternative name from", RouteNetlinkMessage::DelLinkProp, 0)
    }

    fn change_altname(
        &self,
        link: &str,
        name: &str,
        verb: &str,
        request: fn(LinkMessage) -> RouteNetlinkMessage,
        flags: u16,
    ) -> Result<()> {
        let mut message = LinkMessage::default();
        message.header.index = self.index(link)?;
        message.attributes.push(LinkAttribute::PropList(vec![Prop::AltIfName(name.to_owned())]));
        let what = format!("{verb} {link} in {}", self.name());
        self.rtnl().change(&what, request(message), flags)
    }

    /// Gives the link another Ethernet address.
    ///
    /// # Errors
    /// When it is missing or the kernel refuses.
    pub fn set_mac(&self, link: &str, mac: Mac) -> Result<()> {
        self.set(link, "set address of", |message| {
            message.attributes.push(LinkAttribute::Address(mac.0.to_vec()));
        })
    }

    /// Sets the largest packet, in octets.
    ///
    /// # Errors
    /// When the link is missing or the kernel refuses.
    pub fn set_mtu(&self, link: &str, mtu: u32) -> Result<()> {
        self.set(link, "set MTU of", |message| message.attributes.push(LinkAttribute::Mtu(mtu)))
    }

    /// Moves the link to another namespace, where it keeps its name, is down and has no addresses.
    ///
    /// # Errors
    /// When it is missing, the name is taken there or the kernel refuses.
    pub fn move_link(&self, link: &str, other: &Self) -> Result<()> {
        self.set(link, "move", |message| {
            message.attributes.push(LinkAttribute::NetNsFd(other.fd().as_raw_fd()));
        })
    }

    /// Deletes the link, and the other end of a veth with it.
    ///
    /// # Errors
    /// When it is missing or the kernel refuses.
    pub fn delete(&self, link: &str) -> Result<()> {
        let mut message = LinkMessage::default();
        message.header.index = self.index(link)?;
        let what = format!("delete {link} in {}", self.name());
        self.rtnl().change(&what, RouteNetlinkMessage::DelLink(message), 0)
    }

    /// The link's Ethernet address.
    ///
    /// # Errors
    /// [`LabError::NoLink`] when there is no such link.
    pub fn mac(&self, link: &str) -> Result<Mac> {
        self.link_info(link).map(|info| info.mac)
    }

    /// The link's number in this namespace.
    ///
    /// # Errors
    /// [`LabError::NoLink`] when there is no such link.
    pub fn index(&self, link: &str) -> Result<u32> {
        self.link_info(link).map(|info| info.index)
    }

    /// What the kernel says about the link.
    ///
    /// # Errors
    /// [`LabError::NoLink`] when there is no such link.
    pub fn link_info(&self, link: &str) -> Result<LinkInfo> {
        let missing = || LabError::NoLink { netns: self.name().to_owned(), link: link.to_owned() };
        let answer = self.rtnl().get(&format!("read link {link}"), RouteNetlinkMessage::GetLink(named(link)));
        match answer {
            Ok(Some(RouteNetlinkMessage::NewLink(message))) => Ok(read(&message)),
            Ok(_) => Err(missing()),
            Err(error) if error.errno() == Some(libc::ENODEV) => Err(missing()),
            Err(error) => Err(error),
        }
    }

    /// Waits until the link is ready to carry frames, see [`LinkInfo::ready`].
    ///
    /// # Errors
    /// When it is missing, or not ready within 5 seconds (the other end is down?).
    pub fn wait_ready(&self, link: &str) -> Result<()> {
        let start = Instant::now();
        while !self.link_info(link)?.ready {
            if start.elapsed() > Duration::from_secs(5) {
                return Err(io::Error::from(io::ErrorKind::TimedOut))
                    .tried(|| format!("wait until {link} in {} is ready", self.name()));
            }
            pause(Duration::from_millis(1));
        }
        Ok(())
    }

    /// All links of the namespace.
    ///
    /// # Panics
    /// When the kernel does not answer.
    pub fn links(&self) -> Vec<LinkInfo> {
        let request = RouteNetlinkMessage::GetLink(LinkMessage::default());
        let answers = self.rtnl().dump("read links", &request).expect("the kernel lists its links to anyone");
        let links = answers.iter().filter_map(|answer| match answer {
            RouteNetlinkMessage::NewLink(message) => Some(read(message)),
            _ => None,
        });
        links.collect()
    }

    /// Changes a link that exists.
    pub(crate) fn set(&self, link: &str, verb: &str, change: impl FnOnce(&mut LinkMessage)) -> Result<()> {
        let mut message = LinkMessage::default();
        message.header.index = self.index(link)?;
        change(&mut message);
        let what = format!("{verb} {link} in {}", self.name());
        // NEWLINK, not SETLINK: only it takes the settings of a bridge port.
        self.rtnl().change(&what, RouteNetlinkMessage::NewLink(message), 0)
    }
}

fn named(name: &str) -> LinkMessage {
    let mut message = LinkMessage::default();
    message.attributes.push(LinkAttribute::IfName(name.to_owned()));
    message
}

fn read(message: &LinkMessage) -> LinkInfo {
    let flags = message.header.flags;
    let mut info = LinkInfo {
        name: String::new(),
        index: message.header.index,
        mac: Mac::ZERO,
        lladdr: Vec::new(),
        up: flags.contains(LinkFlags::Up),
        carrier: flags.contains(LinkFlags::LowerUp),
        ready: false,
        promiscuity: 0,
        mtu: 0,
        controller: None,
    };
    let mut forwards = true;
    for attribute in &message.attributes {
        match attribute {
            LinkAttribute::OperState(state) => info.ready = matches!(state, State::Up | State::Unknown),
            LinkAttribute::LinkInfo(parts) => forwards = parts.iter().all(may_forward),
            LinkAttribute::IfName(name) => info.name.clone_from(name),
            LinkAttribute::Address(bytes) => {
                info.mac = bytes.as_slice().try_into().map(Mac).unwrap_or_default();
                info.lladdr.clone_from(bytes);
            }
            LinkAttribute::Promiscuity(count) => info.promiscuity = *count,
            LinkAttribute::Mtu(mtu) => info.mtu = *mtu,
            LinkAttribute::Controller(index) => info.controller = Some(*index),
            _ => {}
        }
    }
    info.ready &= info.up && info.carrier && forwards;
    info
}

/// False for a bridge port that does not forward yet.
fn may_forward(part: &Info) -> bool {
    let Info::PortData(InfoPortData::BridgePort(port)) = part else { return true };
    port.iter().all(|attribute| match attribute {
        InfoBridgePort::State(state) => *state == BridgePortState::Forwarding,
        _ => true,
    })
}
