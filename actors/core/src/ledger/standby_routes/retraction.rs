//! Routes of one metric instead of another: what stood before goes once the other stands.

use std::num::NonZeroU32;

use crate::fact::KernelRoute;
use crate::ledger::effects::Effects;
use crate::ledger::installed::Installed;
use crate::ledger::kernel_state::KernelState;
use crate::ledger::key::Key;
use crate::lladdr::LinkAddr;
use crate::write::Write;

impl KernelState {
    /// A standby's route and an active one's are two to the kernel: the one that is not wanted any more goes once the other
    /// stands. `stands`: the metric of the one that stands now, if one does and it is a standby's.
    pub(in crate::ledger) fn retract(
        &self,
        key: &Key,
        before: &Installed,
        stands: Option<Option<u32>>,
        effects: &mut Effects,
    ) {
        let is_kept = stands == Some(before.standby_metric());
        // Where none stands any more, one with the metric of all routes was deleted already.
        if !before.is_standing() || is_kept || stands.is_none() && before.standby_metric().is_none() {
            return;
        }
        let Some(interface) = before.interface().map(NonZeroU32::get) else { return };
        effects.write(Write::DeleteStray(KernelRoute {
            address: key.address,
            protocol: self.routes.protocol,
            metric: self.metric_of(before),
            interface,
            segment: None,
            source: None,
            lladdr: LinkAddr::UNKNOWN,
            next_hop: None,
            in_fabric_table: false,
        }));
    }

    /// The metric of a host's route: that of a standby's, or that of all others.
    pub(in crate::ledger) fn metric_of(&self, installed: &Installed) -> u32 {
        installed.standby_metric().unwrap_or(self.routes.metric)
    }
}
