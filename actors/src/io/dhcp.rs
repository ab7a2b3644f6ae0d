//! DHCP messages: on a segment's link, at port 67 of this machine's addresses, and on the way to servers.
//!
//! ```text
//! datagram   an IPv4 packet with a message in it, decoded and built
//! link       packet sockets of one link: what comes in and what goes out       (LinkPort)
//! server     UDP sockets at which servers answer, and one that asks a server of this machine
//! listeners  who listens on port 67
//! ```

mod datagram;
mod link;
mod listeners;
mod server;

pub use datagram::{Datagram, Unreadable, build, message_octets, parse, parse_message};
pub use link::{Direction, LinkPort, Seen};
pub use listeners::listening_at;
pub use server::{LoopbackPort, ReplySocket, Sender, own_address_towards};

/// The port of servers and relays (RFC 2131, section 4.1).
pub const SERVER_PORT: u16 = 67;
/// The port of clients.
pub const CLIENT_PORT: u16 = 68;
/// The largest datagram that is read: an Ethernet's jumbo frame. What is longer is cut off, and malformed then.
const ROOM: usize = 9216;
