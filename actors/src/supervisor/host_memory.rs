//! What is known of hosts, from one run to the next.

use std::path::PathBuf;
use std::time::Duration;

use arpherd_core::memory::{RememberedHost, RememberedLease};
use slog::{Logger, debug, info, warn};

use crate::io::netns::Netns;
use crate::io::saved_hosts;

/// The longest time before the start for which there is a time: longer than any host is left in peace.
const PAST: Duration = Duration::from_secs(30 * 24 * 3600);

/// Where it is kept.
#[derive(Debug, Clone)]
pub(super) struct HostMemory {
    pub(super) netns: Netns,
    pub(super) file: Option<PathBuf>,
}

impl HostMemory {
    /// What the instance before this one knew, or else what an earlier run of the daemon saved.
    pub(super) fn recall(&self, known: Vec<RememberedHost>, log: &Logger) -> Vec<RememberedHost> {
        let Some(file) = self.file.as_ref().filter(|_| known.is_empty()) else { return known };
        match self.netns.within(|| saved_hosts::take(file)) {
            Ok(Ok(hosts)) if hosts.is_empty() => Vec::new(),
            Ok(Ok(hosts)) => {
                info!(log, "hosts_recalled"; "hosts" => hosts.len());
                hosts
            }
            Ok(Err(error)) => {
                info!(log, "saved_hosts_ignored"; "reason" => %error,
                    "detail" => "hosts are found anew, behind the routes that stand");
                Vec::new()
            }
            Err(error) => {
                warn!(log, "saved_hosts_ignored"; "reason" => %error);
                Vec::new()
            }
        }
    }

    /// Saves it for the next start.
    pub(super) fn save(&self, hosts: &[RememberedHost], log: &Logger) {
        let Some(file) = self.file.as_ref().filter(|_| !hosts.is_empty()) else { return };
        let count = hosts.len();
        match self.netns.within(|| saved_hosts::save(file, hosts)) {
            Ok(Ok(())) => debug!(log, "hosts_saved"; "hosts" => count),
            Ok(Err(error)) => warn!(log, "hosts_not_saved"; "error" => %error, "file" => %file.display(),
                "hint" => "the next start finds hosts anew; look at the error"),
            Err(error) => warn!(log, "hosts_not_saved"; "error" => %error),
        }
    }
}

/// How long ago was what is known and longest ago: a host's last word, or the grant of a lease.
pub(super) fn oldest(hosts: &[RememberedHost], leases: &[RememberedLease]) -> Duration {
    let ages = hosts.iter().map(|host| host.age).chain(leases.iter().map(|lease| lease.age));
    ages.max().unwrap_or_default().min(PAST)
}
