//! The actors of each segment, and how other actors reach them.

use std::sync::Arc;

use actix::{Actor, Addr, Arbiter};
use arpherd_core::plan::{KernelProxy, SegmentPlan};
use arpherd_core::sweep::Sweep as SweepPlan;
use arpherd_core::{Plan, SegmentId};
use slog::{Logger, o};

use super::InstanceConfig;
use crate::capture::CaptureActor;
use crate::clock::Clock;
use crate::counters::Counters;
use crate::dispatch::SegmentSinks;
use crate::io::PortError;
use crate::io::mark::MarkKey;
use crate::owner::RouteOwner;
use crate::port::PacketOpener;
use crate::sweep::SweepActor;
use crate::watch::WatchedSegment;
use crate::wifi::WifiMonitor;

/// The capture and sweep actors of all segments.
#[derive(Default)]
pub(super) struct SegmentActors {
    pub(super) captures: Vec<Addr<CaptureActor>>,
    pub(super) sweeps: Vec<Addr<SweepActor>>,
    /// For the route owner, by segment.
    pub(super) sinks: Vec<SegmentSinks>,
    /// For the watch, by segment.
    pub(super) watched: Vec<WatchedSegment>,
}

/// What the segments' actors are started with.
pub(super) struct Surroundings<'a> {
    pub(super) config: &'a InstanceConfig,
    pub(super) owner: &'a Addr<RouteOwner>,
    pub(super) wifi: Option<&'a Addr<WifiMonitor>>,
    /// The thread of the sweep actors.
    pub(super) back: &'a Arbiter,
    pub(super) clock: Clock,
    pub(super) log: &'a Logger,
}

impl SegmentActors {
    /// Starts the capture actors on the calling thread and the sweep actors on the back thread.
    ///
    /// # Errors
    /// If the kernel gives no random numbers for the marks of requests.
    pub(super) fn start(surroundings: &Surroundings<'_>) -> Result<Self, PortError> {
        let plan = &surroundings.config.plan;
        let keys = MarkKey::draw(plan.segments.len())
            .map_err(|cause| PortError::Failed { doing: "draw random numbers for the marks", cause })?;
        let mut actors = Self::default();
        for ((id, segment), mark) in (0..).map(SegmentId).zip(&plan.segments).zip(keys) {
            actors.start_segment(surroundings, id, segment, mark);
        }
        Ok(actors)
    }

    fn start_segment(
        &mut self,
        surroundings: &Surroundings<'_>,
        id: SegmentId,
        segment: &SegmentPlan,
        mark: MarkKey,
    ) {
        let Surroundings { config, owner, wifi, back, clock, log } = *surroundings;
        let counters = Arc::new(Counters::default());
        let log = segment_log(log, &config.plan, segment);
        let opener = PacketOpener { netns: config.netns.clone(), mark };
        let capture = CaptureActor::new(
            id,
            owner.clone().recipient(),
            owner.clone().recipient(),
            Box::new(opener.clone()),
            counters.clone(),
            log.new(o!("actor" => "capture")),
        );
        let capture = capture.start();
        let never = segment.addresses.never.clone();
        let plan = match segment.sweep {
            Some(pace) => SweepPlan::new(pace, never),
            None => SweepPlan::on_demand(never),
        };
        let sweep_log = log.new(o!("actor" => "sweep"));
        let (sweep_owner, sweep_counters) = (owner.clone().recipient(), counters.clone());
        let sweep = SweepActor::start_in_arbiter(&back.handle(), move |_| {
            SweepActor::new(id, plan, sweep_owner, Box::new(opener), sweep_counters, clock, sweep_log)
        });
        self.sinks.push(SegmentSinks {
            sweep: Some((sweep.clone().recipient(), sweep.clone().recipient())),
            counters,
        });
        self.watched.push(WatchedSegment {
            segment: id,
            interface: segment.interface.clone(),
            sysctl_mode: config.sysctl_mode(&segment.interface),
            has_proxy_entries: segment.kernel_proxy() == Some(KernelProxy::Entries),
            sweep: Some(sweep.clone().recipient()),
            wifi: wifi.cloned().map(Addr::recipient),
            capture: capture.clone().recipient(),
        });
        self.captures.push(capture);
        self.sweeps.push(sweep);
    }
}

fn segment_log(log: &Logger, plan: &Plan, segment: &SegmentPlan) -> Logger {
    let domain = plan.domains.get(usize::from(segment.domain.0));
    log.new(o!(
        "domain" => domain.map(|domain| domain.name.clone()),
        "segment" => segment.name.clone(),
    ))
}
