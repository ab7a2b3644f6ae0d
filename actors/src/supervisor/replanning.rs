//! Another plan in a running instance: what stays keeps its sockets, its hosts and its routes.
//!
//! ```text
//!   watch: Unwatch what goes ─► its sweeps and captures finish ─► actors of what is new start
//!     ─► route owner: Replan, one step of the ledger ─► watch: WatchSegments, which reports the links of what is new
//! ```

use std::sync::Arc;

use arpherd_core::Plan;
use arpherd_core::SegmentId;
use arpherd_core::plan::{SegmentPlan, Succession};

use super::kernel_access::acquire_more;
use super::segment_actors::{SegmentNames, Surroundings, segment_log};
use super::{Instance, StartError, log_if_gone};
use crate::dhcp::ReplanDhcp;
use crate::messages::{Barrier, Finish, Unwatch, UseLog};
use crate::owner::{EventSink, MarkReady, Replan};
use crate::watch::WatchSegments;

/// A plan that a running instance can go on with.
pub struct NextPlan {
    succession: Succession,
    /// By segment.
    manage: Vec<bool>,
}

impl NextPlan {
    /// The plan in the numbers that the instance's segments have.
    pub fn plan(&self) -> &Plan {
        &self.succession.plan
    }
}

/// What is different on a segment that was served before.
struct Changes {
    gone: Vec<SegmentId>,
    /// Those that stay and are swept in another way.
    other_sweeps: Vec<SegmentId>,
    /// Those that stay and have another name, or another domain's.
    renamed: Vec<SegmentId>,
}

impl Changes {
    fn between(before: &Plan, next: &Plan) -> Self {
        let pairs = || (0..).map(SegmentId).zip(before.segments.iter().zip(&next.segments));
        let ids = |fits: &dyn Fn(&SegmentPlan, &SegmentPlan) -> bool| {
            let served = pairs().filter(|(_, (old, _))| !old.is_retired());
            served.filter(|(_, (old, new))| fits(old, new)).map(|(id, _)| id).collect()
        };
        let domain = |plan: &Plan, segment: &SegmentPlan| {
            plan.domains.get(usize::from(segment.domain.0)).map(|domain| domain.name.clone())
        };
        let is_renamed = |old: &SegmentPlan, new: &SegmentPlan| {
            old.name != new.name || domain(before, old) != domain(next, new)
        };
        Self {
            gone: ids(&|_, new| new.is_retired()),
            other_sweeps: ids(&|old, new| !new.is_retired() && !new.is_swept_like(old)),
            renamed: ids(&|old, new| !new.is_retired() && is_renamed(old, new)),
        }
    }
}

impl Instance {
    /// What the instance would go on with, without a new one. `manage`: whether the daemon manages the kernel settings;
    /// by segment. `None` if it takes another instance.
    pub fn next_plan(&self, next: &Plan, manage: &[bool]) -> Option<NextPlan> {
        let succession = self.config.plan.succeeded_by(next)?;
        let mut by_number = vec![false; succession.plan.segments.len()];
        for (number, managed) in succession.numbers.iter().zip(manage) {
            *by_number.get_mut(number.index())? = *managed;
        }
        // What manages them is started with the instance, if any segment needs it.
        let is_possible = |managed: &[bool]| managed.contains(&true);
        let can_manage = is_possible(&self.config.manage) || !is_possible(&by_number);
        let has_room = self.segments.have_room_for(succession.plan.segments.len());
        (can_manage && has_room).then_some(NextPlan { succession, manage: by_number })
    }

    /// Goes on with another plan. Returns when it is in effect and the links of new segments are known.
    ///
    /// # Errors
    /// If an interface is served by another daemon, or the kernel's tables cannot be reached; nothing has changed then.
    pub async fn replan(&mut self, next: NextPlan, event_sink: EventSink) -> Result<(), StartError> {
        let NextPlan { succession: Succession { plan, .. }, manage } = next;
        let plan = Arc::new(plan);
        let new = plan.interfaces_without(&self.config.plan);
        let netns = self.config.netns.clone();
        netns.within(|| acquire_more(&plan, &new, &mut self.locks, &self.log))??;
        let retired = self.config.plan.interfaces_without(&plan);
        let changes = Changes::between(&self.config.plan, &plan);
        self.retire(&changes).await;
        (self.config.plan, self.config.manage) = (plan, manage);
        self.rename(&changes.renamed);
        let Self { segments, config, owner, back, group, clock, log, .. } = &mut *self;
        segments.start_missing(&Surroundings { config, owner, back, group, clock: *clock, log });
        if self.timing {
            self.time_captures();
        }
        let plan = Plan::clone(&self.config.plan);
        let sinks = self.segments.sinks(plan.segments.len());
        log_if_gone(&self.log, "route_owner", self.owner.send(Replan { plan, sinks, event_sink }).await);
        if let Some(dhcp) = &self.dhcp {
            let replan =
                ReplanDhcp { plan: Plan::clone(&self.config.plan), counters: self.segments.counters() };
            log_if_gone(&self.log, "dhcp", dhcp.send(replan).await);
        }
        let segments = self.segments.watched(&self.config, self.wifi.as_ref(), self.dhcp.as_ref());
        let watch = WatchSegments { segments, retired, new_sweeps: changes.other_sweeps };
        log_if_gone(&self.log, "watch", self.watch.send(watch).await);
        self.wait_until_known().await;
        let Self { config, locks, .. } = self;
        locks.keep_where(|interface| config.plan.serves(interface));
        Ok(())
    }

    /// Ends what is served no longer, while the route owner still knows what it was.
    async fn retire(&mut self, changes: &Changes) {
        let finish = || Finish { purge: false };
        if !changes.gone.is_empty() {
            log_if_gone(&self.log, "watch", self.watch.send(Unwatch(changes.gone.clone())).await);
        }
        for id in changes.other_sweeps.iter().chain(&changes.gone) {
            if let Some(sweep) = self.segments.take_sweep(*id) {
                log_if_gone(&self.log, "sweep", sweep.send(finish()).await);
            }
        }
        for id in &changes.gone {
            if let Some(handle) = self.segments.remove(*id) {
                log_if_gone(&self.log, "capture", handle.capture.send(finish()).await);
            }
        }
    }

    /// Has the actors of these segments log their names of now.
    fn rename(&self, renamed: &[SegmentId]) {
        let plan = &self.config.plan;
        for id in renamed {
            let (Some(segment), Some(handle)) = (plan.segments.get(id.index()), self.segments.handle(*id))
            else {
                continue;
            };
            let names = Arc::new(SegmentNames::of(segment, plan));
            handle.capture.do_send(UseLog(segment_log(&self.log, &names, "capture")));
            if let Some(sweep) = &handle.sweep {
                sweep.do_send(UseLog(segment_log(&self.log, &names, "sweep")));
            }
        }
    }

    /// Waits until what the watch reported has passed through the captures to the route owner.
    async fn wait_until_known(&self) {
        if let Some(wifi) = &self.wifi {
            log_if_gone(&self.log, "wifi", wifi.send(Barrier).await);
        }
        for capture in self.segments.captures() {
            log_if_gone(&self.log, "capture", capture.send(Barrier).await);
        }
        log_if_gone(&self.log, "route_owner", self.owner.send(MarkReady).await);
    }
}
