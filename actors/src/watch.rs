//! The watch: follows links, addresses and routes of the kernel, and changes of its sysctls.
//!
//! It owns the rtnetlink monitor and the sysctl manager. It reads everything once and then follows notifications;
//! when the kernel has dropped some, it reads everything again. It reports links to the capture, sweep and Wi-Fi
//! actors of their segments, and addresses and routes to the route owner.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::path::Path;
use std::time::Duration;

use actix::{Actor, AsyncContext, Context, Handler, Message, StreamHandler};
use arpherd_core::fact::KernelRoute;
use arpherd_core::plan::RoutePlan;
use arpherd_core::{Fact, SegmentId};
use ipnetwork::Ipv4Network;
use slog::{Logger, info, warn};

use crate::io::Wake;
use crate::io::netlink::{Changed, Monitor, MonitorError, NetlinkError, Reader};
use crate::io::netns::Netns;
use crate::known_links::KnownLinks;
use crate::messages::{DhcpUpdate, Finish, LinkUpdate, Observed, ReadTable, WifiLink};
use crate::peer::Peer;
use crate::port::readiness;
use crate::required_sysctls::SysctlMode;
use crate::sysctl_manager::SysctlManager;
use crate::vrf::VrfCheck;

mod links;
mod replanning;
mod sysctls;
mod tables;

use links::Places;
pub use replanning::WatchSegments;
pub(crate) use sysctls::ExpectedLinks;
use sysctls::SysctlWritten;
pub use tables::Reports;

/// Pause before the kernel's tables are read again when that failed.
const RETRY: Duration = Duration::from_secs(1);
/// Time between two checks of the sysctls: not every change is reported.
const SYSCTL_INTERVAL: Duration = Duration::from_secs(60);
/// Time between two reads of the kernel's proxy entries: their changes are not notified.
const PROXY_INTERVAL: Duration = Duration::from_secs(5);

/// A segment whose link is followed, and the actors to which it is reported.
pub struct WatchedSegment {
    /// The segment.
    pub segment: SegmentId,
    /// The interface's name, or an alternative name of it.
    pub interface: String,
    /// What the interface's sysctls are to serve for the segments that name it so; `None`: they are left to the
    /// administrator.
    pub sysctl_mode: Option<SysctlMode>,
    /// Whether the kernel answers there by proxy entries of ours.
    pub has_proxy_entries: bool,
    /// The sweep actor, if the segment is swept. The link is reported to it first.
    pub sweep: Option<Peer<LinkUpdate>>,
    /// The Wi-Fi monitor, if the kernel has generic netlink.
    pub wifi: Option<Peer<WifiLink>>,
    /// The DHCP actor, if a domain has DHCP relayed or read. It is told of addresses as well.
    pub dhcp: Option<Peer<DhcpUpdate>>,
    /// The capture actor, which reports the link to the route owner.
    pub capture: Peer<LinkUpdate>,
}

/// Follows the kernel's state in one network namespace.
pub struct Watch {
    reader: Reader,
    monitor: Monitor,
    netns: Netns,
    routes: RoutePlan,
    /// None before [`Begin`].
    owner: Option<Reports>,
    sysctls: SysctlManager,
    vrfs: VrfCheck,
    log: Logger,
    /// Interfaces whose sysctls are set before [`Begin`]; see [`ExpectedLinks`].
    expected: Vec<(u32, SysctlMode)>,
    /// None before [`Begin`].
    segments: Vec<WatchedSegment>,
    places: Places,
    /// The update last sent for each segment.
    sent: Vec<LinkUpdate>,
    links: KnownLinks,
    /// By the interface's index; in the kernel's order.
    addresses: BTreeMap<u32, Vec<Ipv4Network>>,
    /// The interfaces by which host routes lead to next routers. The kernel says nothing of the routes that it drops when
    /// one of them goes down.
    fabric_interfaces: BTreeSet<u32>,
    /// The addresses last reported to the route owner.
    own: Vec<Ipv4Addr>,
    changes: Vec<Changed>,
    /// The kernel's proxy entries are read now and then.
    are_proxies_read: bool,
    /// A notification says that sysctls changed, perhaps by our own writes.
    are_sysctls_changed: bool,
    /// They are about to be checked for that.
    is_check_due: bool,
}

/// Follow the kernel's state from now on. Answered when it was read and reported. Sent once.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Begin {
    /// The segments, in the order of their numbers.
    pub(crate) segments: Vec<WatchedSegment>,
    pub(crate) owner: Reports,
}

/// The monitor may have notifications to read.
struct MonitorReady;

/// Read the next notifications, after other messages were handled.
#[derive(Message)]
#[rtype(result = "()")]
struct ReadMoreChanges;

impl Watch {
    /// Opens the sockets. Called in the given network namespace. The monitor is opened before anything is read and
    /// reported, so that no change is missed.
    ///
    /// `own_port`: the netlink port of the route owner's socket, whose changes are not followed. `saved_sysctls`: the
    /// file that keeps the original values over a crash; see
    /// [`SavedSysctls::at`](crate::io::sysctl::saved::SavedSysctls::at).
    ///
    /// # Errors
    /// If the kernel will not open a netlink socket.
    pub(crate) fn open(
        netns: &Netns,
        routes: RoutePlan,
        own_port: u32,
        saved_sysctls: Option<&Path>,
        expected: ExpectedLinks,
        log: Logger,
    ) -> Result<Self, NetlinkError> {
        if netns.interfaces().is_none() {
            warn!(log, "wifi_undetected"; "hint" => "set `kind: wifi` where it is; here it looks like Ethernet");
        }
        let mut monitor = Monitor::open(routes.table, own_port)?;
        monitor.follow_fabric_table(routes.fabric_table);
        let own_name = |name| expected.links.find(name).map_or(name, |link| link.name.as_str());
        let modes = expected.interfaces.iter().map(|(name, mode)| (own_name(name.as_str()), *mode));
        let sysctls = SysctlManager::new(netns, saved_sysctls, modes, log.clone());
        Ok(Self {
            monitor,
            reader: Reader::open()?,
            netns: netns.clone(),
            routes,
            owner: None,
            sysctls,
            vrfs: VrfCheck::new(routes.table),
            log,
            sent: Vec::new(),
            places: Places::of(&[]),
            segments: Vec::new(),
            expected: expected.modes(),
            links: expected.links,
            addresses: BTreeMap::new(),
            fabric_interfaces: BTreeSet::new(),
            own: Vec::new(),
            changes: Vec::new(),
            are_proxies_read: false,
            are_sysctls_changed: false,
            is_check_due: false,
        })
    }

    /// Reads and reports everything. Routes are reported before links, so that routes of an earlier run are known
    /// before the first host is learned.
    fn read_everything(&mut self, ctx: &mut Context<Self>) {
        if let Err(error) = self.try_read_everything() {
            warn!(self.log, "kernel_unreadable"; "error" => %error);
            ctx.run_later(RETRY, Self::read_everything);
        }
    }

    fn try_read_everything(&mut self) -> Result<(), NetlinkError> {
        self.links = self.reader.links()?.into_iter().collect();
        self.addresses = BTreeMap::new();
        for info in self.reader.addresses()? {
            self.addresses.entry(info.interface).or_default().push(info.network);
        }
        self.report_addresses();
        self.report_routes()?;
        self.report_links(0..self.segments.len());
        Ok(())
    }

    fn segment_of(&self, interface: u32) -> Option<SegmentId> {
        let first = self.places_on(self.links.get(interface)?).min()?;
        Some(self.segments[first].segment)
    }

    fn report(&self, fact: Fact) {
        // `do_send` ignores the mailbox's capacity: a notification must not be lost.
        if let Some(owner) = &self.owner {
            owner.facts.do_send(Observed::of(vec![fact]));
        }
    }

    fn read(&mut self, ctx: &mut Context<Self>) {
        let mut changes = std::mem::take(&mut self.changes);
        let outcome = self.monitor.read(&mut changes);
        for change in changes.drain(..) {
            self.apply(change);
        }
        self.changes = changes;
        match outcome {
            Ok(true) => ctx.notify(ReadMoreChanges),
            Ok(false) if std::mem::take(&mut self.are_sysctls_changed) => self.check_sysctls_soon(ctx),
            Ok(false) => {}
            Err(MonitorError::Overrun) => {
                info!(self.log, "kernel_overrun"; "detail" => "notifications were dropped; everything is read again");
                self.read_everything(ctx);
                ctx.notify(ReadMoreChanges);
            }
            Err(error @ MonitorError::Failed(_)) => {
                warn!(self.log, "monitor_failed"; "error" => %error);
                ctx.run_later(RETRY, |this, ctx| {
                    this.read_everything(ctx);
                    this.read(ctx);
                });
            }
        }
    }

    /// Applies one notification and reports what it changes before the next is applied: an interface that was down,
    /// or had no address, only between two notifications has lost its routes, of which the kernel does not notify.
    fn apply(&mut self, change: Changed) {
        match change {
            Changed::RouteAppeared(route) => {
                if route.next_hop.is_some() {
                    self.fabric_interfaces.insert(route.interface);
                }
                self.report(Fact::RouteAppeared(self.with_segment(route)));
            }
            Changed::RouteVanished(route) => {
                self.report(Fact::RouteVanished(self.with_segment(route)));
            }
            Changed::CoverVanished(prefix) => self.report(Fact::CoverVanished { prefix }),
            Changed::Settings => self.are_sysctls_changed = true,
            Changed::Link(link) => {
                self.routes_lost_with(link.index, link.up && link.carrier);
                self.link_changed(link);
            }
            Changed::LinkGone { index, .. } => {
                self.routes_lost_with(index, false);
                self.link_gone(index);
            }
            Changed::AddressAppeared(info) => {
                let known = self.addresses.entry(info.interface).or_default();
                if !known.contains(&info.network) {
                    known.push(info.network);
                    self.addresses_changed(info.interface);
                }
            }
            Changed::AddressVanished(info) => {
                if let Some(known) = self.addresses.get_mut(&info.interface) {
                    known.retain(|network| *network != info.network);
                    self.addresses_changed(info.interface);
                }
            }
        }
    }

    /// Has the proxy entries read from now on, if there are to be any.
    fn read_proxies_if_needed(&mut self, ctx: &mut Context<Self>) {
        let is_needed = self.segments.iter().any(|segment| segment.has_proxy_entries);
        if is_needed && !std::mem::replace(&mut self.are_proxies_read, true) {
            ctx.run_interval(PROXY_INTERVAL, |this, _| this.report_proxies());
        }
    }

    fn with_segment(&self, route: KernelRoute) -> KernelRoute {
        KernelRoute { segment: self.segment_of(route.interface), ..route }
    }
}

impl Actor for Watch {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.prepare_next(ctx);
    }
}

impl Handler<Begin> for Watch {
    type Result = ();

    fn handle(&mut self, Begin { segments, owner }: Begin, ctx: &mut Self::Context) {
        self.expected.clear();
        self.owner = Some(owner);
        self.sent = vec![LinkUpdate(None); segments.len()];
        self.places = Places::of(&segments);
        self.segments = segments;
        match Wake::on(&self.monitor) {
            Ok(wake) => {
                ctx.add_stream(futures_util::StreamExt::map(readiness(wake), |()| MonitorReady));
            }
            Err(error) => warn!(self.log, "monitor_failed"; "error" => %error),
        }
        self.read_everything(ctx);
        self.sysctls.end_start();
        if self.sysctls.is_active() {
            ctx.run_interval(SYSCTL_INTERVAL, |this, _| this.sysctls.correct());
        }
        self.read_proxies_if_needed(ctx);
        if let Some(wake) = self.sysctls.wake() {
            ctx.add_stream(futures_util::StreamExt::map(readiness(wake), |()| SysctlWritten));
        }
    }
}

impl StreamHandler<MonitorReady> for Watch {
    fn handle(&mut self, _: MonitorReady, ctx: &mut Self::Context) {
        self.read(ctx);
    }

    /// The stream ends only with the runtime.
    fn finished(&mut self, _: &mut Self::Context) {}
}

impl Handler<ReadMoreChanges> for Watch {
    type Result = ();

    fn handle(&mut self, _: ReadMoreChanges, ctx: &mut Self::Context) {
        self.read(ctx);
    }
}

impl Handler<ReadTable> for Watch {
    type Result = ();

    fn handle(&mut self, _: ReadTable, ctx: &mut Self::Context) {
        self.read_everything(ctx);
    }
}

impl Handler<Finish> for Watch {
    type Result = ();

    /// Routes that are kept need their sysctls: without forwarding they would have no effect until the next start.
    fn handle(&mut self, Finish { purge }: Finish, _: &mut Self::Context) {
        if purge { self.sysctls.restore() } else { self.sysctls.release() }
    }
}
