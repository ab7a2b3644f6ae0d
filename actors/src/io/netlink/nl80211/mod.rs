//! nl80211: what radios know of the stations around them, by generic netlink.
//!
//! ```text
//! Radios ◄── RadioNews      stations that come and go (group `mlme`); the family itself, from nlctrl
//!        ◄── RadioInfo, stations with the time since each was last heard, when asked   (message: the codec)
//! ```
//!
//! The kernel tells of the radios in one network namespace only, and an interface is always where its radio is,
//! but what is made on top of it (a VLAN, a macvlan) need not be.

mod message;
#[cfg(test)]
mod tests;

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use arpherd_core::LinkAddr;
use arpherd_core::fact::WifiRole;
use message::{Command, Family, FamilyNews};
use neli::consts::nl::NlmF;
use neli::consts::rtnl::Rtm;
use neli::consts::socket::NlFamily;

use super::compose::Verb;
use super::decode::Decoded;
use super::monitor::{BATCH, ROOM, receive};
use super::read::Reader;
use super::socket::Channel;
use super::wire::{Message, Messages};
use super::{MonitorError, NetlinkError};
use crate::io::Radio;

/// `GENL_ID_CTRL`: type of the controller's messages, and number of its group, in which families come and go
/// (`genl_ctrl_groups`; the controller is the first family registered).
const CONTROLLER: u16 = 0x10;
/// Bytes that may wait unread.
const RECEIVE_BUFFER: usize = 1 << 20;
/// `NL80211_IFTYPE_…`
const STATION: u32 = 2;
const ACCESS_POINT: u32 = 3;
const P2P_CLIENT: u32 = 8;
const P2P_OWNER: u32 = 9;

/// What nl80211 says of an interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RadioInfo {
    /// `NL80211_ATTR_IFTYPE`
    pub kind: u32,
    /// `NL80211_ATTR_4ADDR`: its frames can bear other senders than itself.
    pub four_address: bool,
}

impl RadioInfo {
    /// What it is to us; `None` for monitors, meshes and the like, of which only ARP tells.
    pub fn role(&self) -> Option<WifiRole> {
        match self.kind {
            ACCESS_POINT | P2P_OWNER => Some(WifiRole::AccessPoint),
            STATION | P2P_CLIENT if self.four_address => Some(WifiRole::FourAddressStation),
            STATION | P2P_CLIENT => Some(WifiRole::Station),
            _ => None,
        }
    }
}

/// Something that happened on the air, or to nl80211 itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RadioNews {
    /// nl80211 is there from now on: cfg80211 was loaded.
    Appeared,
    /// It is gone, and all radios with it.
    Vanished,
    /// A station associated with an access point; on an interface that is a station it is the access point that
    /// is named here.
    StationJoined {
        /// The interface that tells.
        interface: u32,
        /// The other side.
        lladdr: LinkAddr,
    },
    /// It is no longer associated.
    StationLeft {
        /// The interface that tells.
        interface: u32,
        /// The other side.
        lladdr: LinkAddr,
    },
    /// An interface that is a station found an access point: the first, another, or the same again.
    Associated {
        /// The interface.
        interface: u32,
    },
    /// It lost its access point.
    Disassociated {
        /// The interface.
        interface: u32,
    },
}

impl RadioNews {
    /// The interface that tells, if it is one.
    pub fn interface(self) -> Option<u32> {
        match self {
            Self::Appeared | Self::Vanished => None,
            Self::StationJoined { interface, .. }
            | Self::StationLeft { interface, .. }
            | Self::Associated { interface }
            | Self::Disassociated { interface } => Some(interface),
        }
    }
}

/// The radios of one network namespace.
pub struct Radios {
    channel: Channel,
    reader: Reader,
    family: Option<Family>,
    room: Vec<u8>,
}

impl Radios {
    /// Opens sockets in the calling thread's network namespace, and hears of nl80211 whenever it appears.
    ///
    /// # Errors
    /// If the kernel will not open them. No rights are needed.
    pub fn open() -> Result<Self, NetlinkError> {
        let open = || {
            let channel = Channel::open_to(NlFamily::Generic, RECEIVE_BUFFER)?;
            channel.nonblock()?;
            channel.join(&[u32::from(CONTROLLER)])?;
            Ok(channel)
        };
        let channel = open().map_err(NetlinkError::socket("open a netlink socket to hear of radios"))?;
        let reader = Reader::open_to(NlFamily::Generic)?;
        Ok(Self { channel, reader, family: None, room: vec![0; ROOM] })
    }

    fn join(&mut self, family: Family) -> io::Result<()> {
        self.channel.join(&[family.mlme])?;
        self.family = Some(family);
        Ok(())
    }

    fn follow(&mut self, news: FamilyNews) -> io::Result<RadioNews> {
        Ok(match news {
            FamilyNews::Here(family) => {
                self.join(family)?;
                RadioNews::Appeared
            }
            FamilyNews::Gone => {
                self.family = None;
                RadioNews::Vanished
            }
        })
    }
}

impl Radio for Radios {
    fn find(&mut self) -> Result<bool, NetlinkError> {
        let verb = Verb { kind: Rtm::from(CONTROLLER), flags: NlmF::REQUEST | NlmF::DUMP };
        let families = self.reader.collect(
            "netlink families",
            verb,
            CONTROLLER,
            message::family_news,
            message::ask_families,
        )?;
        let family = families.into_iter().find_map(|news| match news {
            FamilyNews::Here(family) => Some(family),
            FamilyNews::Gone => None,
        });
        if let Some(family) = family {
            self.join(family).map_err(NetlinkError::socket("join nl80211's group mlme"))?;
        }
        Ok(family.is_some())
    }

    fn interface(&mut self, index: u32) -> Result<Option<RadioInfo>, NetlinkError> {
        let Some(family) = self.family else { return Ok(None) };
        let verb = Verb { kind: Rtm::from(family.id), flags: NlmF::REQUEST | NlmF::ACK };
        let question = || message::ask_of(Command::GetInterface, index);
        match self.reader.collect("radios", verb, family.id, message::interface, question) {
            Err(NetlinkError::Refused { errno: libc::ENODEV, .. }) => Ok(None),
            other => Ok(other?.first().copied()),
        }
    }

    fn stations(&mut self, index: u32) -> Result<Vec<(LinkAddr, Duration)>, NetlinkError> {
        let Some(family) = self.family else { return Ok(Vec::new()) };
        let verb = Verb { kind: Rtm::from(family.id), flags: NlmF::REQUEST | NlmF::DUMP };
        let question = || message::ask_of(Command::GetStation, index);
        self.reader.collect("stations", verb, family.id, message::station, question)
    }

    fn read(&mut self, news: &mut Vec<RadioNews>) -> Result<bool, MonitorError> {
        for _ in 0..BATCH {
            let Some(length) = receive(&self.channel, &mut self.room)? else { return Ok(false) };
            let heard: Vec<Heard> =
                Messages::of(&self.room[..length]).filter_map(|it| hear(&it, self.family)).collect();
            for heard in heard {
                news.push(match heard {
                    Heard::Family(family) => self.follow(family).map_err(MonitorError::Failed)?,
                    Heard::Radio(news) => news,
                });
            }
        }
        Ok(true)
    }
}

impl AsFd for Radios {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.channel.as_fd()
    }
}

/// What came in on the socket of news.
#[derive(Debug, PartialEq, Eq)]
enum Heard {
    Family(FamilyNews),
    Radio(RadioNews),
}

/// What cannot be understood is passed over: the next is worth having.
fn hear(message: &Message<'_>, family: Option<Family>) -> Option<Heard> {
    let heard: Decoded<Heard> = if message.kind == CONTROLLER {
        message::family_news(message.body).map(|news| news.map(Heard::Family))
    } else if family.is_some_and(|family| family.id == message.kind) {
        message::news(message.body).map(|news| news.map(Heard::Radio))
    } else {
        Ok(None)
    };
    heard.ok().flatten()
}
