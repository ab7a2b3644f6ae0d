//! What stays in the kernel's tables at the end.

use super::effects::Effects;
use super::host::Host;
use super::sharing::drop_shared_lladdrs;
use super::world::World;
use crate::address::Prefix;
use crate::plan::SegmentId;

/// How a ledger ends.
pub(super) enum End {
    /// Everything is taken away.
    Purged,
    /// Everything stays for the next start.
    Kept,
    /// Another ledger adopts what this one has written, but for what that would take for somebody else's.
    Replaced {
        /// Segments that the other one does not have.
        retired: Vec<SegmentId>,
        /// Prefixes that it covers.
        prefixes: Vec<Prefix>,
    },
}

impl World {
    /// Takes away what is not to stay.
    pub(super) fn end(&mut self, end: &End, effects: &mut Effects) {
        match end {
            End::Purged => {
                forget_hosts(self, Host::is_live, effects);
                self.kernel.uncover(&self.topology, effects);
                self.kernel.delete_published_entries(&self.topology, effects);
                drop_shared_lladdrs(&mut self.topology, |_| true, effects);
            }
            End::Kept => {}
            End::Replaced { retired, prefixes } => {
                self.kernel.delete_entries_on(retired, self, effects);
                forget_hosts(self, |host| host.is_live() && retired.contains(&host.segment), effects);
                drop_shared_lladdrs(&mut self.topology, |id| retired.contains(&id), effects);
                let covers: Vec<Prefix> = self.kernel.covers(&self.topology).collect();
                for prefix in covers.into_iter().filter(|prefix| !prefixes.contains(prefix)) {
                    self.kernel.delete_cover(prefix, effects);
                }
            }
        }
    }
}

fn forget_hosts(world: &mut World, fits: impl Fn(&Host) -> bool, effects: &mut Effects) {
    for key in world.hosts.keys_where(fits) {
        world.hosts.remove(&key);
    }
    world.reconcile_touched(effects);
}
