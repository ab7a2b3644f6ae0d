//! Which prefixes addresses give, and how prefixes lie to one another.

use crate::address::{Address, Prefix};

/// The shortest prefix that a domain may have.
const WIDEST: u8 = 8;

/// The prefixes that an interface's addresses give to a domain with `prefixes: auto`, in order.
///
/// All addresses count, secondary ones too, whatever their scope, but not those without a subnet to join: `/32` (one
/// address shared by several links; an address with a peer comes as one, too), link-local and loopback ones, those with
/// a prefix shorter than a domain may have, and those in `never`. Where one prefix lies in another the wider one stands.
pub fn given_by(addresses: &[Prefix], never: &[Prefix]) -> Vec<Prefix> {
    let has_subnet = |address: &&Prefix| {
        let ip = address.ip();
        (WIDEST..32).contains(&address.prefix())
            && is_unicast(ip)
            && !never.iter().any(|prefix| prefix.contains(ip))
    };
    widest(addresses.iter().filter(has_subnet).filter_map(|address| masked(*address)))
}

/// The prefixes in order, without those inside another.
pub fn widest(prefixes: impl Iterator<Item = Prefix>) -> Vec<Prefix> {
    let mut prefixes: Vec<_> = prefixes.collect();
    prefixes.sort_unstable_by_key(|prefix| (prefix.network(), prefix.prefix()));
    // A prefix lies inside another or apart from it, so the last that was kept is the only one to compare with.
    let mut kept: Vec<Prefix> = Vec::new();
    for prefix in prefixes {
        if kept.last().is_none_or(|last| !last.contains(prefix.network())) {
            kept.push(prefix);
        }
    }
    kept
}

/// Of these prefixes what lies in those: the narrower of each two that overlap.
pub fn intersection(these: &[Prefix], those: &[Prefix]) -> Vec<Prefix> {
    let narrower = |one: &Prefix, other: &Prefix| {
        overlap(*one, *other).then(|| if one.prefix() >= other.prefix() { *one } else { *other })
    };
    these.iter().flat_map(|one| those.iter().filter_map(move |other| narrower(one, other))).collect()
}

/// Whether the two share an address.
pub(crate) fn overlap(one: Prefix, other: Prefix) -> bool {
    one.contains(other.network()) || other.contains(one.network())
}

/// Whether an address can be one host's: not unspecified, multicast, loopback, link-local (RFC 3927), of the
/// reserved 0/8 and 240/4, or the limited broadcast.
pub(crate) fn is_unicast(address: Address) -> bool {
    let first = address.octets()[0];
    first != 0 && first < 224 && !address.is_loopback() && !address.is_link_local()
}

fn masked(address: Prefix) -> Option<Prefix> {
    Prefix::new(address.network(), address.prefix()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nets(texts: &[&str]) -> Vec<Prefix> {
        texts.iter().map(|text| text.parse().expect("a prefix")).collect()
    }

    #[test]
    fn no_host_has_a_special_address() {
        for text in
            ["0.0.0.0", "0.1.2.3", "127.0.0.1", "169.254.1.1", "224.0.0.1", "240.0.0.1", "255.255.255.255"]
        {
            assert!(!is_unicast(text.parse().expect("an address")), "{text}");
        }
        assert!(is_unicast(Address::new(10, 0, 0, 1)));
    }

    #[test]
    fn addresses_give_their_networks_the_wider_of_two() {
        let addresses = nets(&["10.0.0.65/28", "10.0.0.1/24", "10.0.0.7/24", "9.1.1.1/31", "169.254.1.1/16"]);
        assert_eq!(given_by(&addresses, &[]), nets(&["9.1.1.0/31", "10.0.0.0/24"]));
        assert_eq!(given_by(&addresses, &nets(&["10.0.0.0/26", "9.0.0.0/8"])), nets(&["10.0.0.64/28"]));
        assert_eq!(given_by(&nets(&["10.0.0.1/32", "127.0.0.1/8", "11.0.0.1/7"]), &[]), []);
    }

    #[test]
    fn of_two_lists_the_narrower_prefixes_are_in_both() {
        let (these, those) =
            (nets(&["10.0.0.0/8", "9.1.0.0/16", "8.0.0.0/8"]), nets(&["10.2.0.0/24", "9.0.0.0/8"]));
        assert_eq!(intersection(&these, &those), nets(&["10.2.0.0/24", "9.1.0.0/16"]));
    }
}
