//! The actors of each segment, and how other actors reach them.

use std::collections::BTreeMap;
use std::sync::Arc;

use actix::{Addr, Arbiter, Recipient};
use arpherd_core::plan::{KernelProxy, SegmentPlan};
use arpherd_core::sweep::Sweep as SweepPlan;
use arpherd_core::{Plan, SegmentId};
use slog::{KV, Logger, Record, Serializer, o};

use super::InstanceConfig;
use crate::capture::CaptureActor;
use crate::clock::Clock;
use crate::counters::Counters;
use crate::dhcp::DhcpActor;
use crate::dispatch::SegmentSinks;
use crate::io::PortError;
use crate::io::mark::MarkKey;
use crate::liveness::{ActorGroup, ActorName};
use crate::messages::{DhcpUpdate, GetSweepContext, HostsSeen, LinkUpdate, SendPort, SetSweep, WifiLink};
use crate::owner::RouteOwner;
use crate::peer::Peer;
use crate::port::PacketOpener;
use crate::sweep::SweepActor;
use crate::watch::WatchedSegment;
use crate::wifi::WifiMonitor;

/// Secrets that are drawn for segments that a later plan may add.
const SPARE_MARKS: usize = 64;

/// The capture and sweep actors of all segments.
pub(super) struct SegmentActors {
    /// Those of segments that are served.
    handles: BTreeMap<SegmentId, SegmentHandle>,
    /// One for each segment that there is or may be.
    marks: Vec<MarkKey>,
}

/// The actors of one segment.
pub(super) struct SegmentHandle {
    pub(super) capture: Arc<Addr<CaptureActor>>,
    /// None only while another takes its place.
    pub(super) sweep: Option<Arc<Addr<SweepActor>>>,
    counters: Arc<Counters>,
}

/// What the segments' actors are started with.
pub(super) struct Surroundings<'a> {
    pub(super) config: &'a InstanceConfig,
    pub(super) owner: &'a Addr<RouteOwner>,
    /// The thread of the sweep actors.
    pub(super) back: &'a Arbiter,
    /// Where they are listed.
    pub(super) group: &'a ActorGroup,
    pub(super) clock: Clock,
    pub(super) log: &'a Logger,
}

impl SegmentActors {
    /// Starts the capture actors on the calling thread and the sweep actors on the back thread.
    ///
    /// # Errors
    /// If the kernel gives no random numbers for the marks of requests.
    pub(super) fn start(surroundings: &Surroundings<'_>) -> Result<Self, PortError> {
        let segments = surroundings.config.plan.segments.len();
        let marks = MarkKey::draw(segments + SPARE_MARKS)
            .map_err(|cause| PortError::Failed { doing: "draw random numbers for the marks", cause })?;
        let mut actors = Self { handles: BTreeMap::new(), marks };
        actors.start_missing(surroundings);
        Ok(actors)
    }

    /// Starts what segments of the plan lack.
    pub(super) fn start_missing(&mut self, surroundings: &Surroundings<'_>) {
        let owners = Owners::of(surroundings.owner);
        let planned = (0..).map(SegmentId).zip(&surroundings.config.plan.segments).zip(&self.marks);
        for ((id, segment), mark) in planned.filter(|((_, segment), _)| !segment.is_retired()) {
            let names = Arc::new(SegmentNames::of(segment, &surroundings.config.plan));
            let starter = SegmentStarter { surroundings, id, segment, mark, owners: &owners, names };
            let handle = self.handles.entry(id).or_insert_with(|| starter.start_capture());
            if handle.sweep.is_none() {
                handle.sweep = Some(starter.start_sweep(&handle.counters));
            }
        }
    }

    /// Whether a plan of so many segments can be served.
    pub(super) fn have_room_for(&self, segments: usize) -> bool {
        segments <= self.marks.len()
    }

    pub(super) fn remove(&mut self, id: SegmentId) -> Option<SegmentHandle> {
        self.handles.remove(&id)
    }

    pub(super) fn take_sweep(&mut self, id: SegmentId) -> Option<Arc<Addr<SweepActor>>> {
        self.handles.get_mut(&id)?.sweep.take()
    }

    pub(super) fn handle(&self, id: SegmentId) -> Option<&SegmentHandle> {
        self.handles.get(&id)
    }

    /// What the actors of each segment count.
    pub(super) fn counters(&self) -> BTreeMap<SegmentId, Arc<Counters>> {
        self.handles.iter().map(|(id, handle)| (*id, Arc::clone(&handle.counters))).collect()
    }

    /// In the order of their numbers.
    pub(super) fn captures(&self) -> impl Iterator<Item = &Arc<Addr<CaptureActor>>> {
        self.handles.values().map(|handle| &handle.capture)
    }

    /// Likewise.
    pub(super) fn sweeps(&self) -> impl Iterator<Item = &Arc<Addr<SweepActor>>> {
        self.handles.values().filter_map(|handle| handle.sweep.as_ref())
    }

    /// For the route owner, by segment; none for one that is retired.
    pub(super) fn sinks(&self, segments: usize) -> Vec<Option<SegmentSinks>> {
        let sinks = |id: SegmentId| {
            let handle = self.handles.get(&id)?;
            Some(SegmentSinks {
                sweep: handle
                    .sweep
                    .clone()
                    .map(|sweep| (sweep.clone() as Peer<SetSweep>, sweep as Peer<HostsSeen>)),
                counters: handle.counters.clone(),
            })
        };
        (0..=u16::MAX).map(SegmentId).take(segments).map(sinks).collect()
    }

    /// For the watch, in the order of their numbers.
    pub(super) fn watched(
        &self,
        config: &InstanceConfig,
        wifi: Option<&Addr<WifiMonitor>>,
        dhcp: Option<&Addr<DhcpActor>>,
    ) -> Vec<WatchedSegment> {
        let modes = config.sysctl_modes();
        let wifi = wifi.cloned().map(|wifi| Arc::new(wifi) as Peer<WifiLink>);
        let dhcp = dhcp.cloned().map(|dhcp| Arc::new(dhcp) as Peer<DhcpUpdate>);
        let watched = |(id, handle): (&SegmentId, &SegmentHandle)| {
            let segment = config.plan.segments.get(id.index())?;
            Some(WatchedSegment {
                segment: *id,
                interface: segment.interface.clone(),
                sysctl_mode: modes.get(segment.interface.as_str()).copied().flatten(),
                has_proxy_entries: segment.kernel_proxy() == Some(KernelProxy::Entries),
                sweep: handle.sweep.clone().map(|sweep| sweep as Peer<LinkUpdate>),
                wifi: wifi.clone(),
                dhcp: dhcp.clone(),
                capture: handle.capture.clone(),
            })
        };
        self.handles.iter().filter_map(watched).collect()
    }
}

/// Starts the actors of one segment.
struct SegmentStarter<'a> {
    surroundings: &'a Surroundings<'a>,
    id: SegmentId,
    segment: &'a SegmentPlan,
    mark: &'a MarkKey,
    owners: &'a Owners,
    names: Arc<SegmentNames>,
}

/// The route owner, as all segments' actors know it.
struct Owners {
    send_ports: Arc<Recipient<SendPort>>,
    sweep_contexts: Arc<Recipient<GetSweepContext>>,
}

impl Owners {
    fn of(owner: &Addr<RouteOwner>) -> Self {
        let (send_ports, sweep_contexts) = (owner.clone().recipient(), owner.clone().recipient());
        Self { send_ports: Arc::new(send_ports), sweep_contexts: Arc::new(sweep_contexts) }
    }
}

impl SegmentStarter<'_> {
    fn opener(&self) -> PacketOpener {
        let config = self.surroundings.config;
        let domain = config.plan.domains.get(usize::from(self.segment.domain.0));
        PacketOpener {
            netns: config.netns.clone(),
            mark: self.mark.clone(),
            is_shared: domain.is_some_and(|domain| domain.gateway_lladdr.is_some()),
        }
    }

    fn log(&self, actor: &'static str) -> Logger {
        segment_log(self.surroundings.log, &self.names, actor)
    }

    fn name(&self, actor: &'static str) -> ActorName {
        ActorName { actor, segment: Some(Arc::clone(&self.names.segment)) }
    }

    fn start_capture(&self) -> SegmentHandle {
        let owner = self.surroundings.owner;
        let counters = Arc::new(Counters::default());
        let capture = CaptureActor::new(
            self.id,
            owner.clone().recipient(),
            self.owners.send_ports.clone(),
            Box::new(self.opener()),
            counters.clone(),
            self.log("capture"),
        );
        let capture = self.surroundings.group.start(self.name("capture"), capture);
        SegmentHandle { capture: Arc::new(capture), sweep: None, counters }
    }

    fn start_sweep(&self, counters: &Arc<Counters>) -> Arc<Addr<SweepActor>> {
        let Surroundings { back, clock, .. } = *self.surroundings;
        let never = self.segment.addresses.never.clone();
        let plan = match self.segment.sweep {
            Some(pace) => SweepPlan::new(pace, never),
            None => SweepPlan::on_demand(never),
        };
        let (id, opener, counters) = (self.id, self.opener(), counters.clone());
        let (owner, log) = (self.owners.sweep_contexts.clone(), self.log("sweep"));
        let sweep = self.surroundings.group.start_in(self.name("sweep"), &back.handle(), move || {
            SweepActor::new(id, plan, owner, Box::new(opener), counters, clock, log)
        });
        Arc::new(sweep)
    }
}

/// What the operator calls a segment and its domain; its actors share it.
pub(super) struct SegmentNames {
    domain: Option<String>,
    segment: Arc<str>,
}

impl SegmentNames {
    pub(super) fn of(segment: &SegmentPlan, plan: &Plan) -> Self {
        let domain = plan.domains.get(usize::from(segment.domain.0));
        Self { domain: domain.map(|domain| domain.name.clone()), segment: segment.name.as_str().into() }
    }
}

/// What all records of one of the segment's actors say.
struct ActorKeys {
    actor: &'static str,
    names: Arc<SegmentNames>,
}

impl KV for ActorKeys {
    /// The last one first, as slog has it.
    fn serialize(&self, _: &Record<'_>, serializer: &mut dyn Serializer) -> slog::Result {
        serializer.emit_str("segment", &self.names.segment)?;
        match &self.names.domain {
            Some(domain) => serializer.emit_str("domain", domain)?,
            None => serializer.emit_none("domain")?,
        }
        serializer.emit_str("actor", self.actor)
    }
}

/// The log of one of the segment's actors.
pub(super) fn segment_log(log: &Logger, names: &Arc<SegmentNames>, actor: &'static str) -> Logger {
    log.new(o!(ActorKeys { actor, names: Arc::clone(names) }))
}
