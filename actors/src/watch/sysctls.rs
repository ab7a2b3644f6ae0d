//! When the sysctls of the segments' interfaces are set, checked and restored.

use std::collections::BTreeMap;
use std::time::Duration;

use actix::{AsyncContext, Context, Handler, StreamHandler};

use super::Watch;
use crate::eligibility::link_update;
use crate::io::netlink::LinkInfo;
use crate::known_links::KnownLinks;
use crate::messages::{LinkUpdate, RestoreSysctls};
use crate::required_sysctls::SysctlMode;

/// How long after a change of a sysctl they are checked: once for all that come together, as our own do at the start,
/// and behind what is more urgent.
const SYSCTL_DELAY: Duration = Duration::from_millis(20);

/// What is known before the segments' actors have started. The sysctls are set by it meanwhile, for that is what a start
/// takes longest for.
pub(crate) struct ExpectedLinks {
    /// Those of the namespace, a moment ago.
    pub(crate) links: KnownLinks,
    /// What will be served, as the configuration calls it, and what its sysctls are to serve; see
    /// [`WatchedSegment::sysctl_mode`](super::WatchedSegment::sysctl_mode).
    pub(crate) interfaces: BTreeMap<String, Option<SysctlMode>>,
}

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

    /// Sets the sysctls of the interfaces that are expected to be served, before their segments are known.
    pub(super) fn prepare_sysctls(&mut self) {
        // By index, for several names may be of one interface.
        let mut modes: BTreeMap<u32, Option<SysctlMode>> = BTreeMap::new();
        for (name, mode) in std::mem::take(&mut self.expected) {
            if let Some(link) = self.links.find(&name) {
                let beside = |before: Option<SysctlMode>| Some(before?.beside(mode?));
                modes.entry(link.index).and_modify(|before| *before = beside(*before)).or_insert(mode);
            }
        }
        for (index, mode) in modes {
            let Some((link, mode)) = self.links.get(index).zip(mode) else { continue };
            if link_update(link, &self.netns, &[]).served().is_some() {
                self.sysctls.prepare(&link.name, index, mode);
            }
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
