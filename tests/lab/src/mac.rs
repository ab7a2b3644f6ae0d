//! Ethernet addresses.

use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

use crate::LabError;

/// An Ethernet address.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Mac(pub [u8; 6]);

impl Mac {
    /// All ones.
    pub const BROADCAST: Self = Self([0xff; 6]);
    /// All zeros, the unknown target of an ARP request.
    pub const ZERO: Self = Self([0; 6]);

    /// The address a [`Host`](crate::Host) of this IP address gets: `02:00` and the four octets.
    pub fn of_host(ip: Ipv4Addr) -> Self {
        Self::local(0x02, ip)
    }

    /// The address a [`Crowd`](crate::Crowd) uses for this IP address: `06:00` and the four octets,
    /// so that a host and a crowd that both hold an address can be distinguished.
    pub fn of_crowd(ip: Ipv4Addr) -> Self {
        Self::local(0x06, ip)
    }

    fn local(first: u8, ip: Ipv4Addr) -> Self {
        let [a, b, c, d] = ip.octets();
        Self([first, 0, a, b, c, d])
    }

    /// True for group addresses, the broadcast address among them.
    pub fn is_multicast(self) -> bool {
        self.0[0] & 1 == 1
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl fmt::Debug for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl From<[u8; 6]> for Mac {
    fn from(octets: [u8; 6]) -> Self {
        Self(octets)
    }
}

impl FromStr for Mac {
    type Err = LabError;

    fn from_str(text: &str) -> Result<Self, LabError> {
        let invalid = || LabError::Invalid { what: "Ethernet address", text: text.to_owned() };
        let mut octets = [0; 6];
        let mut parts = text.split(':');
        for octet in &mut octets {
            let part = parts.next().filter(|part| part.len() == 2).ok_or_else(invalid)?;
            *octet = u8::from_str_radix(part, 16).map_err(|_| invalid())?;
        }
        if parts.next().is_some() { Err(invalid()) } else { Ok(Self(octets)) }
    }
}
