//! The magic packet of Wake-on-LAN: AMD's Magic Packet Technology (publication 20213), section 2.1.

use arpherd_core::LinkAddr;

/// EtherType of Wake-on-LAN.
pub(super) const ETHERTYPE: u16 = 0x0842;

/// Six octets of ones, and sixteen times the station's address.
pub(super) fn packet(station: &LinkAddr) -> Vec<u8> {
    [&[0xff; 6][..], &station.octets().repeat(16)].concat()
}
