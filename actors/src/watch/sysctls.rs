//! When the sysctls of the segments' interfaces are set, checked and restored.

use std::time::Duration;

use actix::{AsyncContext, Context, Handler, StreamHandler};

use super::Watch;
use crate::io::netlink::LinkInfo;
use crate::messages::{LinkUpdate, RestoreSysctls};
use crate::required_sysctls::SysctlMode;

/// How long after a change of a sysctl they are checked: once for all that come together, as our own do at the start,
/// and behind what is more urgent.
const SYSCTL_DELAY: Duration = Duration::from_millis(20);

/// Somebody, perhaps we, wrote a sysctl.
pub(super) struct SysctlWritten;

impl Watch {
    /// Has all sysctls checked, because one was changed.
    pub(super) fn check_sysctls_soon(&mut self, ctx: &mut Context<Self>) {
        if !std::mem::replace(&mut self.is_check_due, true) {
            ctx.run_later(SYSCTL_DELAY, |this, _| {
                this.is_check_due = false;
                this.sysctls.correct();
            });
        }
    }

    /// Has the sysctls follow the interface of a segment. They go by its own name, whatever the segment calls it.
    pub(super) fn follow_sysctls(&mut self, index: usize, update: &LinkUpdate) {
        let (before, now) = (self.sent[index].served(), update.served());
        if let Some((_, name)) = before.filter(|before| now.map(|(_, name)| name) != Some(before.1))
            && !self.links.called(name).any(|link| link.name == name && self.sysctl_mode_of(link).is_some())
        {
            self.sysctls.link_changed(name, None, self.segments[index].sysctl_mode);
        }
        if let Some((interface, name)) = now {
            let mode = self.links.get(interface).and_then(|link| self.sysctl_mode_of(link));
            self.sysctls.link_changed(name, Some(interface), mode);
        }
    }

    /// What the interface's sysctls are to serve, for all segments that are reached through it, whatever they call it.
    pub(super) fn sysctl_mode_of(&self, link: &LinkInfo) -> Option<SysctlMode> {
        let of_name = |name| {
            let last = self.places.named(name, &self.segments).last()?;
            Some(self.segments[*last].sysctl_mode)
        };
        let modes: Option<Vec<_>> = link.names().filter_map(of_name).collect();
        modes?.into_iter().reduce(SysctlMode::beside)
    }
}

impl StreamHandler<SysctlWritten> for Watch {
    fn handle(&mut self, _: SysctlWritten, ctx: &mut Self::Context) {
        if self.sysctls.any_written() {
            self.check_sysctls_soon(ctx);
        }
    }

    /// The stream ends only with the runtime.
    fn finished(&mut self, _: &mut Self::Context) {}
}

impl Handler<RestoreSysctls> for Watch {
    type Result = ();

    fn handle(&mut self, RestoreSysctls(interfaces): RestoreSysctls, _: &mut Self::Context) {
        self.sysctls.restore_interfaces(&interfaces);
    }
}
