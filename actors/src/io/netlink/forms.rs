//! The two messages that each new host takes, its route and its neighbour entry, laid out once.
//!
//! Building one with neli takes some 3,000 instructions and more code than the ledger takes to decide on it, and a core
//! that slept has none of it at hand while a frame waits for its route. Here what differs from host to host is put into a
//! copy of what [`compose`] wrote.

use std::net::Ipv4Addr;
use std::ops::Range;

use arpherd_core::LinkAddr;
use neli::consts::rtnl::Rtm;

use super::compose::{self, Route, Unwritable, Verb};

/// `nlmsg_len`.
const LENGTH: Range<usize> = 0..4;
/// `nlmsg_seq`.
const SEQUENCE: Range<usize> = 8..12;

/// Where a route's message has what: `nlmsghdr` is 16 octets, `rtmsg` 12, each attribute of 4 octets has a header of 4,
/// and they come in [`compose::route`]'s order.
mod route {
    use std::ops::Range;

    pub(super) const DESTINATION: Range<usize> = 32..36;
    pub(super) const INTERFACE: Range<usize> = 56..60;
    pub(super) const SOURCE: Range<usize> = 64..68;
    /// Where one without a source ends.
    pub(super) const SOURCELESS: u8 = 60;
    pub(super) const END: usize = SOURCE.end;
}

/// The same of a neighbour entry's, whose `ndmsg` is 12 octets, too.
mod neighbour {
    use std::ops::Range;

    pub(super) const INTERFACE: Range<usize> = 20..24;
    pub(super) const ADDRESS: Range<usize> = 32..36;
    pub(super) const LLADDR: Range<usize> = 40..46;
    /// With padding.
    pub(super) const END: usize = 48;
}

/// A route to a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct HostRoute {
    pub(super) interface: u32,
    pub(super) address: Ipv4Addr,
    pub(super) source: Option<Ipv4Addr>,
    /// Whether one that is there is replaced; otherwise it makes the kernel refuse.
    pub(super) replace: bool,
}

/// The messages.
#[derive(Debug)]
pub(super) struct Forms {
    adding_route: [u8; route::END],
    replacing_route: [u8; route::END],
    neighbour: [u8; neighbour::END],
}

impl Forms {
    /// For routes that are like this one but for what a [`HostRoute`] says.
    pub(super) fn new(like: Route) -> Result<Self, Unwritable> {
        let like = Route { interface: 1, source: Some(Ipv4Addr::UNSPECIFIED), ..like };
        let route = |verb| {
            let mut octets = Vec::new();
            compose::route(&mut octets, 0, verb, &like)?;
            octets.try_into().map_err(|_| Unwritable)
        };
        let (mut octets, lladdr) = (Vec::new(), LinkAddr::ethernet([2; 6]));
        let verb = Verb::put(Rtm::Newneigh);
        compose::neighbour(&mut octets, 0, verb, 0, Ipv4Addr::UNSPECIFIED, &lladdr)?;
        Ok(Self {
            adding_route: route(Verb::add(Rtm::Newroute))?,
            replacing_route: route(Verb::put(Rtm::Newroute))?,
            neighbour: octets.try_into().map_err(|_| Unwritable)?,
        })
    }

    /// Appends the message that puts a host's route.
    pub(super) fn route(&self, batch: &mut Vec<u8>, sequence: u32, host: &HostRoute) {
        let mut form = if host.replace { self.replacing_route } else { self.adding_route };
        put(&mut form, SEQUENCE, sequence.to_ne_bytes());
        put(&mut form, route::DESTINATION, host.address.octets());
        put(&mut form, route::INTERFACE, host.interface.to_ne_bytes());
        if let Some(source) = host.source {
            put(&mut form, route::SOURCE, source.octets());
            batch.extend_from_slice(&form);
        } else {
            put(&mut form, LENGTH, u32::from(route::SOURCELESS).to_ne_bytes());
            batch.extend_from_slice(&form[..usize::from(route::SOURCELESS)]);
        }
    }

    /// Appends the message that puts a host's neighbour entry on Ethernet.
    pub(super) fn neighbour(
        &self,
        batch: &mut Vec<u8>,
        sequence: u32,
        interface: i32,
        address: Ipv4Addr,
        lladdr: [u8; 6],
    ) {
        let mut form = self.neighbour;
        put(&mut form, SEQUENCE, sequence.to_ne_bytes());
        put(&mut form, neighbour::INTERFACE, interface.to_ne_bytes());
        put(&mut form, neighbour::ADDRESS, address.octets());
        put(&mut form, neighbour::LLADDR, lladdr);
        batch.extend_from_slice(&form);
    }
}

fn put<const N: usize>(form: &mut [u8], at: Range<usize>, octets: [u8; N]) {
    form[at].copy_from_slice(&octets);
}

#[cfg(test)]
mod tests {
    use neli::consts::rtnl::{RtScope, Rtn};
    use proptest::prelude::*;

    use super::*;

    fn route(interface: u32, address: Ipv4Addr, source: Option<Ipv4Addr>, table: u32) -> Route {
        Route {
            destination: address.into(),
            interface,
            source,
            kind: Rtn::Unicast,
            scope: RtScope::Link,
            protocol: 169,
            table,
            metric: 50,
        }
    }

    proptest! {
        #[test]
        fn forms_say_what_messages_built_anew_say(
            sequence: u32, replace: bool, interface in 1..i32::MAX, address: Ipv4Addr,
            source in prop::option::of(any::<Ipv4Addr>()), table in prop_oneof![Just(254), any::<u32>()],
            lladdr: [u8; 6],
        ) {
            let forms = Forms::new(route(0, Ipv4Addr::UNSPECIFIED, None, table)).expect("writable");
            let (mut filled, mut built) = (vec![0xee; 4], vec![0xee; 4]);
            let host = HostRoute { interface: interface.cast_unsigned(), address, source, replace };
            forms.route(&mut filled, sequence, &host);
            forms.neighbour(&mut filled, sequence, interface, address, lladdr);
            let verb = if replace { Verb::put(Rtm::Newroute) } else { Verb::add(Rtm::Newroute) };
            let like = route(host.interface, address, source, table);
            compose::route(&mut built, sequence, verb, &like).expect("writable");
            let (verb, lladdr) = (Verb::put(Rtm::Newneigh), LinkAddr::ethernet(lladdr));
            compose::neighbour(&mut built, sequence, verb, interface, address, &lladdr).expect("writable");
            prop_assert_eq!(filled, built);
        }
    }
}
