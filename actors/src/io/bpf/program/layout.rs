//! What lies where: in the maps, in a packet and its frame, and on the stack.

/// Values of `hosts`; [`super::key`] gives the keys.
pub(in crate::io::bpf) mod host {
    /// `CLOCK_MONOTONIC` in nanoseconds: when it last asked and was answered.
    pub(in crate::io::bpf) const HEARD: usize = 0;
    /// When a question of its own, or for it, was last passed on.
    pub(in crate::io::bpf) const PASSED_ON: usize = 8;
    pub(in crate::io::bpf) const SEGMENT: usize = 16;
    pub(in crate::io::bpf) const FLAGS: usize = 20;
    pub(in crate::io::bpf) const LLADDR: usize = 24;
    pub(in crate::io::bpf) const SIZE: usize = 32;
    /// It may be answered for on other segments.
    pub(in crate::io::bpf) const ANSWERED_FOR: i32 = 1;
}

/// Values of `links`; keys are numbers of interfaces.
pub(in crate::io::bpf) mod link {
    pub(in crate::io::bpf) const DOMAIN: usize = 0;
    pub(in crate::io::bpf) const SEGMENT: usize = 4;
    pub(in crate::io::bpf) const LLADDR: usize = 8;
    pub(in crate::io::bpf) const SIZE: usize = 16;
}

/// Offsets in `struct __sk_buff`, include/uapi/linux/bpf.h.
pub(super) mod packet {
    pub(in crate::io::bpf) const KIND: i16 = 4;
    pub(in crate::io::bpf) const PROTOCOL: i16 = 16;
    pub(in crate::io::bpf) const VLAN_PRESENT: i16 = 20;
    pub(in crate::io::bpf) const INTERFACE: i16 = 40;
    pub(in crate::io::bpf) const START: i16 = 76;
    pub(in crate::io::bpf) const END: i16 = 80;
    /// Last of the kinds for this station, as `PACKET_MULTICAST` in include/uapi/linux/if_packet.h.
    pub(in crate::io::bpf) const LAST_FOR_US: i32 = 2;
}

/// Offsets in an Ethernet frame with ARP for IPv4 (RFC 826).
pub(super) mod frame {
    pub(in crate::io::bpf) const TO: i16 = 0;
    pub(in crate::io::bpf) const FROM: i16 = 6;
    /// Hardware, protocol, their lengths and the operation.
    pub(in crate::io::bpf) const HEADER: i16 = 14;
    pub(in crate::io::bpf) const OPERATION: i16 = 20;
    pub(in crate::io::bpf) const SENDER_LLADDR: i16 = 22;
    pub(in crate::io::bpf) const SENDER: i16 = 28;
    pub(in crate::io::bpf) const TARGET_LLADDR: i16 = 32;
    pub(in crate::io::bpf) const TARGET: i16 = 38;
    pub(in crate::io::bpf) const END: i16 = 42;
    pub(in crate::io::bpf) const REQUEST: [u8; 8] = [0, 1, 8, 0, 6, 4, 0, 1];
    pub(in crate::io::bpf) const REPLY: [u8; 2] = [0, 2];
    pub(in crate::io::bpf) const REQUEST_AGAIN: [u8; 2] = [0, 1];
    pub(in crate::io::bpf) const PROTOCOL: [u8; 2] = [8, 6];
}

/// Offsets in the stack frame.
pub(super) mod stack {
    /// A key of four octets.
    pub(in crate::io::bpf) const KEY: i16 = -4;
    /// The key of a host.
    pub(in crate::io::bpf) const HOST: i16 = -16;
    pub(in crate::io::bpf) const NOW: i16 = -24;
    /// Where the target's entry is.
    pub(in crate::io::bpf) const TARGET: i16 = -32;
    /// The frame's destination, in two parts: see [`super::super::key`].
    pub(in crate::io::bpf) const TO: [i16; 2] = [-40, -48];
}
