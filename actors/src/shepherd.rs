//! The shepherd: starts the others in their order, says when all is ready, and stops them in theirs.
//!
//! It is the only place that knows every actor's type; they know one another as recipients of messages.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::Arc;

use actix::{Actor, Addr, Arbiter, Recipient};
use arpherd_core::plan::{KernelProxy, LinkKind, SegmentPlan};
use arpherd_core::sweep::Sweep as SweepPlan;
use arpherd_core::{Ledger, LinkAddr, Plan, SegmentId, Write};
use slog::{Logger, info, o, warn};

use crate::air::Air;
use crate::capture::Capture;
use crate::clock::Clock;
use crate::errands::Hands;
use crate::io::lock::{Lock, LockError};
use crate::io::mark::MarkKey;
use crate::io::netlink::leftovers::clear_proxies;
use crate::io::netlink::{NetlinkError, Radios, RouteWriter};
use crate::io::netns::{Netns, NetnsError};
use crate::io::packet::{Medium, PacketPort};
use crate::io::{PortError, RouteTable};
use crate::messages::{Barrier, Begin, Counters, Finish, Show};
use crate::needs::Mode;
use crate::owner::{BeReady, Meet, RouteOwner, Teller};
use crate::port::{PacketOpener, radio_opener};
use crate::recorder::Recorder;
use crate::sweep::Sweep;
use crate::watch::{Eyes, Watch};

/// The loopback interface's number in every network namespace.
const LOOPBACK: u32 = 1;
/// `EPERM`
const EPERM: i32 = 1;

/// What is to be done in one network namespace.
pub struct Charge {
    /// The namespace: all sockets are opened there, and its settings are made.
    pub ground: Netns,
    /// The domains and segments.
    pub plan: Plan,
    /// Whether each segment's kernel settings are ours to manage; by segment.
    pub manage: Vec<bool>,
    /// Whether routes are taken away at the end.
    pub purge: bool,
    /// The file in which the original values of settings outlive a crash, if anywhere. A network namespace's
    /// number is put behind its stem.
    pub memory: Option<PathBuf>,
    /// Where every fact is written down, if anywhere.
    pub record: Option<PathBuf>,
}

impl Charge {
    /// What the settings of an interface are to serve, of all segments reached through it; `None` if one of
    /// them says that its settings are not ours to manage.
    fn mode_of(&self, interface: &str) -> Option<Mode> {
        let there = |(segment, _): &(&SegmentPlan, &bool)| segment.interface == interface;
        let there: Vec<_> = self.plan.segments.iter().zip(&self.manage).filter(there).collect();
        let ours = there.iter().all(|(_, manage)| **manage);
        ours.then(|| Mode::of(there.into_iter().map(|(segment, _)| segment)))
    }
}

/// Why the daemon could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Another daemon serves one of the interfaces.
    #[error(transparent)]
    Locked(#[from] LockError),
    /// The network namespace cannot be worked in.
    #[error(transparent)]
    Netns(#[from] NetnsError),
    /// The kernel's tables cannot be reached.
    #[error(transparent)]
    Netlink(#[from] NetlinkError),
    /// A right is missing.
    #[error(
        "{right} is missing: run as root, or give the program the right (setcap cap_net_admin,cap_net_raw+ep)"
    )]
    Rights {
        /// Which.
        right: &'static str,
    },
    /// Packet sockets cannot be had.
    #[error(transparent)]
    Port(#[from] PortError),
    /// The recording cannot be written.
    #[error("cannot record to {path}: {cause}", path = path.display())]
    Record {
        /// Where.
        path: PathBuf,
        /// Why not.
        #[source]
        cause: std::io::Error,
    },
    /// An actor ended during the start.
    #[error("the daemon stopped while it was starting")]
    Stopped,
}

/// The actors of one network namespace, whose tables have one owner. A daemon has a flock for each.
pub struct Flock {
    owner: Addr<RouteOwner>,
    watch: Addr<Watch>,
    air: Option<Addr<Air>>,
    captures: Vec<Addr<Capture>>,
    sweeps: Vec<Addr<Sweep>>,
    recorder: Option<Addr<Recorder>>,
    back: Arbiter,
    purge: bool,
    log: Logger,
    /// Held until the end.
    _locks: Vec<Lock>,
}

impl Flock {
    /// Starts the actors. The calling thread becomes the packet path: the actix system must be running on it.
    /// Returns when sockets are open, the kernel's state is read and old routes are adopted.
    ///
    /// # Errors
    /// See [`StartError`]; nothing was changed in the kernel then.
    pub async fn start(charge: Charge, teller: Teller, log: Logger) -> Result<Self, StartError> {
        let (table, locks) = charge.ground.within(|| take_hold(&charge.plan, &log))??;
        let clock = Clock::start();
        let own_port = table.port();
        let back = Arbiter::new();
        let recorder = start_recorder(&charge, &back, &log)?;
        let ledger = Ledger::new(&charge.plan);
        let owner_log = log.new(o!("actor" => "route_owner"));
        let owner = RouteOwner::new(ledger, Box::new(table), clock, teller, owner_log).start();
        let air = start_air(&charge, &owner, &back, &log)?;
        let tenders = Tenders::start(&charge, &owner, air.as_ref(), &back, clock, &log)?;
        let Tenders { hands, eyes, captures, sweeps } = tenders;
        let watch_log = log.new(o!("actor" => "watch"));
        let watch = charge.ground.within(|| {
            let (ground, memory) = (&charge.ground, charge.memory.as_deref());
            let told = owner.clone().recipient();
            Watch::open(ground, charge.plan.routes, own_port, memory, eyes, told, watch_log)
        })??;
        let watch = Watch::start_in_arbiter(&back.handle(), |_| watch);
        let meet = Meet {
            hands,
            watch: watch.clone().recipient(),
            air: air.clone().map(Addr::recipient),
            recorder: recorder.clone().map(Addr::recipient),
        };
        owner.do_send(meet);
        let purge = charge.purge;
        let flock = Self { owner, watch, air, captures, sweeps, recorder, back, purge, log, _locks: locks };
        flock.be_ready().await.map_err(|_| StartError::Stopped)?;
        Ok(flock)
    }

    /// What the kernel has is read, told to the captures, and through them to the route owner; when each has
    /// dealt with it the start is over.
    async fn be_ready(&self) -> Result<(), actix::MailboxError> {
        self.watch.send(Begin).await?;
        if let Some(air) = &self.air {
            air.send(Barrier).await?;
        }
        for capture in &self.captures {
            capture.send(Barrier).await?;
        }
        self.owner.send(BeReady).await
    }

    /// Who answers operators' questions.
    pub fn shower(&self) -> Recipient<Show> {
        self.owner.clone().recipient()
    }

    /// Fetches what the kernel counts into the segments' counters.
    pub fn counted(&self) -> Vec<Recipient<Barrier>> {
        self.captures.iter().map(|capture| capture.clone().recipient()).collect()
    }

    /// Stops everything in order: nothing new is heard, then routes are kept or taken away, and with them the
    /// settings they need. A part that is already gone is passed over.
    pub async fn stop(self) {
        let Self { owner, watch, air: _, captures, sweeps, recorder, back, purge, log, _locks } = self;
        for sweep in sweeps {
            finished(&log, "sweep", sweep.send(Finish { purge }).await);
        }
        for capture in captures {
            finished(&log, "capture", capture.send(Finish { purge }).await);
        }
        finished(&log, "route_owner", owner.send(Finish { purge }).await);
        finished(&log, "watch", watch.send(Finish { purge }).await);
        if let Some(recorder) = recorder {
            finished(&log, "recorder", recorder.send(Finish { purge }).await);
        }
        back.stop();
        if back.join().is_err() {
            warn!(log, "stop_incomplete"; "actor" => "back");
        }
        info!(log, "stopped"; "routes" => if purge { "purged" } else { "kept" });
    }
}

fn finished(log: &Logger, actor: &str, outcome: Result<(), actix::MailboxError>) {
    if let Err(error) = outcome {
        warn!(log, "stop_incomplete"; "actor" => actor, "error" => %error);
    }
}

/// Everyone who tends one segment, and how the others reach them.
#[derive(Default)]
struct Tenders {
    hands: Vec<Hands>,
    eyes: Vec<Eyes>,
    captures: Vec<Addr<Capture>>,
    sweeps: Vec<Addr<Sweep>>,
}

impl Tenders {
    fn start(
        charge: &Charge,
        owner: &Addr<RouteOwner>,
        air: Option<&Addr<Air>>,
        back: &Arbiter,
        clock: Clock,
        log: &Logger,
    ) -> Result<Self, PortError> {
        let mut tenders = Self::default();
        let keys = MarkKey::draw(charge.plan.segments.len())
            .map_err(|cause| PortError::Failed { doing: "draw random numbers for the marks", cause })?;
        for ((id, segment), key) in (0..).map(SegmentId).zip(&charge.plan.segments).zip(keys) {
            let counters = Arc::new(Counters::default());
            let domain = charge.plan.domains.get(usize::from(segment.domain.0));
            let log = log.new(o!(
                "domain" => domain.map(|domain| domain.name.clone()),
                "segment" => segment.name.clone(),
            ));
            let capture_log = log.new(o!("actor" => "capture"));
            let opener = PacketOpener { ground: charge.ground.clone(), mark: key };
            let (told, outlet) = (owner.clone().recipient(), owner.clone().recipient());
            let capture =
                Capture::new(id, told, outlet, Box::new(opener.clone()), counters.clone(), capture_log)
                    .start();
            let sweep = segment.sweep.map(|pace| {
                let plan =
                    SweepPlan::new(pace, segment.addresses.prefixes.clone(), segment.addresses.never.clone());
                let (roll, counters) = (owner.clone().recipient(), counters.clone());
                let log = log.new(o!("actor" => "sweep"));
                Sweep::start_in_arbiter(&back.handle(), move |_| {
                    Sweep::new(id, plan, roll, Box::new(opener), counters, clock, log)
                })
            });
            tenders.hands.push(Hands {
                sweep: sweep.as_ref().map(|sweep| (sweep.clone().recipient(), sweep.clone().recipient())),
                counters,
            });
            tenders.eyes.push(Eyes {
                segment: id,
                entries: segment.kernel_proxy() == Some(KernelProxy::Entries),
                interface: segment.interface.clone(),
                manage: charge.mode_of(&segment.interface),
                sweep: sweep.clone().map(Addr::recipient),
                air: air.cloned().map(Addr::recipient),
                capture: capture.clone().recipient(),
            });
            tenders.captures.push(capture);
            tenders.sweeps.extend(sweep);
        }
        Ok(tenders)
    }
}

/// Everything that is had once a namespace, or not at all: the right to write, and the interfaces.
fn take_hold(plan: &Plan, log: &Logger) -> Result<(RouteWriter, Vec<Lock>), StartError> {
    let mut table = RouteWriter::open(plan.routes)?;
    check_rights(&mut table)?;
    let locks = take_locks(plan)?;
    clear_leftovers(&mut table, plan, log);
    Ok((table, locks))
}

/// Tries what will be done all the time, on the loopback interface and to no effect: a daemon that lacks the
/// rights says so at once and does not wait for its interfaces.
fn check_rights(table: &mut RouteWriter) -> Result<(), StartError> {
    let nothing = Write::DeleteRoute { interface: LOOPBACK, address: Ipv4Addr::BROADCAST };
    let mut refusals = Vec::new();
    table.write(&[nothing], &mut refusals);
    if refusals.iter().any(|refusal| refusal.errno == EPERM) {
        return Err(StartError::Rights { right: "CAP_NET_ADMIN" });
    }
    let medium = Medium { interface: LOOPBACK, kind: LinkKind::Ethernet, broadcast: LinkAddr::UNKNOWN };
    match PacketPort::open_send_only(medium) {
        Err(PortError::Failed { cause, .. }) if cause.raw_os_error() == Some(EPERM) => {
            Err(StartError::Rights { right: "CAP_NET_RAW" })
        }
        Err(error) => Err(error.into()),
        Ok(_) => Ok(()),
    }
}

/// Proxy entries of a run that ended without a word would have the kernel answer for hosts long gone. Routes
/// are another matter: they are adopted. Only now, with the locks, it is sure that nobody needs the entries.
fn clear_leftovers(table: &mut RouteWriter, plan: &Plan, log: &Logger) {
    let interfaces: Vec<&str> = plan.segments.iter().map(|segment| segment.interface.as_str()).collect();
    match clear_proxies(table, &interfaces, plan.routes.protocol) {
        Ok(0) => {}
        Ok(count) => info!(log, "proxy_entries_cleared"; "count" => count),
        Err(error) => warn!(log, "kernel_unreadable"; "error" => %error),
    }
}

/// One lock an interface, however many segments are reached through it.
fn take_locks(plan: &Plan) -> Result<Vec<Lock>, LockError> {
    let interfaces: BTreeSet<&str> = plan.segments.iter().map(|segment| segment.interface.as_str()).collect();
    interfaces.into_iter().map(|interface| Lock::take(plan.routes.protocol, interface)).collect()
}

/// Without generic netlink in the kernel nothing is known of radios, which is no reason not to start.
fn start_air(
    charge: &Charge,
    owner: &Addr<RouteOwner>,
    back: &Arbiter,
    log: &Logger,
) -> Result<Option<Addr<Air>>, StartError> {
    let log = log.new(o!("actor" => "air"));
    let radios = match charge.ground.within(Radios::open)? {
        Ok(radios) => radios,
        Err(error) => {
            info!(log, "wifi_unavailable"; "error" => %error);
            return Ok(None);
        }
    };
    let told = owner.clone().recipient();
    Ok(Some(Air::start_in_arbiter(&back.handle(), |_| Air::new(radio_opener(radios), told, log))))
}

fn start_recorder(
    charge: &Charge,
    back: &Arbiter,
    log: &Logger,
) -> Result<Option<Addr<Recorder>>, StartError> {
    let Some(path) = &charge.record else { return Ok(None) };
    let log = log.new(o!("actor" => "recorder"));
    let recorder = Recorder::create(path, &charge.plan, log)
        .map_err(|cause| StartError::Record { path: path.clone(), cause })?;
    Ok(Some(Recorder::start_in_arbiter(&back.handle(), |_| recorder)))
}
