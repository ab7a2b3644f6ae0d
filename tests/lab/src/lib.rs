//! Network namespaces, links and hosts for arpherd's demo, behaviour tests and bench, and an
//! independent reader of what the kernel holds and what goes over the wire.
//!
//! The lab judges the daemon, so it shares nothing with it: no code of `arpherd-core` or
//! `arpherd-actors`, another netlink library, an ARP codec of its own. It runs no external program
//! and needs no root: [`enter()`] puts the process into its own user, mount and network namespace.
//!
//! ```text
//!   Host ──veth── Segment (bridge) ──veth── Netns "router" (Daemon) ──veth── Segment ──veth── Host
//!                      │                                                        │
//!                      └─ Crowd (thousands of ARP-only hosts)                   └─ Wire, Capture
//! ```
//!
//! | noun | what it is |
//! |---|---|
//! | [`Netns`] | a network namespace; makes links, addresses and routes, reads them back, runs code inside |
//! | [`Segment`], [`Host`], [`Crowd`] | a switch, one host with a kernel stack, many hosts without one |
//! | [`Wire`], [`Capture`], [`ArpFrame`] | send and receive single frames |
//! | [`RouteWatch`] | every IPv4 route change with its time |
//! | [`DhcpServer`], [`DhcpClient`], [`dhcp`] | DHCP without a program for it |
//! | [`Daemon`] | an arpherd process in a namespace |
//! | [`SmallDisk`] | a file system that can be full |
//!
//! ```no_run
//! use std::time::Duration;
//! use arpherd_lab::{self as lab, Host, Segment};
//! # fn main() -> Result<(), lab::LabError> {
//! lab::enter()?; // first in main(), before any thread
//! let segment = Segment::new("lan")?;
//! let (mut a, mut b) = (Host::new("a", "10.0.0.1/24")?, Host::new("b", "10.0.0.2/24")?);
//! a.attach_to(&segment)?;
//! b.attach_to(&segment)?;
//! let second = Duration::from_secs(1);
//! assert_eq!(a.ns.ping(b.ip(), 1, second, second).received, 1);
//! # Ok(())
//! # }
//! ```

mod address;
mod arp;
mod bridge;
mod capture;
mod crowd;
mod daemon;
pub mod dhcp;
mod dhcp_server;
mod disk;
mod echo;
mod enter;
mod error;
mod fast;
mod filter;
mod host;
mod launch;
mod link;
mod mac;
mod neighbour;
mod netns;
mod ordinary;
mod pace;
mod packet;
mod ping;
mod route;
mod routes;
mod rtnl;
mod rule;
mod segment;
mod sysctl;
mod wait;
mod watch;
mod wire;

pub use arp::{ArpFrame, reverse_request};
pub use bridge::PortFlags;
pub use capture::{Capture, Captured};
pub use crowd::{Crowd, CrowdRequest};
pub use daemon::Daemon;
pub use dhcp_server::{Asked, DhcpClient, DhcpServer};
pub use disk::SmallDisk;
pub use echo::EchoServer;
pub use enter::enter;
pub use error::{LabError, Result};
pub use fast::{answer_in_kernel, answered_in_kernel, can_answer_in_kernel, is_answered_in_kernel};
pub use host::Host;
pub use launch::{Failure, Launch};
pub use link::LinkInfo;
pub use mac::Mac;
pub use neighbour::{Neighbour, NeighbourTimers};
pub use netns::Netns;
pub use ordinary::{as_ordinary_user, as_user, become_user, can_be_others, start_written};
pub use packet::PacketType;
pub use ping::PingStats;
pub use route::{Route, RouteKind};
pub use routes::RouteSpec;
pub use segment::Segment;
pub use wait::{monotonic_ns, wait_until};
pub use watch::{RouteEvent, RouteWatch};
pub use wire::Wire;
