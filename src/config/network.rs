//! IPv4 networks as the configuration writes them, and whether they overlap.

use std::net::Ipv4Addr;

use ipnetwork::Ipv4Network;

/// The shortest prefix length that is accepted.
pub(crate) const WIDEST: u8 = 8;

/// Why a text is not accepted as a network.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum NotNetwork {
    /// Not an address, a slash and a prefix length.
    Form,
    /// The prefix length is below 8 or above 32.
    Length,
    /// Bits of the host part are set; this is the network meant.
    HostBits(Ipv4Network),
    /// No host can have an address there: 0/8, loopback, multicast and above.
    NotUnicast,
}

/// Reads `10.2.0.0/24`.
pub(crate) fn parse(text: &str) -> Result<Ipv4Network, NotNetwork> {
    let network = parse_loosely(text)?;
    let masked = masked(network);
    if masked.ip() == network.ip() { Ok(network) } else { Err(NotNetwork::HostBits(masked)) }
}

/// Reads `10.2.0.1/24` too: host bits may be set.
pub(crate) fn parse_loosely(text: &str) -> Result<Ipv4Network, NotNetwork> {
    let (address, length) = text.split_once('/').ok_or(NotNetwork::Form)?;
    let address: Ipv4Addr = address.parse().map_err(|_| NotNetwork::Form)?;
    if length.is_empty() || length.len() > 3 || !length.bytes().all(|b| b.is_ascii_digit()) {
        return Err(NotNetwork::Form);
    }
    let length: u8 = length.parse().map_err(|_| NotNetwork::Length)?;
    let network = Ipv4Network::new(address, length).map_err(|_| NotNetwork::Length)?;
    if length < WIDEST {
        return Err(NotNetwork::Length);
    }
    if unicast(address) { Ok(network) } else { Err(NotNetwork::NotUnicast) }
}

/// Whether a host can have this address.
pub(crate) fn unicast(address: Ipv4Addr) -> bool {
    !matches!(address.octets()[0], 0 | 127 | 224..)
}

/// The network that contains an address with its prefix length.
pub(crate) fn masked(network: Ipv4Network) -> Ipv4Network {
    // The prefix length was checked when the network was made.
    Ipv4Network::new(network.network(), network.prefix()).unwrap_or(network)
}

/// Whether `inner` is inside `outer`, or equal.
pub(crate) fn within(inner: Ipv4Network, outer: Ipv4Network) -> bool {
    inner.prefix() >= outer.prefix() && outer.contains(inner.network())
}

/// Whether the two share an address.
pub(crate) fn overlap(one: Ipv4Network, other: Ipv4Network) -> bool {
    within(one, other) || within(other, one)
}

/// Finds networks inside another of the list: pairs of indexes, the inner one first.
///
/// Two networks either do not overlap or one contains the other, so in sorted order one comparison is enough.
pub(crate) fn nested(networks: &[Ipv4Network]) -> Vec<(usize, usize)> {
    let mut order: Vec<usize> = (0..networks.len()).collect();
    order.sort_by_key(|place| networks.get(*place).map(|net| (net.network(), net.prefix())));
    let mut found = Vec::new();
    let mut outer: Option<(usize, Ipv4Network)> = None;
    for place in order {
        let Some(network) = networks.get(place) else { continue };
        match outer {
            Some((holder, wide)) if within(*network, wide) => found.push((place, holder)),
            _ => outer = Some((place, *network)),
        }
    }
    found
}

/// Whether it is the network's own or its broadcast address. RFC 3021: a /31 has neither, nor has a /32.
pub(super) fn is_reserved(address: Ipv4Addr, network: Ipv4Network) -> bool {
    network.prefix() <= 30 && (address == network.network() || address == network.broadcast())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn net(text: &str) -> Ipv4Network {
        parse(text).expect("a network")
    }

    #[test]
    fn host_bits_name_the_network_meant() {
        assert_eq!(parse("10.2.0.1/24"), Err(NotNetwork::HostBits(net("10.2.0.0/24"))));
        assert_eq!(parse("10.2.0.1/32"), Ok(net("10.2.0.1/32")));
    }

    #[test]
    fn other_forms_are_refused() {
        for bad in
            ["10.2.0.0", "10.2.0/24", "10.2.0.0/", "10.2.0.0/+8", "10.2.0.0/255.0.0.0", "::/8", "/24", ""]
        {
            assert_eq!(parse(bad), Err(NotNetwork::Form), "{bad}");
        }
        for bad in ["10.0.0.0/7", "10.2.0.0/33", "10.2.0.0/999"] {
            assert_eq!(parse(bad), Err(NotNetwork::Length), "{bad}");
        }
        for bad in ["127.0.0.0/8", "224.0.0.0/24", "0.0.0.0/8"] {
            assert_eq!(parse(bad), Err(NotNetwork::NotUnicast), "{bad}");
        }
    }

    #[test]
    fn nesting_is_found_in_any_order() {
        let list = [net("10.2.0.64/28"), net("10.3.0.0/24"), net("10.2.0.0/24"), net("10.2.0.128/25")];
        let mut found = nested(&list);
        found.sort_unstable();
        assert_eq!(found, [(0, 2), (3, 2)]);
        assert_eq!(nested(&[net("10.2.0.0/25"), net("10.2.0.128/25")]), []);
    }
}
