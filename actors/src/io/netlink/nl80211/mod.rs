//! nl80211: Wi-Fi interfaces and the stations they are associated with, by generic netlink.
//!
//! ```text
//! Radios ◄── RadioNews      stations that come and go (group `mlme`); the family itself, from nlctrl
//!        ◄── RadioInfo, stations with the time since each was last heard, on request   (message: the codec)
//! ```
//!
//! The kernel reports the radios of one network namespace only. A Wi-Fi interface is always where its radio is;
//! what is stacked on it (a VLAN, a macvlan) need not be.

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
use super::socket::{Channel, Room};
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
    /// Its role for arpherd; `None` for monitors, meshes and the like, whose hosts are known by ARP alone.
    pub fn role(&self) -> Option<WifiRole> {
        match self.kind {
            ACCESS_POINT | P2P_OWNER => Some(WifiRole::AccessPoint),
            STATION | P2P_CLIENT if self.four_address => Some(WifiRole::FourAddressStation),
            STATION | P2P_CLIENT => Some(WifiRole::Station),
            _ => None,
        }
    }
}

/// Something that happened to a Wi-Fi interface, or to nl80211 itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RadioNews {
    /// nl80211 is there now: cfg80211 was loaded.
    Appeared,
    /// It is gone, and all radios with it.
    Vanished,
    /// A station associated with an access point; on an interface that is a station it is the access point that
    /// is named here.
    StationJoined {
        /// The interface that reports it.
        interface: u32,
        /// The other side.
        lladdr: LinkAddr,
    },
    /// It is no longer associated.
    StationLeft {
        /// The interface that reports it.
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
    /// The interface that reports it, if one does.
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
    room: Room,
}

impl Radios {
    /// Opens sockets in the calling thread's network namespace, and reports nl80211 whenever it appears.
    ///
    /// # Errors
    /// If the sockets cannot be opened. No rights are needed.
    pub fn open() -> Result<Self, NetlinkError> {
        let open = || {
            let channel = Channel::open_to(NlFamily::Generic, RECEIVE_BUFFER)?;
            channel.nonblock()?;
            channel.join(&[u32::from(CONTROLLER)])?;
            Ok(channel)
        };
        let channel = open().map_err(NetlinkError::socket("open a netlink socket for radios"))?;
        let reader = Reader::open_to(NlFamily::Generic)?;
        Ok(Self { channel, reader, family: None, room: Room::for_bytes(ROOM) })
    }

    fn join(&mut self, family: Family) -> io::Result<()> {
        self.channel.join(&[family.mlme])?;
        self.family = Some(family);
        Ok(())
    }

    fn apply(&mut self, news: FamilyNews) -> io::Result<RadioNews> {
        Ok(match news {
            FamilyNews::Present(family) => {
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
            message::request_families,
        )?;
        let family = families.into_iter().find_map(|news| match news {
            FamilyNews::Present(family) => Some(family),
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
        let request = || message::request_of(Command::GetInterface, index);
        match self.reader.collect("radios", verb, family.id, message::interface, request) {
            Err(NetlinkError::Refused { errno: libc::ENODEV, .. }) => Ok(None),
            other => Ok(other?.first().copied()),
        }
    }

    fn stations(&mut self, index: u32) -> Result<Vec<(LinkAddr, Duration)>, NetlinkError> {
        let Some(family) = self.family else { return Ok(Vec::new()) };
        let verb = Verb { kind: Rtm::from(family.id), flags: NlmF::REQUEST | NlmF::DUMP };
        let request = || message::request_of(Command::GetStation, index);
        self.reader.collect("stations", verb, family.id, message::station, request)
    }

    fn read(&mut self, news: &mut Vec<RadioNews>) -> Result<bool, MonitorError> {
        for _ in 0..BATCH {
            let Some(received) = receive(&self.channel, &mut self.room)? else { return Ok(false) };
            let incoming: Vec<Incoming> =
                Messages::of(received).filter_map(|message| decode(&message, self.family)).collect();
            for item in incoming {
                news.push(match item {
                    Incoming::Family(family) => self.apply(family).map_err(MonitorError::Failed)?,
                    Incoming::Radio(news) => news,
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

/// What arrived on the socket of notifications.
#[derive(Debug, PartialEq, Eq)]
enum Incoming {
    Family(FamilyNews),
    Radio(RadioNews),
}

/// What cannot be decoded is skipped: the next message may be good.
fn decode(message: &Message<'_>, family: Option<Family>) -> Option<Incoming> {
    let decoded: Decoded<Incoming> = if message.kind == CONTROLLER {
        message::family_news(message.body).map(|news| news.map(Incoming::Family))
    } else if family.is_some_and(|family| family.id == message.kind) {
        message::news(message.body).map(|news| news.map(Incoming::Radio))
    } else {
        Ok(None)
    };
    decoded.ok().flatten()
}
