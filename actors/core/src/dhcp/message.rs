//! A DHCP message as a value: what the decoder at the edge makes of a datagram. Nothing of it is lost, so that what is
//! encoded again is the same, octet for octet.

use crate::address::Address;

/// `op` of a client's message.
pub const BOOT_REQUEST: u8 = 1;
/// `op` of a server's message.
pub const BOOT_REPLY: u8 = 2;

/// A BOOTP or DHCP message, RFC 2131 section 2.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// [`BOOT_REQUEST`] or [`BOOT_REPLY`]; anything else is none of ours.
    pub op: u8,
    /// `htype`: a hardware type of ARP; 1 is Ethernet, 32 InfiniBand (RFC 4390).
    pub hardware_type: u8,
    /// `hlen`: octets of the hardware address that count, 0 to 16; 0 on InfiniBand (RFC 4390, section 2.1).
    pub hardware_length: u8,
    /// Relays that the message has passed.
    pub hops: u8,
    /// The client's number for the exchange.
    pub xid: u32,
    /// Seconds since the client began.
    pub secs: u16,
    /// 0x8000: the client can be answered by broadcast only. The other bits are passed on as they are.
    pub flags: u16,
    /// The address that the client has and answers ARP for, or 0.0.0.0.
    pub ciaddr: Address,
    /// "Your" address: what the server offers or grants.
    pub yiaddr: Address,
    /// The server to boot from.
    pub siaddr: Address,
    /// The relay nearest to the client, or 0.0.0.0.
    pub giaddr: Address,
    /// The client's hardware address and its padding.
    pub chaddr: [u8; 16],
    /// Two names, or options.
    pub names: Names,
    /// Everything from the magic cookie on to the end of the datagram, the cookie and padding among it. A message of
    /// BOOTP (RFC 951) need not begin with the cookie.
    pub vendor: Vec<u8>,
}

/// The fields that option 52 turns into room for more options (RFC 2132, section 9.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names {
    /// `sname`: the server's name.
    pub server: [u8; 64],
    /// `file`: the boot file's name.
    pub file: [u8; 128],
}
