//! What an instance is started with, and why it may not start.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use arpherd_core::Plan;
use arpherd_core::memory::RememberedHost;
use arpherd_core::plan::SegmentPlan;

use crate::io::PortError;
use crate::io::lock::LockError;
use crate::io::netlink::NetlinkError;
use crate::io::netns::{Netns, NetnsError};
use crate::liveness::ActorList;
use crate::required_sysctls::SysctlMode;

/// What one instance serves, and how.
pub struct InstanceConfig {
    /// The network namespace in which all sockets are opened and kernel settings are managed.
    pub netns: Netns,
    /// The domains and segments.
    pub plan: Arc<Plan>,
    /// Whether the daemon manages the kernel settings of each segment's interface; by segment.
    pub manage: Vec<bool>,
    /// Whether routes are removed and settings restored at the end.
    pub purge: bool,
    /// The file that keeps the original values of sysctls over a crash, if any. A network namespace's number is
    /// appended to its stem.
    pub saved_sysctls: Option<PathBuf>,
    /// The file that keeps what is known of hosts from a stop that keeps the routes to the next start, if any. A network
    /// namespace's number is appended to its stem. Leases are kept beside it, in `leases.json`.
    pub saved_hosts: Option<PathBuf>,
    /// What the instance before this one knew of hosts, if there was one.
    pub known_hosts: Vec<RememberedHost>,
    /// The file to which every fact is recorded, if any.
    pub record: Option<PathBuf>,
    /// Where the actors are listed that have to answer pings.
    pub actors: ActorList,
}

impl InstanceConfig {
    /// What the settings of each interface are to serve, for all segments reached through it; `None` if one of them
    /// leaves its settings to the administrator.
    pub(super) fn sysctl_modes(&self) -> BTreeMap<&str, Option<SysctlMode>> {
        let mut reached: BTreeMap<&str, (Vec<&SegmentPlan>, bool)> = BTreeMap::new();
        for (segment, manage) in self.plan.segments.iter().zip(&self.manage) {
            let (segments, managed) = reached.entry(&segment.interface).or_insert_with(|| (Vec::new(), true));
            segments.push(segment);
            *managed &= manage;
        }
        let mode = |(segments, managed): (Vec<&SegmentPlan>, bool)| managed.then(|| SysctlMode::of(segments));
        reached.into_iter().map(|(interface, of)| (interface, mode(of))).collect()
    }
}

/// Why an instance could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Another daemon serves one of the interfaces.
    #[error(transparent)]
    Locked(#[from] LockError),
    /// The network namespace cannot be entered.
    #[error(transparent)]
    Netns(#[from] NetnsError),
    /// The kernel's tables cannot be reached.
    #[error(transparent)]
    Netlink(#[from] NetlinkError),
    /// A capability is missing.
    #[error(
        "{right} is missing: run as root, or give the program the right (setcap cap_net_admin,cap_net_raw+ep; in a \
         unit AmbientCapabilities=CAP_NET_ADMIN CAP_NET_RAW; in a container --cap-add=NET_ADMIN --cap-add=NET_RAW)"
    )]
    Rights {
        /// The capability's name.
        right: &'static str,
    },
    /// Packet sockets cannot be opened.
    #[error(transparent)]
    Port(#[from] PortError),
    /// The recording cannot be created or written.
    #[error("cannot record to {path}: {cause}", path = path.display())]
    Record {
        /// Its file.
        path: PathBuf,
        /// The error of the system call.
        #[source]
        cause: std::io::Error,
    },
    /// An actor stopped during the start.
    #[error("the daemon stopped while it was starting")]
    Stopped,
}
