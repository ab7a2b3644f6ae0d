//! One synchronous rtnetlink socket: a request, its answers, the kernel's own message on refusal.

use std::io;
use std::os::fd::AsRawFd;
use std::time::Duration;

use netlink_packet_core::{
    NLM_F_ACK, NLM_F_CAPPED, NLM_F_DUMP, NLM_F_REQUEST, NetlinkBuffer, NetlinkMessage, NetlinkPayload,
};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_sys::Socket;
use netlink_sys::protocols::NETLINK_ROUTE;

use crate::wait::readable;
use crate::{LabError, Result};

/// The kernel answers while it handles the request; a socket silent for so long is broken.
const SILENCE: Duration = Duration::from_secs(10);
/// A dump that kept changing under us is asked for again this often.
const DUMP_ATTEMPTS: usize = 20;

pub(crate) struct Rtnl {
    socket: Socket,
    sequence: u32,
}

impl Rtnl {
    /// A socket in the calling thread's namespace; it stays there.
    pub(crate) fn open() -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        socket.bind_auto()?;
        socket.set_ext_ack(true)?;
        socket.set_cap_ack(true)?;
        // Best effort: capped at net.core.rmem_max.
        let _ = socket.set_rx_buf_sz(4_i32 << 20);
        Ok(Self { socket, sequence: 0 })
    }

    /// A request that changes something; `flags` are added to REQUEST and ACK.
    pub(crate) fn change(&mut self, what: &str, message: RouteNetlinkMessage, flags: u16) -> Result<()> {
        self.exchange(what, message, NLM_F_ACK | flags).map(drop)
    }

    /// A request for one object.
    pub(crate) fn get(
        &mut self,
        what: &str,
        message: RouteNetlinkMessage,
    ) -> Result<Option<RouteNetlinkMessage>> {
        self.exchange(what, message, NLM_F_ACK).map(|(answers, _)| answers.into_iter().next())
    }

    /// All objects of a kind, as they were at one time.
    pub(crate) fn dump(
        &mut self,
        what: &str,
        message: &RouteNetlinkMessage,
    ) -> Result<Vec<RouteNetlinkMessage>> {
        let mut last = Vec::new();
        for _ in 0..DUMP_ATTEMPTS {
            let (answers, consistent) = self.exchange(what, message.clone(), NLM_F_DUMP)?;
            if consistent {
                return Ok(answers);
            }
            last = answers;
        }
        // Under a steady stream of changes no dump is of one time; the newest is the best there is.
        Ok(last)
    }

    fn exchange(
        &mut self,
        what: &str,
        message: RouteNetlinkMessage,
        flags: u16,
    ) -> Result<(Vec<RouteNetlinkMessage>, bool)> {
        let system = |source| LabError::System { what: format!("netlink: {what}"), source };
        self.sequence += 1;
        let mut request = NetlinkMessage::from(message);
        request.header.flags = NLM_F_REQUEST | flags;
        request.header.sequence_number = self.sequence;
        request.finalize();
        let mut bytes = vec![0; request.buffer_len()];
        request.serialize(&mut bytes);
        self.socket.send(&bytes, 0).map_err(system)?;

        let (mut answers, mut consistent) = (Vec::new(), true);
        let mut buffer = Vec::with_capacity(64 << 10);
        // Ends at the acknowledgement or the end of the dump; SILENCE bounds a kernel that sends neither.
        loop {
            if !readable(self.socket.as_raw_fd(), SILENCE).map_err(system)? {
                return Err(system(io::ErrorKind::TimedOut.into()));
            }
            buffer.clear();
            self.socket.recv(&mut buffer, 0).map_err(system)?;
            for one in messages(&buffer) {
                let one = one.map_err(|text| system(io::Error::other(text)))?;
                if one.header.sequence_number != self.sequence {
                    continue; // the rest of an exchange that failed half-way
                }
                consistent &= one.header.flags & netlink_packet_core::NLM_F_DUMP_INTR == 0;
                match one.payload {
                    NetlinkPayload::InnerMessage(inner) => answers.push(inner),
                    NetlinkPayload::Error(error) if error.raw_code() != 0 => {
                        let text = kernel_text(&error.header, one.header.flags).unwrap_or_default();
                        return Err(LabError::Kernel { what: what.to_owned(), source: error.to_io(), text });
                    }
                    NetlinkPayload::Done(_) | NetlinkPayload::Error(_) => return Ok((answers, consistent)),
                    _ => {}
                }
            }
        }
    }
}

/// The messages of one datagram.
pub(crate) fn messages(
    mut datagram: &[u8],
) -> impl Iterator<Item = Result<NetlinkMessage<RouteNetlinkMessage>, String>> + '_ {
    std::iter::from_fn(move || {
        if datagram.is_empty() {
            return None;
        }
        let length = match NetlinkBuffer::new_checked(datagram) {
            Ok(buffer) => usize::try_from(buffer.length()).unwrap_or(usize::MAX),
            Err(error) => {
                datagram = &[];
                return Some(Err(error.to_string()));
            }
        };
        let message = NetlinkMessage::deserialize(&datagram[..length]).map_err(|error| error.to_string());
        datagram = datagram.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some(message)
    })
}

/// Attribute 1 (`NLMSGERR_ATTR_MSG`) behind the copy of our request's header, or of all our request
/// when the kernel did not cap it.
fn kernel_text(body: &[u8], flags: u16) -> Option<String> {
    let copied = if flags & NLM_F_CAPPED == 0 {
        usize::try_from(u32::from_ne_bytes(body.get(..4)?.try_into().ok()?)).ok()?.next_multiple_of(4)
    } else {
        16
    };
    let mut rest = body.get(copied..)?;
    while rest.len() >= 4 {
        let length = usize::from(u16::from_ne_bytes([rest[0], rest[1]]));
        let kind = u16::from_ne_bytes([rest[2], rest[3]]);
        let value = rest.get(4..length)?;
        if kind == 1 {
            return Some(String::from_utf8_lossy(value).trim_end_matches('\0').to_owned());
        }
        rest = rest.get(length.next_multiple_of(4)..)?;
    }
    None
}
