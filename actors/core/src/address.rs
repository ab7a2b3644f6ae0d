//! What a host is known by. One alias each, so that a second address family changes this file and not all others.

/// The address of a host.
pub type Address = std::net::Ipv4Addr;

/// A range of such addresses.
pub type Prefix = ipnetwork::Ipv4Network;
