//! The daemon as a whole.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{DhcpServerView, Keyword, RoleView};

/// The daemon as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusView {
    /// The daemon's version, which need not be the client's.
    pub version: String,
    /// The [`PROTOCOL`](super::PROTOCOL) that it speaks; 0 for daemons from before it was counted.
    #[serde(default)]
    pub protocol: u32,
    /// Seconds since its start.
    pub uptime_seconds: u64,
    /// How many domains there are.
    pub domains: u64,
    /// How many hosts are known.
    pub hosts: u64,
    /// How many host routes it has in the kernel.
    pub routes: u64,
    /// Whether startup has finished: sockets open, kernel state read, old routes adopted.
    pub ready: bool,
    /// How often each event happened since the start, logged or only counted, by its name.
    pub events: BTreeMap<Keyword, u64>,
    /// Packets for unknown hosts, where a domain has them searched for (`cover: search`).
    #[serde(default)]
    pub packets: PacketsView,
    /// When it started, in seconds since 1970.
    #[serde(default)]
    pub start_time_seconds: u64,
    /// Hosts that live and have no route of ours in the kernel.
    #[serde(flatten)]
    pub missing: MissingRoutesView,
    /// Clients of the control socket.
    #[serde(default)]
    pub control: ControlView,
    /// What it may do; none from daemons of before.
    #[serde(default)]
    pub confinement: Option<ConfinementView>,
    /// The machines that it works with.
    #[serde(flatten)]
    pub partners: PartnersView,
}

/// The machines that the daemon works with.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct PartnersView {
    /// The DHCP servers that clients' messages were relayed to.
    #[serde(default)]
    pub dhcp_servers: Vec<DhcpServerView>,
    /// What this machine is to domains that have two gateways.
    #[serde(default)]
    pub roles: Vec<RoleView>,
}

/// Hosts that live and have no route of ours in the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct MissingRoutesView {
    /// How many host routes the kernel refused; they are tried again.
    #[serde(default)]
    pub routes_refused: u64,
    /// How many hosts live behind other gateways, known by routes of the fabric.
    #[serde(default)]
    pub remote_hosts: u64,
    /// How many host routes stay away because somebody else has one to the address.
    #[serde(default)]
    pub routes_in_conflict: u64,
}

/// Clients of the control socket: those now, and counters since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ControlView {
    /// Connected now.
    pub clients: u64,
    /// Connections accepted.
    pub connections: u64,
    /// Connections and queries refused because there were too many.
    pub refused: u64,
    /// Connections that ended because the client sent too much, or did not read.
    pub failed: u64,
}

/// Counters of packets for unknown hosts since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct PacketsView {
    /// Held while their target was searched for.
    pub held: u64,
    /// Sent on to it.
    pub forwarded: u64,
    /// Refused: nobody has the address.
    pub refused: u64,
    /// Dropped because there were too many, or the target's link did not take them.
    pub dropped: u64,
}

/// What the daemon may do, and whether that is enforced by the kernel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfinementView {
    /// The capabilities that it has, by their names in capabilities(7).
    pub capabilities: Vec<Keyword>,
    /// Whether its access to files is restricted by Landlock: `enforced`, `partial` (the kernel's Landlock is older),
    /// `unsupported` (it has none), `failed` (it refused), or `off` (by `daemon.confine`).
    pub files: Keyword,
}
