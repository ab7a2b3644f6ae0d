//! Programs that the kernel runs on each packet before it is queued for a socket (classic BPF).

use libc::{
    BPF_ABS, BPF_B, BPF_H, BPF_IND, BPF_JEQ, BPF_JGT, BPF_JMP, BPF_JSET, BPF_K, BPF_LD, BPF_LDX, BPF_MSH,
    BPF_RET, BPF_W,
};
use socket2::SockFilter;

/// Octets of a packet that are passed; more than are ever read.
const WHOLE: u32 = 0xffff;
/// Last of the packet types `PACKET_HOST` (0), `PACKET_BROADCAST` (1), `PACKET_MULTICAST` (2), which are
/// the frames sent to this station; `PACKET_OTHERHOST` (3) and `PACKET_OUTGOING` (4) are not.
const PACKET_MULTICAST: u32 = 2;
/// Sent by this machine.
const PACKET_OUTGOING: u32 = 4;

/// ARP for IPv4, requests and replies, that came in on the interface and were sent to this station.
///
/// The program reads the protocol from the kernel's own fields and not from the frame, so that it serves links
/// of every kind; offset 0 is `ar$hrd` on a `SOCK_DGRAM` socket. The interface is compared because the
/// kernel also hands a parent's socket the frames it has found to belong to a VLAN on top
/// (`__netif_receive_skb_core`, delivery to `orig_dev`).
pub(super) fn arp_for_us(interface: u32) -> Vec<SockFilter> {
    all_of(vec![
        Check::equal(ancillary(libc::SKF_AD_PROTOCOL), BPF_H, 0x0806),
        Check::equal(ancillary(libc::SKF_AD_IFINDEX), BPF_W, interface),
        Check::at_most(ancillary(libc::SKF_AD_PKTTYPE), BPF_B, PACKET_MULTICAST),
        Check::equal(2, BPF_H, 0x0800),
        Check::equal(6, BPF_B, 0),
        Check::at_most(7, BPF_B, 2),
    ])
}

/// RARP requests for IPv4 that came in on the interface and were sent to this station, which broadcasts are too.
pub(super) fn reverse_requests_for_us(interface: u32) -> Vec<SockFilter> {
    all_of(vec![
        Check::equal(ancillary(libc::SKF_AD_PROTOCOL), BPF_H, 0x8035),
        Check::equal(ancillary(libc::SKF_AD_IFINDEX), BPF_W, interface),
        Check::at_most(ancillary(libc::SKF_AD_PKTTYPE), BPF_B, PACKET_MULTICAST),
        Check::equal(2, BPF_H, 0x0800),
        Check::equal(6, BPF_H, 3),
    ])
}

/// DHCP messages that came in on the interface and were sent to this station, which broadcasts are too.
pub(super) fn dhcp_for_us(interface: u32) -> Vec<SockFilter> {
    dhcp(vec![
        Check::equal(ancillary(libc::SKF_AD_IFINDEX), BPF_W, interface),
        Check::at_most(ancillary(libc::SKF_AD_PKTTYPE), BPF_B, PACKET_MULTICAST),
    ])
}

/// DHCP messages that go out on the interface.
pub(super) fn dhcp_from_here(interface: u32) -> Vec<SockFilter> {
    dhcp(vec![
        Check::equal(ancillary(libc::SKF_AD_PKTTYPE), BPF_B, PACKET_OUTGOING),
        Check::equal(ancillary(libc::SKF_AD_IFINDEX), BPF_W, interface),
    ])
}

/// IPv4 packets for UDP ports 67 and 68 that are no fragments and bear no VLAN tag, of which the checks hold, too. The
/// destination port of a packet with IP options stands where those end.
fn dhcp(mut checks: Vec<Check>) -> Vec<SockFilter> {
    checks.insert(0, Check::equal(ancillary(libc::SKF_AD_PROTOCOL), BPF_H, 0x0800));
    checks.push(Check::equal(ancillary(libc::SKF_AD_VLAN_TAG_PRESENT), BPF_B, 0));
    checks.push(Check::equal(9, BPF_B, 17));
    let port = vec![
        load(6, BPF_H),
        // More fragments, or an offset.
        jump(BPF_JSET, 0x3fff, 5, 0),
        SockFilter::new(code(BPF_LDX | BPF_B | BPF_MSH), 0, 0, 0),
        SockFilter::new(code(BPF_LD | BPF_H | BPF_IND), 0, 0, 2),
        jump(BPF_JEQ, 67, 1, 0),
        jump(BPF_JEQ, 68, 0, 1),
        ret(WHOLE),
    ];
    all_of_and(checks, port)
}

/// rtnetlink notifications of what others did; of routes only those to single hosts and the `unreachable` ones, which
/// the covering routes are.
///
/// `own_port` is the netlink port whose changes are our own. Offsets are those of `nlmsghdr` and
/// `rtmsg`; the headers are in the machine's byte order and the program loads big-endian.
pub(super) fn foreign_changes(own_port: u32) -> Vec<SockFilter> {
    let word = |value: u32| u32::from_be_bytes(value.to_ne_bytes());
    let half = |value: u16| u32::from(u16::from_be_bytes(value.to_ne_bytes()));
    vec![
        load(12, BPF_W), // nlmsg_pid
        jump(BPF_JEQ, word(own_port), 8, 0),
        load(4, BPF_H), // nlmsg_type
        jump(BPF_JEQ, half(libc::RTM_NEWROUTE), 1, 0),
        jump(BPF_JEQ, half(libc::RTM_DELROUTE), 0, 4),
        load(17, BPF_B), // rtm_dst_len
        jump(BPF_JEQ, 32, 2, 0),
        load(23, BPF_B), // rtm_type
        jump(BPF_JEQ, u32::from(libc::RTN_UNREACHABLE), 0, 1),
        ret(WHOLE),
        ret(0),
    ]
}

/// One condition on a packet; what lies beyond its end fails every condition.
struct Check {
    load: SockFilter,
    compare: u32,
    value: u32,
    holds_if: bool,
}

impl Check {
    fn equal(offset: u32, width: u32, value: u32) -> Self {
        Self { load: load(offset, width), compare: BPF_JEQ, value, holds_if: true }
    }

    fn at_most(offset: u32, width: u32, value: u32) -> Self {
        Self { load: load(offset, width), compare: BPF_JGT, value, holds_if: false }
    }
}

/// Passes a packet if all the checks hold.
fn all_of(checks: Vec<Check>) -> Vec<SockFilter> {
    all_of_and(checks, vec![ret(WHOLE)])
}

/// If all the checks hold, what follows judges the packet: it returns, or goes on behind its end, where the packet is
/// refused.
fn all_of_and(checks: Vec<Check>, then: Vec<SockFilter>) -> Vec<SockFilter> {
    let count = checks.len();
    let mut program = Vec::with_capacity(2 * count + then.len() + 1);
    for (done, check) in checks.into_iter().enumerate() {
        // From after this jump, over the other checks and what follows them, to the refusing return.
        let refuse = u8::try_from(2 * (count - done - 1) + then.len()).unwrap_or(u8::MAX);
        let (accept, otherwise) = if check.holds_if { (0, refuse) } else { (refuse, 0) };
        program.push(check.load);
        program.push(jump(check.compare, check.value, accept, otherwise));
    }
    program.extend(then);
    program.push(ret(0));
    program
}

/// The offset of a field the kernel keeps beside the packet.
fn ancillary(field: i32) -> u32 {
    libc::SKF_AD_OFF.wrapping_add(field).cast_unsigned()
}

fn load(offset: u32, width: u32) -> SockFilter {
    SockFilter::new(code(BPF_LD | width | BPF_ABS), 0, 0, offset)
}

fn jump(compare: u32, value: u32, then: u8, otherwise: u8) -> SockFilter {
    SockFilter::new(code(BPF_JMP | compare | BPF_K), then, otherwise, value)
}

fn ret(octets: u32) -> SockFilter {
    SockFilter::new(code(BPF_RET | BPF_K), 0, 0, octets)
}

fn code(bits: u32) -> u16 {
    // Every BPF code is below 0x100.
    u16::try_from(bits).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::io::Write as _;

    use super::*;

    /// Whether the kernel lets the bytes through, asked on a pair of local sockets: any socket takes a
    /// filter, and none of it needs a right.
    fn passes(program: &[SockFilter], bytes: &[u8]) -> bool {
        use socket2::{Domain, Socket, Type};
        let (mut near, mut far) = Socket::pair(Domain::UNIX, Type::DGRAM, None).expect("a pair of sockets");
        far.attach_filter(program).expect("the kernel takes the program");
        far.set_nonblocking(true).expect("non-blocking");
        near.write_all(bytes).expect("sent");
        far.read(&mut [0; 64]).is_ok()
    }

    fn notification(kind: u16, port: u32, prefix_length: u8) -> Vec<u8> {
        let mut bytes = vec![0; 28];
        bytes[4..6].copy_from_slice(&kind.to_ne_bytes());
        bytes[12..16].copy_from_slice(&port.to_ne_bytes());
        bytes[17] = prefix_length;
        bytes
    }

    fn unreachable(mut notification: Vec<u8>) -> Vec<u8> {
        notification[23] = libc::RTN_UNREACHABLE;
        notification
    }

    #[test]
    fn own_echoes_and_networks_stay_out() {
        let program = foreign_changes(0x1234_5678);
        let host = |port| notification(libc::RTM_NEWROUTE, port, 32);
        assert!(passes(&program, &host(0)));
        assert!(passes(&program, &host(0x7856_3412)));
        assert!(!passes(&program, &host(0x1234_5678)));
        assert!(!passes(&program, &notification(libc::RTM_NEWROUTE, 0, 24)));
        assert!(passes(&program, &notification(libc::RTM_DELROUTE, 7, 32)));
        assert!(!passes(&program, &notification(libc::RTM_DELROUTE, 7, 0)));
        assert!(passes(&program, &unreachable(notification(libc::RTM_DELROUTE, 7, 24))));
        assert!(!passes(&program, &unreachable(notification(libc::RTM_DELROUTE, 0x1234_5678, 24))));
        assert!(passes(&program, &notification(libc::RTM_NEWLINK, 7, 0)));
        assert!(passes(&program, &notification(libc::RTM_DELADDR, 0, 24)));
    }

    #[test]
    fn all_checks_must_hold_and_a_short_packet_holds_none() {
        let program = all_of(vec![Check::equal(0, BPF_B, 7), Check::at_most(1, BPF_B, 2)]);
        assert!(passes(&program, &[7, 0]));
        assert!(passes(&program, &[7, 2, 9]));
        assert!(!passes(&program, &[7, 3]));
        assert!(!passes(&program, &[6, 0]));
        assert!(!passes(&program, &[7]));
    }
}
