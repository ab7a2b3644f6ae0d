//! When the sysctls of the segments' interfaces are set, checked and restored.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use actix::{AsyncContext, Context, Handler, Message, StreamHandler};

use super::Watch;
use crate::eligibility::is_eligible;
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

impl ExpectedLinks {
    /// The index of each interface whose sysctls are to be set, and what they are to serve.
    pub(super) fn modes(&self) -> Vec<(u32, SysctlMode)> {
        // Several names may be of one interface.
        let found: BTreeSet<u32> =
            self.interfaces.keys().filter_map(|name| self.links.find(name)).map(|link| link.index).collect();
        let mode_of = |index| {
            let link = self.links.get(index)?;
            mode_by_names(link, |name| self.interfaces.get(name).copied()).map(|mode| (index, mode))
        };
        found.into_iter().filter_map(mode_of).collect()
    }
}

/// What the sysctls of an interface are to serve for everything that is reached through it, whatever it is called there.
/// `None`: they are left to the administrator under one of its names, or it has none that counts. `of_name`: the same of
/// one name.
fn mode_by_names(
    link: &LinkInfo,
    of_name: impl Fn(&str) -> Option<Option<SysctlMode>>,
) -> Option<SysctlMode> {
    let modes: Option<Vec<_>> = link.names().filter_map(of_name).collect();
    modes?.into_iter().reduce(SysctlMode::beside)
}

/// Set the sysctls of the next interface that is expected to be served.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct PrepareNext;

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

    /// Sets the sysctls of an interface that is expected to be served, and has the next one follow behind other messages:
    /// once the segments are known their interfaces are set while the links of those before are being opened.
    pub(super) fn prepare_next(&mut self, ctx: &mut Context<Self>) {
        let Some((index, mode)) = self.expected.pop() else { return };
        if let Some(link) = self.links.get(index)
            && is_eligible(link, &self.netns)
        {
            self.sysctls.link_changed(&link.name, Some(index), Some(mode));
        }
        ctx.notify(PrepareNext);
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
        mode_by_names(link, |name| {
            let last = self.places.named(name, &self.segments).last()?;
            Some(self.segments[*last].sysctl_mode)
        })
    }
}

impl Handler<PrepareNext> for Watch {
    type Result = ();

    fn handle(&mut self, _: PrepareNext, ctx: &mut Self::Context) {
        self.prepare_next(ctx);
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

#[cfg(test)]
mod tests {
    use super::*;

    const PROXIES: SysctlMode =
        SysctlMode { proxies: true, entries: false, answers_on_link: false, hairpins: false };

    fn link(index: u32, name: &str, alternative: &[&str]) -> LinkInfo {
        let alternative_names = alternative.iter().map(|name| (*name).to_owned()).collect();
        LinkInfo { index, name: name.to_owned(), alternative_names, ..LinkInfo::default() }
    }

    #[test]
    fn expected_are_the_interfaces_that_are_there_and_none_that_is_left_to_the_administrator() {
        let links = [link(2, "eth0", &["uplink"]), link(3, "eth1", &["vms", "lab"]), link(4, "eth2", &[])];
        let plain = Some(SysctlMode::default());
        let named = [
            ("eth0", plain),
            ("uplink", None),
            ("vms", plain),
            ("lab", Some(PROXIES)),
            ("eth2", plain),
            ("eth3", plain),
        ];
        let expected = ExpectedLinks {
            links: links.into_iter().collect(),
            interfaces: named.into_iter().map(|(name, mode)| (name.to_owned(), mode)).collect(),
        };
        let both = SysctlMode { hairpins: true, ..PROXIES };
        assert_eq!(expected.modes(), [(3, both), (4, SysctlMode::default())]);
    }
}
