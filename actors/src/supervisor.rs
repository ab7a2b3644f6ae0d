//! The supervisor: starts the actors of one network namespace, waits until all are ready, and stops them.
//!
//! It is the only place that knows every actor's type; actors know one another as recipients of messages.

mod back_thread;
mod config;
mod host_memory;
mod kernel_access;
mod locks;
mod replanning;
mod segment_actors;

use std::sync::Arc;

use actix::{Addr, Arbiter, MailboxError, Recipient};
use arpherd_core::memory::RememberedHost;
use arpherd_core::{Fact, Ledger, Plan};
use futures_util::future::join_all;
use slog::{Logger, info, o, warn};

use back_thread::{
    BackStarter, StartedCover, start_cover, start_dhcp, start_lease_keeper, start_recorder, start_watch,
    start_wifi,
};
pub use config::{InstanceConfig, StartError};
use host_memory::{HostMemory, oldest};
use locks::Locks;
pub use replanning::NextPlan;
use segment_actors::{SegmentActors, Surroundings};

use crate::clock::Clock;
use crate::cover::CoverActor;
use crate::dhcp::DhcpActor;
use crate::fast_path::{FastPath, FastProgram};
use crate::lease_keeper::LeaseKeeper;
use crate::liveness::{ActorGroup, ActorName};
use crate::messages::{
    Barrier, DemandSweep, Finish, GetSweepProgress, GiveWay, Observed, RecallHosts, RestoreSysctls,
    RunCommand, RunQuery, SetTiming,
};
use crate::owner::{AnswerInKernel, Connect, EventSink, MarkReady, RouteOwner};
use crate::peer::Peer;
use crate::recorder::Recorder;
use crate::sweep::SweepActor;
use crate::watch::{Begin, Reports, Watch};
use crate::wifi::WifiMonitor;

/// The running actors of one network namespace, whose tables have one owner. A daemon has an instance for each
/// namespace that it serves.
pub struct Instance {
    owner: Addr<RouteOwner>,
    watch: Addr<Watch>,
    wifi: Option<Addr<WifiMonitor>>,
    segments: SegmentActors,
    /// All of them, as far as they have to answer pings.
    group: ActorGroup,
    cover: Option<Addr<CoverActor>>,
    dhcp: Option<Addr<DhcpActor>>,
    lease_keeper: Option<Addr<LeaseKeeper>>,
    recorder: Option<Addr<Recorder>>,
    back: Arbiter,
    /// What it serves now.
    config: InstanceConfig,
    memory: HostMemory,
    /// Whether it is measured how long what frames cause takes.
    timing: bool,
    clock: Clock,
    log: Logger,
    /// Held until the instance has stopped, or serves the interface no longer.
    locks: Locks,
}

impl Instance {
    /// Starts the actors. The calling thread becomes the packet path: the actix system must be running on it.
    /// Returns when sockets are open, the kernel's state is read and routes of an earlier run are adopted.
    ///
    /// # Errors
    /// See [`StartError`]; no route was changed in the kernel then.
    pub async fn start(
        mut config: InstanceConfig,
        event_sink: EventSink,
        log: Logger,
    ) -> Result<Self, StartError> {
        let memory = HostMemory { netns: config.netns.clone(), file: config.saved_hosts.take() };
        let known_hosts = std::mem::take(&mut config.known_hosts);
        let (mut table, locks, links) = config.netns.within(|| kernel_access::acquire(&config.plan))??;
        let back = Arbiter::new();
        let group = config.actors.group();
        let starter = BackStarter { config: &config, back: &back, group: &group, log: &log };
        let recorder = start_recorder(&starter)?;
        // As soon as whatever the operator may have to mend is checked: it sets sysctls while the others start.
        let watch = start_watch(&starter, table.port(), links)?;
        config.netns.within(|| kernel_access::clean(&mut table, &config.plan, &log))?;
        let known_hosts = memory.recall(known_hosts, &log);
        let (lease_keeper, known_leases) = start_lease_keeper(&starter, memory.file.as_ref())?;
        let clock = Clock::start_after(oldest(&known_hosts, &known_leases));
        let ledger = Ledger::new(&config.plan);
        let owner_log = log.new(o!("actor" => "route_owner"));
        let owner = RouteOwner::new(ledger, Box::new(table), clock, event_sink, owner_log);
        let owner = group.start(ActorName::of("route_owner"), owner);
        let wifi = start_wifi(&starter, &owner)?;
        let surroundings =
            Surroundings { config: &config, owner: &owner, back: &back, group: &group, clock, log: &log };
        let segments = SegmentActors::start(&surroundings)?;
        let dhcp = start_dhcp(&starter, &owner, &segments, clock);
        let begin = Begin {
            segments: segments.watched(&config, wifi.as_ref(), dhcp.as_ref()),
            owner: Reports { facts: owner.clone().recipient(), tables: owner.clone().recipient() },
        };
        let cover = start_cover(&starter, &owner, clock)?;
        owner.do_send(Connect {
            sinks: segments.sinks(config.plan.segments.len()),
            watch: watch.clone().recipient(),
            wifi: wifi.clone().map(Addr::recipient),
            cover: cover.as_ref().map(|cover| (cover.actor.clone().recipient(), Arc::clone(&cover.counters))),
            leases: lease_keeper.clone().map(Addr::recipient),
            recorder: recorder.clone().map(Addr::recipient),
        });
        if !known_leases.is_empty() {
            owner.do_send(Observed::of(vec![Fact::LeasesRemembered { leases: known_leases }]));
        }
        if !known_hosts.is_empty() {
            owner.do_send(Observed::of(vec![Fact::Remembered { hosts: known_hosts }]));
        }
        if let Some(StartedCover { index, .. }) = cover {
            let facts = vec![Fact::CoverDeviceChanged { interface: Some(index) }];
            owner.do_send(Observed::of(facts));
        }
        let instance = Self {
            owner,
            watch,
            wifi,
            segments,
            group,
            cover: cover.map(|it| it.actor),
            dhcp,
            lease_keeper,
            recorder,
            back,
            config,
            memory,
            timing: false,
            clock,
            log,
            locks,
        };
        instance.wait_until_ready(begin).await.map_err(|_| StartError::Stopped)?;
        Ok(instance)
    }

    /// Has the kernel's state read, and waits until it has passed through the capture actors to the route owner.
    async fn wait_until_ready(&self, begin: Begin) -> Result<(), MailboxError> {
        self.watch.send(begin).await?;
        if let Some(wifi) = &self.wifi {
            wifi.send(Barrier).await?;
        }
        for capture in self.segments.captures() {
            capture.send(Barrier).await?;
        }
        self.owner.send(MarkReady).await
    }

    /// Has requests answered inside the kernel from now on, on the segments whose plan wants it. Called once at the most,
    /// and not while facts are recorded, because what is answered there leaves none.
    pub fn answer_in_kernel(&self, program: Arc<FastProgram>) {
        let path = FastPath::new(program, self.log.new(o!("actor" => "route_owner")));
        self.owner.do_send(AnswerInKernel(Box::new(path)));
    }

    /// Measures from now on how long what frames cause takes, or no longer, which costs less.
    pub fn set_timing(&mut self, timing: bool) {
        self.timing = timing;
        self.owner.do_send(SetTiming(timing));
        self.time_captures();
    }

    fn time_captures(&self) {
        for capture in self.segments.captures() {
            capture.do_send(SetTiming(self.timing));
        }
    }

    /// The recipient of operators' queries.
    pub fn queries(&self) -> Recipient<RunQuery> {
        self.owner.clone().recipient()
    }

    /// The recipient of operators' commands about addresses.
    pub fn commands(&self) -> Recipient<RunCommand> {
        self.owner.clone().recipient()
    }

    /// The sweeps of the segments, in the order of the plan.
    pub fn sweeps(&self) -> Arc<[(Peer<DemandSweep>, Peer<GetSweepProgress>)]> {
        let peers = |sweep: &Arc<Addr<SweepActor>>| {
            (sweep.clone() as Peer<DemandSweep>, sweep.clone() as Peer<GetSweepProgress>)
        };
        self.segments.sweeps().map(peers).collect()
    }

    /// Actors that add the kernel's drop counts to their segments' counters when they handle a [`Barrier`].
    pub fn counter_updates(&self) -> Arc<[Peer<Barrier>]> {
        self.segments.captures().map(|capture| capture.clone() as Peer<Barrier>).collect()
    }

    /// Stops the actors in the order of the packet path: first sweeps and captures, then the route owner, which
    /// keeps or deletes routes, then the watch, because routes that are kept need their settings until the end.
    /// An actor that has stopped already is logged and skipped.
    /// Where routes are kept, what is known of hosts is saved for the next start.
    /// Returns what was known.
    pub async fn stop(self) -> Vec<RememberedHost> {
        let (purge, memory, log) = (self.config.purge, self.memory.clone(), self.log.clone());
        let hosts = self.end(purge, None).await;
        if !purge {
            memory.save(&hosts, &log);
        }
        hosts
    }

    /// Stops the actors so that an instance with another plan can take over: routes, entries and settings stay, but for
    /// those of interfaces and prefixes that the other plan does not have. Returns what is known of hosts.
    pub async fn give_way_to(self, next: &Plan) -> Vec<RememberedHost> {
        let retired = self.config.plan.interfaces_without(next);
        if !retired.is_empty() {
            log_if_gone(&self.log, "watch", self.watch.send(RestoreSysctls(retired)).await);
        }
        let last = self.config.plan.give_way_to(next);
        self.end(false, Some(GiveWay(last))).await
    }

    /// Whether routes are removed and settings restored at the end, from now on.
    pub fn set_purge(&mut self, purge: bool) {
        self.config.purge = purge;
    }

    /// Returns what is known of hosts at the end.
    async fn end(self, purge: bool, give_way: Option<GiveWay>) -> Vec<RememberedHost> {
        let Self {
            owner,
            watch,
            wifi: _,
            segments,
            group,
            cover,
            dhcp,
            lease_keeper,
            recorder,
            back,
            log,
            ..
        } = self;
        // Whoever ends in order is not to be missed.
        drop(group);
        // All at once, for each answer from the other thread takes a while.
        for ended in join_all(segments.sweeps().map(|sweep| sweep.send(Finish { purge }))).await {
            log_if_gone(&log, "sweep", ended);
        }
        for ended in join_all(segments.captures().map(|capture| capture.send(Finish { purge }))).await {
            log_if_gone(&log, "capture", ended);
        }
        if let Some(dhcp) = dhcp {
            log_if_gone(&log, "dhcp", dhcp.send(Finish { purge }).await);
        }
        let hosts = owner.send(RecallHosts).await.unwrap_or_default();
        let ended = match give_way {
            Some(give_way) => owner.send(give_way).await,
            None => owner.send(Finish { purge }).await,
        };
        log_if_gone(&log, "route_owner", ended);
        if let Some(cover) = cover {
            log_if_gone(&log, "cover", cover.send(Finish { purge }).await);
        }
        log_if_gone(&log, "watch", watch.send(Finish { purge }).await);
        if let Some(keeper) = lease_keeper {
            log_if_gone(&log, "lease_keeper", keeper.send(Finish { purge }).await);
        }
        if let Some(recorder) = recorder {
            log_if_gone(&log, "recorder", recorder.send(Finish { purge }).await);
        }
        back.stop();
        if back.join().is_err() {
            warn!(log, "stop_incomplete"; "actor" => "back");
        }
        info!(log, "stopped"; "routes" => if purge { "purged" } else { "kept" });
        hosts
    }
}

fn log_if_gone(log: &Logger, actor: &str, outcome: Result<(), MailboxError>) {
    if let Err(error) = outcome {
        warn!(log, "stop_incomplete"; "actor" => actor, "error" => %error);
    }
}
