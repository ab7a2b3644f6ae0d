//! The watch: what the kernel knows and what others do to it.
//!
//! It owns the rtnetlink monitor and the settings (sysctl). It reads everything once, then follows changes;
//! when the kernel lost some, it reads everything again. It tells capture and sweep actors of their links,
//! and the route owner of routes and addresses.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::Path;
use std::time::Duration;

use actix::{Actor, AsyncContext, Context, Handler, Message, Recipient, StreamHandler};
use arpherd_core::fact::KernelRoute;
use arpherd_core::plan::RoutePlan;
use arpherd_core::{Fact, SegmentId};
use ipnetwork::Ipv4Network;
use slog::{Logger, info, warn};

use crate::fitness::{self, Vrfs};
use crate::io::Wake;
use crate::io::netlink::{Changed, LinkInfo, Monitor, MonitorError, NetlinkError, Reader};
use crate::io::netns::Netns;
use crate::messages::{Begin, Finish, LinkUpdate, OnAir, ReadTable, Told};
use crate::needs::Mode;
use crate::port::readiness;
use crate::settings::Keeper;

mod tables;

/// Pause before the kernel's lists are read again when that failed.
const RETRY: Duration = Duration::from_secs(1);
/// Between two looks at the settings, of whose changes the kernel tells only some.
const LOOK: Duration = Duration::from_secs(60);
/// Between two looks at the kernel's proxy entries, where there are any: of them it tells nothing.
const LOOK_AT_PROXIES: Duration = Duration::from_secs(5);

/// Who is to hear of a segment's link.
pub struct Eyes {
    /// The segment.
    pub segment: SegmentId,
    /// The interface's name.
    pub interface: String,
    /// What the interface's settings are to serve; `None`: they are not ours to touch.
    pub manage: Option<Mode>,
    /// Whether the kernel answers there by entries of ours.
    pub entries: bool,
    /// Hears of the link first: the sweep actor, if there is one.
    pub sweep: Option<Recipient<LinkUpdate>>,
    /// Looks whether it is on the air, if anybody can tell.
    pub air: Option<Recipient<OnAir>>,
    /// The capture actor, which passes it on to the route owner.
    pub capture: Recipient<LinkUpdate>,
}

/// Watches one network namespace.
pub struct Watch {
    reader: Reader,
    monitor: Monitor,
    ground: Netns,
    routes: RoutePlan,
    owner: Recipient<Told>,
    settings: Keeper,
    vrfs: Vrfs,
    log: Logger,
    eyes: Vec<Eyes>,
    /// What each was told last.
    told: Vec<LinkUpdate>,
    links: BTreeMap<u32, LinkInfo>,
    /// In the kernel's order within an interface.
    addresses: Vec<(u32, Ipv4Network)>,
    own: Vec<Ipv4Addr>,
    changes: Vec<Changed>,
    /// Somebody, perhaps we, changed settings.
    touched: bool,
}

/// The monitor may have something to read.
struct Readable;

/// Somebody, perhaps we, wrote a setting.
struct Touched;

/// More may be waiting; others have had their turn.
#[derive(Message)]
#[rtype(result = "()")]
struct ReadOn;

impl Watch {
    /// Opens the sockets on the ground it is called on, which is the one given; the monitor before anything is
    /// read, so nothing falls between.
    ///
    /// `own_port`: the netlink port of the route owner's socket, whose changes are no news. `memory`: the file in
    /// which the original values of settings outlive a crash; see [`SavedSysctls::at`](crate::io::sysctl::saved::SavedSysctls::at).
    ///
    /// # Errors
    /// If the kernel will not open a netlink socket.
    pub fn open(
        ground: &Netns,
        routes: RoutePlan,
        own_port: u32,
        memory: Option<&Path>,
        eyes: Vec<Eyes>,
        owner: Recipient<Told>,
        log: Logger,
    ) -> Result<Self, NetlinkError> {
        if ground.interfaces().is_none() {
            warn!(log, "wifi_unseen"; "hint" => "say `kind: wifi` where it is; here it looks like Ethernet");
        }
        let interfaces = eyes.iter().map(|eyes| (eyes.interface.as_str(), eyes.manage));
        Ok(Self {
            monitor: Monitor::open(routes.table, own_port)?,
            reader: Reader::open()?,
            ground: ground.clone(),
            routes,
            owner,
            settings: Keeper::new(ground, memory, interfaces, log.clone()),
            vrfs: Vrfs::new(routes.table),
            log,
            told: vec![LinkUpdate(None); eyes.len()],
            eyes,
            links: BTreeMap::new(),
            addresses: Vec::new(),
            own: Vec::new(),
            changes: Vec::new(),
            touched: false,
        })
    }

    /// Reads all there is. Routes are told before links, so that what an earlier run left is known before
    /// the first host is heard.
    fn read_everything(&mut self, ctx: &mut Context<Self>) {
        if let Err(error) = self.try_read_everything() {
            warn!(self.log, "kernel_unreadable"; "error" => %error);
            ctx.run_later(RETRY, Self::read_everything);
        }
    }

    fn try_read_everything(&mut self) -> Result<(), NetlinkError> {
        self.links = self.reader.links()?.into_iter().map(|link| (link.index, link)).collect();
        self.addresses = self.reader.addresses()?.iter().map(|seen| (seen.interface, seen.network)).collect();
        self.tell_addresses();
        self.tell_routes()?;
        self.tell_links();
        Ok(())
    }

    fn segment_of(&self, interface: u32) -> Option<SegmentId> {
        let name = &self.links.get(&interface)?.name;
        self.eyes.iter().find(|eyes| eyes.interface == *name).map(|eyes| eyes.segment)
    }

    fn tell(&self, fact: Fact) {
        // The owner's mailbox is bounded, but what the kernel says must not be lost.
        self.owner.do_send(Told { facts: vec![fact], more: false });
    }

    fn tell_addresses(&mut self) {
        let mut own: Vec<Ipv4Addr> = self.addresses.iter().map(|(_, network)| network.ip()).collect();
        own.sort_unstable();
        own.dedup();
        if own != self.own {
            self.own.clone_from(&own);
            self.tell(Fact::AddressesChanged { addresses: own });
        }
    }

    /// Tells everybody whose link is not as it was.
    fn tell_links(&mut self) {
        for index in 0..self.eyes.len() {
            self.vrfs.mind(&self.eyes[index].interface, &self.links, &self.log);
            let update = self.look_at(index);
            if self.told[index] == update {
                continue;
            }
            let eyes = &self.eyes[index];
            let interface = update.medium().map(|medium| medium.interface);
            self.settings.follow(&eyes.interface, interface, eyes.manage);
            if let Some(sweep) = &eyes.sweep {
                sweep.do_send(update.clone());
            }
            if let Some(air) = &eyes.air {
                let link = update.0.as_ref().map(|(medium, _)| (medium.interface, medium.kind));
                air.do_send(OnAir { segment: eyes.segment, link });
            }
            eyes.capture.do_send(update.clone());
            self.told[index] = update;
        }
    }

    fn look_at(&self, index: usize) -> LinkUpdate {
        let name = &self.eyes[index].interface;
        let Some(seen) = self.links.values().find(|link| link.name == *name) else { return LinkUpdate(None) };
        fitness::update(seen, &self.ground, &self.addresses)
    }

    fn read(&mut self, ctx: &mut Context<Self>) {
        let mut changes = std::mem::take(&mut self.changes);
        let outcome = self.monitor.read(&mut changes);
        for change in changes.drain(..) {
            self.follow(change);
        }
        self.changes = changes;
        match outcome {
            Ok(true) => ctx.notify(ReadOn),
            Ok(false) if std::mem::take(&mut self.touched) => self.settings.heal(),
            Ok(false) => {}
            Err(MonitorError::Overrun) => {
                info!(self.log, "kernel_overrun"; "detail" => "changes were lost; everything is read again");
                self.read_everything(ctx);
                ctx.notify(ReadOn);
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

    /// What a change of a link or address amounts to is told before the next is looked at: an interface that
    /// was down, or without its address, for no longer than it takes to read two notifications has lost its
    /// routes all the same, and the kernel says nothing of that.
    fn follow(&mut self, change: Changed) {
        match change {
            Changed::RouteAppeared(seen) => return self.tell(Fact::RouteAppeared(self.with_segment(seen))),
            Changed::RouteVanished(seen) => return self.tell(Fact::RouteVanished(self.with_segment(seen))),
            Changed::CoverVanished(prefix) => return self.tell(Fact::CoverVanished { prefix }),
            Changed::Settings => {
                self.touched = true;
                return;
            }
            Changed::Link(link) => {
                self.links.insert(link.index, link);
            }
            Changed::LinkGone { index, .. } => {
                self.links.remove(&index);
                self.settings.deleted(index);
                self.addresses.retain(|(interface, _)| *interface != index);
            }
            Changed::AddressAppeared(seen) => {
                let address = (seen.interface, seen.network);
                if !self.addresses.contains(&address) {
                    self.addresses.push(address);
                }
            }
            Changed::AddressVanished(seen) => {
                self.addresses.retain(|address| *address != (seen.interface, seen.network));
            }
        }
        self.tell_addresses();
        self.tell_links();
    }

    fn with_segment(&self, seen: KernelRoute) -> KernelRoute {
        KernelRoute { segment: self.segment_of(seen.interface), ..seen }
    }
}

impl Actor for Watch {
    type Context = Context<Self>;
}

impl Handler<Begin> for Watch {
    type Result = ();

    fn handle(&mut self, _: Begin, ctx: &mut Self::Context) {
        match Wake::on(&self.monitor) {
            Ok(wake) => {
                ctx.add_stream(futures_util::StreamExt::map(readiness(wake), |()| Readable));
            }
            Err(error) => warn!(self.log, "monitor_failed"; "error" => %error),
        }
        self.read_everything(ctx);
        if self.settings.is_busy() {
            ctx.run_interval(LOOK, |this, _| this.settings.heal());
        }
        if self.eyes.iter().any(|eyes| eyes.entries) {
            ctx.run_interval(LOOK_AT_PROXIES, |this, _| this.tell_proxies());
        }
        if let Some(wake) = self.settings.wake() {
            ctx.add_stream(futures_util::StreamExt::map(readiness(wake), |()| Touched));
        }
    }
}

impl StreamHandler<Readable> for Watch {
    fn handle(&mut self, _: Readable, ctx: &mut Self::Context) {
        self.read(ctx);
    }

    /// It ends with the runtime; until then there is nothing to end it.
    fn finished(&mut self, _: &mut Self::Context) {}
}

impl StreamHandler<Touched> for Watch {
    fn handle(&mut self, _: Touched, _: &mut Self::Context) {
        self.settings.heal_heard();
    }

    /// As above.
    fn finished(&mut self, _: &mut Self::Context) {}
}

impl Handler<ReadOn> for Watch {
    type Result = ();

    fn handle(&mut self, _: ReadOn, ctx: &mut Self::Context) {
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

    /// Routes that stay need their settings: without forwarding they would lead nowhere until the next start.
    fn handle(&mut self, Finish { purge }: Finish, _: &mut Self::Context) {
        if purge { self.settings.restore() } else { self.settings.rest() }
    }
}
