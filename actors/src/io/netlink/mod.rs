//! rtnetlink: reading and writing the kernel's links, addresses, routes and neighbours.
//!
//! ```text
//! write         RouteWriter ── Write ──► kernel ──► Refusal        (compose: the messages; forms: those of each new host)
//! route_lookup  RouteLookup: where a packet would be forwarded to, for RouteWriter
//! read          Reader ◄── LinkInfo, AddressInfo, KernelRoute, NeighbourInfo, ProxyInfo   (info, decode)
//! route_dump    Reader ◄── AnyRoute, PolicyRule: everybody's, for a diagnosis
//! nl80211       Radios ◄── RadioNews, RadioInfo: Wi-Fi interfaces and stations, by generic netlink
//! monitor       Monitor ◄── Changed, as others change things
//! shared_lladdr a second link-layer address, which several interfaces share, for RouteWriter
//! clsact        a program at the ingress of an interface; the filters there, for a diagnosis
//! leftovers     deletes proxy entries of an earlier run
//! socket, wire  one socket; the framing of messages
//! ```
//!
//! neli is the codec and the socket. Going through messages and matching answers to requests is done here, because
//! its router loses the kernel's error text and the report of an overrun (neli 0.7.5).

pub(in crate::io) mod decode;
pub mod info;
pub mod leftovers;
pub(in crate::io) mod link_setup;
pub mod monitor;
pub mod nl80211;
pub mod read;
mod route_dump;
mod route_lookup;
pub mod shared_lladdr;
pub(in crate::io) mod socket;
pub(in crate::io) mod wire;
pub mod write;

pub(in crate::io) mod clsact;
mod compose;
mod forms;

use std::io;

pub use clsact::FilterInfo;
pub use info::{AddressInfo, LinkInfo, NeighbourInfo, ProxyInfo, find_link};
pub use monitor::{Changed, Monitor, MonitorError};
pub use nl80211::{RadioInfo, RadioNews, Radios};
pub use read::Reader;
pub use route_dump::{AnyRoute, PolicyRule};
pub use write::RouteWriter;

/// Why the kernel could not be asked, or did not answer.
#[derive(Debug, thiserror::Error)]
pub enum NetlinkError {
    /// A system call failed.
    #[error("cannot {doing}: {cause}")]
    Socket {
        /// What was tried.
        doing: &'static str,
        /// What the kernel said.
        #[source]
        cause: io::Error,
    },
    /// The kernel refused the request.
    #[error("the kernel refuses to list {what}: {reason}")]
    Refused {
        /// What was asked for.
        what: &'static str,
        /// The kernel's error number, positive.
        errno: i32,
        /// What the kernel said beside it, or the text of `errno`.
        reason: String,
    },
    /// The list changed each time while the kernel sent it.
    #[error("the list of {what} kept changing while it was read")]
    Restless {
        /// What was asked for.
        what: &'static str,
    },
    /// The request could not be encoded: a fault of this program.
    #[error("the request for {what} cannot be encoded")]
    Malformed {
        /// What was asked for.
        what: &'static str,
    },
}

impl NetlinkError {
    fn socket(doing: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |cause| Self::Socket { doing, cause }
    }
}

/// The text of an error number, without the number.
pub(crate) fn errno_text(errno: i32) -> String {
    let text = io::Error::from_raw_os_error(errno).to_string();
    text.split(" (os error").next().unwrap_or_default().to_owned()
}
