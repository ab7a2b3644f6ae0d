//! Covering routes that are wanted no longer, or for other prefixes.

use super::effects::Effects;
use super::kernel_state::KernelState;
use super::topology::Topology;
use crate::address::Prefix;
use crate::plan::DomainId;
use crate::write::Write;

impl KernelState {
    /// Takes the covering routes of a prefix away.
    pub(super) fn delete_cover(&self, prefix: Prefix, effects: &mut Effects) {
        if let Some(interface) = self.cover_device {
            effects.write(Write::DeleteSearchRoute { interface, prefix });
        }
        effects.write(Write::DeleteCover { prefix });
    }

    /// The prefixes of a domain are others than these from now on: they are covered if it is.
    pub(super) fn follow_prefixes(
        &self,
        domain: DomainId,
        before: &[Prefix],
        topology: &Topology,
        effects: &mut Effects,
    ) {
        if !self.covered.contains(&domain) {
            return;
        }
        let now = &topology.domain(domain).prefixes;
        for &prefix in before.iter().filter(|prefix| !now.contains(prefix)) {
            self.delete_cover(prefix, effects);
        }
        for &prefix in now.iter().filter(|prefix| !before.contains(prefix)) {
            self.put_cover(prefix, topology, effects);
        }
    }

    /// Takes the covering routes of a domain away.
    pub(super) fn uncover_one(&mut self, domain: DomainId, topology: &Topology, effects: &mut Effects) {
        if self.covered.remove(&domain) {
            for &prefix in &topology.domain(domain).prefixes {
                self.delete_cover(prefix, effects);
            }
        }
    }

    /// Takes the covering routes away.
    pub(super) fn uncover(&mut self, topology: &Topology, effects: &mut Effects) {
        for domain in self.covered.clone() {
            self.uncover_one(domain, topology, effects);
        }
    }
}
