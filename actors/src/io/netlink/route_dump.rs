//! All routes and rules, for a diagnosis: the daemon itself reads host routes only.

use std::net::Ipv4Addr;

use ipnetwork::Ipv4Network;
use neli::consts::rtnl::Rtm;

use super::NetlinkError;
use super::decode::{self, Decoded, Malformed};
use super::read::Reader;
use super::wire::attributes;

/// Octets of `struct rtmsg`, of `struct fib_rule_hdr` too.
const HEADER: usize = 12;
/// Octets of `struct rtnexthop`.
const NEXT_HOP: usize = 8;
/// `AF_INET` in a header.
const INET: u8 = 2;
/// `FR_ACT_TO_TBL`
const TO_TABLE: u8 = 1;

/// Any IPv4 route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnyRoute {
    /// Its destination.
    pub destination: Ipv4Network,
    /// Its table.
    pub table: u32,
    /// Who added it, `RTPROT_…`.
    pub protocol: u8,
    /// `RT_SCOPE_…`
    pub scope: u8,
    /// What becomes of packets, `RTN_…`.
    pub kind: u8,
    /// Among equal routes the lowest wins.
    pub metric: u32,
    /// The interfaces it leaves by; several if it is a multipath route.
    pub interfaces: Vec<u32>,
    /// The next router.
    pub gateway: Option<Ipv4Addr>,
    /// The preferred source.
    pub source: Option<Ipv4Addr>,
}

impl AnyRoute {
    /// Whether it forwards packets (`RTN_UNICAST`).
    pub fn is_unicast(&self) -> bool {
        self.kind == libc::RTN_UNICAST
    }

    /// Whether it drops packets (`RTN_UNREACHABLE`, `RTN_BLACKHOLE`, `RTN_PROHIBIT`).
    pub fn is_refusal(&self) -> bool {
        matches!(self.kind, libc::RTN_UNREACHABLE | libc::RTN_BLACKHOLE | libc::RTN_PROHIBIT)
    }
}

/// A rule that says which table is looked up (`ip rule`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyRule {
    /// Rules are tried from the lowest on.
    pub priority: u32,
    /// The table it looks up, if that is what it does.
    pub table: Option<u32>,
    /// It looks up the table of the VRF that the packet's interface is in (`l3mdev`).
    pub of_vrf: bool,
    /// It is for all packets: has neither a prefix, an interface, a mark nor another condition.
    pub for_all: bool,
}

impl Reader {
    /// All IPv4 routes of all tables.
    ///
    /// # Errors
    /// See [`NetlinkError`]; so for every list.
    pub fn routes(&mut self) -> Result<Vec<AnyRoute>, NetlinkError> {
        self.list("routes", Rtm::Getroute, Rtm::Newroute, route, || Ok(request()))
    }

    /// All IPv4 rules, in the order they are tried.
    ///
    /// # Errors
    /// A kernel without several routing tables has no rules: [`NetlinkError::Refused`].
    pub fn rules(&mut self) -> Result<Vec<PolicyRule>, NetlinkError> {
        self.list("rules", Rtm::Getrule, Rtm::Newrule, rule, || Ok(request()))
    }
}

/// The header of a request for all IPv4 entries.
fn request() -> [u8; HEADER] {
    let mut header = [0; HEADER];
    header[0] = INET;
    header
}

fn split(bytes: &[u8]) -> Result<(&[u8; HEADER], &[u8]), Malformed> {
    bytes.split_first_chunk::<HEADER>().ok_or(Malformed)
}

fn route(bytes: &[u8]) -> Decoded<AnyRoute> {
    let (header, rest) = split(bytes)?;
    if header[0] != INET || header[3] != 0 {
        return Ok(None);
    }
    let mut route = AnyRoute {
        destination: Ipv4Network::from(Ipv4Addr::UNSPECIFIED),
        table: u32::from(header[4]),
        protocol: header[5],
        scope: header[6],
        kind: header[7],
        metric: 0,
        interfaces: Vec::new(),
        gateway: None,
        source: None,
    };
    let mut destination = Ipv4Addr::UNSPECIFIED;
    for (kind, payload) in attributes(rest) {
        match kind {
            libc::RTA_DST => destination = decode::ipv4(payload).ok_or(Malformed)?,
            libc::RTA_OIF => route.interfaces.push(decode::number(payload).ok_or(Malformed)?),
            libc::RTA_PRIORITY => route.metric = decode::number(payload).ok_or(Malformed)?,
            libc::RTA_TABLE => route.table = decode::number(payload).ok_or(Malformed)?,
            libc::RTA_GATEWAY => route.gateway = decode::ipv4(payload),
            libc::RTA_PREFSRC => route.source = decode::ipv4(payload),
            libc::RTA_MULTIPATH => route.interfaces.extend(next_hops(payload)),
            _ => {}
        }
    }
    route.destination = Ipv4Network::new(destination, header[1]).map_err(|_| Malformed)?;
    Ok(Some(route))
}

/// The interfaces of a multipath route; ends at an impossible length.
fn next_hops(mut bytes: &[u8]) -> Vec<u32> {
    let mut interfaces = Vec::new();
    while let Some(head) = bytes.first_chunk::<NEXT_HOP>() {
        let length = usize::from(u16::from_ne_bytes([head[0], head[1]]));
        interfaces.extend(decode::number(&head[4..]));
        if length < NEXT_HOP {
            break;
        }
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    interfaces
}

fn rule(bytes: &[u8]) -> Decoded<PolicyRule> {
    // linux/fib_rules.h; libc has none of them.
    const PRIORITY: u16 = 6;
    const TABLE: u16 = 15;
    const L3MDEV: u16 = 19;
    const SUPPRESS_GROUP: u16 = 13;
    const SUPPRESS_LENGTH: u16 = 14;
    const PROTOCOL: u16 = 21;
    const PAD: u16 = 18;
    /// `FIB_RULE_INVERT`
    const INVERT: u32 = 2;
    let (header, rest) = split(bytes)?;
    if header[0] != INET {
        return Ok(None);
    }
    let [_, to, from, tos, table, ..] = *header;
    let flags = decode::number(&header[8..]).ok_or(Malformed)?;
    let mut rule = PolicyRule { priority: 0, table: Some(u32::from(table)), of_vrf: false, for_all: true };
    for (kind, payload) in attributes(rest) {
        match kind {
            PRIORITY => rule.priority = decode::number(payload).ok_or(Malformed)?,
            TABLE => rule.table = Some(decode::number(payload).ok_or(Malformed)?),
            // -1: suppresses nothing.
            SUPPRESS_GROUP | SUPPRESS_LENGTH => rule.for_all &= decode::number(payload) == Some(u32::MAX),
            PROTOCOL | PAD => {}
            L3MDEV => {
                rule.of_vrf = payload.first().is_some_and(|on| *on != 0);
                rule.for_all = false;
            }
            _ => rule.for_all = false,
        }
    }
    rule.for_all &= to == 0 && from == 0 && tos == 0 && flags & INVERT == 0;
    if header[7] != TO_TABLE || rule.of_vrf {
        rule.table = None;
    }
    Ok(Some(rule))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn attribute(kind: u16, payload: &[u8]) -> Vec<u8> {
        let length = u16::try_from(4 + payload.len()).expect("16 bits");
        let mut bytes = [&length.to_ne_bytes()[..], &kind.to_ne_bytes(), payload].concat();
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    #[test]
    fn a_split_route_leaves_by_all_its_interfaces() {
        let hop = |interface: u32| [&[8, 0, 0, 0][..], &interface.to_ne_bytes()].concat();
        let bytes = [
            vec![2, 24, 0, 0, 254, 3, 0, 1, 0, 0, 0, 0],
            attribute(libc::RTA_DST, &[10, 2, 0, 0]),
            attribute(libc::RTA_TABLE, &300_u32.to_ne_bytes()),
            attribute(libc::RTA_MULTIPATH, &[hop(3), hop(4)].concat()),
        ];
        let route = route(&bytes.concat()).expect("well-formed").expect("IPv4");
        assert_eq!((route.interfaces, route.table, route.protocol), (vec![3, 4], 300, 3));
        assert_eq!(route.destination.to_string(), "10.2.0.0/24");
    }

    #[test]
    fn a_rule_with_any_condition_is_not_for_all() {
        let rule = |flags: u8, kind: u16| {
            let bytes =
                [vec![2, 0, 0, 0, 254, 0, 0, 1, flags, 0, 0, 0], attribute(kind, &7_u32.to_ne_bytes())];
            super::rule(&bytes.concat()).expect("well-formed").expect("IPv4")
        };
        assert_eq!(rule(0, 6), PolicyRule { priority: 7, table: Some(254), of_vrf: false, for_all: true });
        assert!(!rule(2, 6).for_all, "inverted");
        assert!(!rule(0, 10).for_all, "a mark");
        let vrf = rule(0, 19);
        assert!(vrf.of_vrf && vrf.table.is_none() && !vrf.for_all, "{vrf:?}");
    }

    proptest! {
        #[test]
        fn no_bytes_can_make_it_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Some(family) = bytes.first_mut() {
                *family = INET;
            }
            let _ = (route(&bytes), rule(&bytes));
        }
    }
}
