//! The header of an Ethernet frame, where it is ours to write.

use arpherd_core::LinkAddr;

/// Octets of the header: destination, source, type.
pub(super) const LENGTH: usize = 14;

/// Writes the header into as much room as it takes.
pub(super) fn write(room: &mut [u8], to: &LinkAddr, from: &LinkAddr, ethertype: u16) {
    let octets = to.octets().iter().chain(from.octets()).copied().chain(ethertype.to_be_bytes());
    for (place, octet) in room.iter_mut().zip(octets) {
        *place = octet;
    }
}
