//! Reading the kernel's lists, each as a whole.

use std::io;

use arpherd_core::fact::KernelRoute;
use neli::consts::nl::NlmF;
use neli::consts::rtnl::{Ifla, Ntf, Nud, RtAddrFamily, RtScope, RtTable, Rta, Rtm, Rtn, Rtprot};
use neli::consts::socket::NlFamily;
use neli::rtnl::{IfaddrmsgBuilder, IfinfomsgBuilder, NdmsgBuilder, RtmsgBuilder};
use neli::types::RtBuffer;
use neli::{Size, ToBytes};

use super::compose::{self, Unwritable, Verb, attribute};
use super::decode::{self, Decoded};
use super::info::{AddressInfo, LinkInfo, NeighbourInfo, ProxyInfo, find_link};
use super::socket::{Channel, Room};
use super::wire::{Message, Messages, NetlinkAck};
use super::{NetlinkError, errno_text};

/// Bytes of one answer; the kernel fills up to 32 KiB of what it is offered.
const ROOM: usize = 64 << 10;
const RECEIVE_BUFFER: usize = 1 << 20;
/// Times a list that changed while it was read is read again.
const ATTEMPTS: u32 = 8;
/// `RTEXT_FILTER_SKIP_STATS`: leave out the counters of interfaces.
const SKIP_STATS: u32 = 1 << 3;

/// Asks the kernel for its lists. Every call waits for the answer, which takes milliseconds.
pub struct Reader {
    channel: Channel,
    sequence: u32,
    room: Room,
}

/// How reading a list ended.
enum End {
    Complete,
    Interrupted,
}

impl Reader {
    /// Opens a socket in the calling thread's network namespace. Reading needs no rights.
    ///
    /// # Errors
    /// If the socket cannot be opened.
    pub fn open() -> Result<Self, NetlinkError> {
        Self::open_to(NlFamily::Route)
    }

    pub(in crate::io) fn open_to(family: NlFamily) -> Result<Self, NetlinkError> {
        let channel = Channel::open_to(family, RECEIVE_BUFFER)
            .map_err(NetlinkError::socket("open a netlink socket to read lists"))?;
        Ok(Self { channel, sequence: 0, room: Room::for_bytes(ROOM) })
    }

    /// All interfaces.
    ///
    /// # Errors
    /// See [`NetlinkError`]; so for every list.
    pub fn links(&mut self) -> Result<Vec<LinkInfo>, NetlinkError> {
        self.list("interfaces", Rtm::Getlink, Rtm::Newlink, decode::link, || {
            let mut attributes = RtBuffer::new();
            attributes.push(attribute(Ifla::ExtMask, SKIP_STATS)?);
            let body = IfinfomsgBuilder::default().ifi_family(RtAddrFamily::Unspecified).rtattrs(attributes);
            body.build().map_err(|_| Unwritable)
        })
    }

    /// The interface of that name or alternative name, if there is one.
    ///
    /// # Errors
    /// See [`NetlinkError`].
    pub fn link(&mut self, name: &str) -> Result<Option<LinkInfo>, NetlinkError> {
        Ok(find_link(self.links()?.iter(), name).cloned())
    }

    /// All IPv4 addresses of this host, in the kernel's order.
    ///
    /// # Errors
    /// See [`NetlinkError`].
    pub fn addresses(&mut self) -> Result<Vec<AddressInfo>, NetlinkError> {
        self.list("addresses", Rtm::Getaddr, Rtm::Newaddr, decode::address, || {
            IfaddrmsgBuilder::default()
                .ifa_family(RtAddrFamily::Inet)
                .ifa_prefixlen(0)
                .ifa_scope(RtScope::Universe)
                .ifa_index(0)
                .rtattrs(RtBuffer::new())
                .build()
                .map_err(|_| Unwritable)
        })
    }

    /// All `/32` routes of one table, ours and others', without segment and link-layer address. A table
    /// that does not exist has none.
    ///
    /// # Errors
    /// See [`NetlinkError`].
    pub fn host_routes(&mut self, table: u32) -> Result<Vec<KernelRoute>, NetlinkError> {
        let decode = |bytes: &[u8]| decode::host_route(bytes, table);
        let outcome = self.list("routes", Rtm::Getroute, Rtm::Newroute, decode, || {
            let mut attributes = RtBuffer::new();
            attributes.push(attribute(Rta::Table, table)?);
            RtmsgBuilder::default()
                .rtm_family(RtAddrFamily::Inet)
                .rtm_dst_len(0)
                .rtm_src_len(0)
                .rtm_tos(0)
                .rtm_table(RtTable::Unspec)
                .rtm_protocol(Rtprot::Unspec)
                .rtm_scope(RtScope::Universe)
                .rtm_type(Rtn::Unspec)
                .rtattrs(attributes)
                .build()
                .map_err(|_| Unwritable)
        });
        match outcome {
            Err(NetlinkError::Refused { errno: libc::ENOENT, .. }) => Ok(Vec::new()),
            other => other,
        }
    }

    /// The kernel's IPv4 neighbour table, of all interfaces.
    ///
    /// # Errors
    /// See [`NetlinkError`].
    pub fn neighbours(&mut self) -> Result<Vec<NeighbourInfo>, NetlinkError> {
        self.list("neighbours", Rtm::Getneigh, Rtm::Newneigh, decode::neighbour, || {
            NdmsgBuilder::default()
                .ndm_family(RtAddrFamily::Inet)
                .ndm_index(0)
                .ndm_state(Nud::empty())
                .ndm_type(Rtn::Unspec)
                .rtattrs(RtBuffer::new())
                .build()
                .map_err(|_| Unwritable)
        })
    }

    /// The proxy entries (`ip neigh show proxy`): IPv4 addresses the kernel answers for, of all interfaces.
    ///
    /// # Errors
    /// See [`NetlinkError`].
    pub fn proxies(&mut self) -> Result<Vec<ProxyInfo>, NetlinkError> {
        self.list("proxy entries", Rtm::Getneigh, Rtm::Newneigh, decode::proxy, || {
            NdmsgBuilder::default()
                .ndm_family(RtAddrFamily::Inet)
                .ndm_index(0)
                .ndm_state(Nud::empty())
                .ndm_flags(Ntf::PROXY)
                .ndm_type(Rtn::Unspec)
                .rtattrs(RtBuffer::new())
                .build()
                .map_err(|_| Unwritable)
        })
    }

    /// Requests a list, again if it changed meanwhile, and decodes its entries of type `answer`.
    pub(in crate::io) fn list<T, P: Size + ToBytes>(
        &mut self,
        what: &'static str,
        request: Rtm,
        answer: Rtm,
        decode: impl Fn(&[u8]) -> Decoded<T>,
        body: impl Fn() -> Result<P, Unwritable>,
    ) -> Result<Vec<T>, NetlinkError> {
        let verb = Verb { kind: request, flags: NlmF::REQUEST | NlmF::DUMP };
        self.collect(what, verb, u16::from(answer), decode, body)
    }

    /// Requests a list or, with an acknowledgement to mark its end, a single entry.
    pub(super) fn collect<T, P: Size + ToBytes>(
        &mut self,
        what: &'static str,
        verb: Verb,
        answer: u16,
        decode: impl Fn(&[u8]) -> Decoded<T>,
        body: impl Fn() -> Result<P, Unwritable>,
    ) -> Result<Vec<T>, NetlinkError> {
        for _ in 0..ATTEMPTS {
            self.sequence = self.sequence.wrapping_add(1);
            let mut request = Vec::new();
            body()
                .and_then(|body| compose::append(&mut request, self.sequence, verb, body))
                .map_err(|Unwritable| NetlinkError::Malformed { what })?;
            self.channel.send(&request).map_err(NetlinkError::socket("send a netlink request"))?;
            let mut entries = Vec::new();
            let end = self.read_answers(what, |message| {
                // An entry that cannot be understood is left out; the others are worth having.
                if message.kind == answer
                    && let Ok(Some(entry)) = decode(message.body)
                {
                    entries.push(entry);
                }
            })?;
            if let End::Complete = end {
                return Ok(entries);
            }
        }
        Err(NetlinkError::Restless { what })
    }

    /// Reads the answers to the last request to their end.
    fn read_answers(
        &mut self,
        what: &'static str,
        mut each: impl FnMut(&Message<'_>),
    ) -> Result<End, NetlinkError> {
        let mut end = End::Complete;
        loop {
            let received = match self.channel.receive_in(&mut self.room) {
                Err(cause) if cause.kind() == io::ErrorKind::Interrupted => continue,
                other => other.map_err(NetlinkError::socket("read a netlink answer"))?,
            };
            for message in Messages::of(received) {
                if message.sequence != self.sequence {
                    continue;
                }
                if i32::from(message.flags) & libc::NLM_F_DUMP_INTR != 0 {
                    end = End::Interrupted;
                }
                if !matches!(i32::from(message.kind), libc::NLMSG_DONE | libc::NLMSG_ERROR) {
                    each(&message);
                    continue;
                }
                match NetlinkAck::of(&message) {
                    Some(NetlinkAck { errno, text }) if errno != 0 => {
                        let reason = text.map_or_else(|| errno_text(errno), str::to_owned);
                        return Err(NetlinkError::Refused { what, errno, reason });
                    }
                    _ => return Ok(end),
                }
            }
        }
    }
}
