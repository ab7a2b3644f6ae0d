//! The air: what radios know of the stations around them.
//!
//! It owns the sockets to nl80211, and tells the route owner of stations and access points that come and go. On
//! an access point's interface and on a station's the same messages mean different things, so it keeps what each
//! segment's interface is. Where there is no nl80211, or none that knows the interface, ARP alone tells of hosts.

use std::collections::BTreeMap;
use std::time::Duration;

use actix::{Actor, AsyncContext, Context, Handler, Message, Recipient, StreamHandler};
use arpherd_core::fact::WifiRole;
use arpherd_core::plan::LinkKind;
use arpherd_core::{Fact, SegmentId};
use slog::{Logger, debug, info, warn};

use crate::io::Radio;
use crate::io::netlink::{MonitorError, RadioNews};
use crate::messages::{Barrier, OnAir, ReadStations, Told};
use crate::port::RadioOpener;

/// Pause before the kernel is asked again when that failed.
const RETRY: Duration = Duration::from_secs(1);

/// Listens to the radios of one network namespace.
pub struct Air {
    /// Taken when it starts.
    opener: Option<RadioOpener>,
    radio: Option<Box<dyn Radio>>,
    /// nl80211 is there; `None`: it was not looked for yet.
    found: Option<bool>,
    posts: BTreeMap<SegmentId, Post>,
    owner: Recipient<Told>,
    log: Logger,
    news: Vec<RadioNews>,
}

/// A segment's interface.
struct Post {
    interface: u32,
    is_wifi: bool,
    role: Option<WifiRole>,
    /// That no radio tells of it was said.
    untold: bool,
}

/// The socket may have something to read.
struct Readable;

/// More may be waiting; others have had their turn.
#[derive(Message)]
#[rtype(result = "()")]
struct ReadOn;

impl Air {
    /// One that listens when it starts.
    pub fn new(opener: RadioOpener, owner: Recipient<Told>, log: Logger) -> Self {
        Self {
            opener: Some(opener),
            radio: None,
            found: None,
            posts: BTreeMap::new(),
            owner,
            log,
            news: Vec::new(),
        }
    }

    fn find(&mut self, ctx: &mut Context<Self>) {
        let Some(radio) = &mut self.radio else { return };
        match radio.find() {
            Ok(true) => self.appeared(),
            Ok(false) => self.vanished(),
            Err(error) => {
                warn!(self.log, "kernel_unreadable"; "error" => %error);
                ctx.run_later(RETRY, Self::find);
            }
        }
    }

    fn appeared(&mut self) {
        if self.found.replace(true) == Some(false) {
            info!(self.log, "wifi_available");
        }
        self.read_everything();
    }

    fn vanished(&mut self) {
        if self.found.replace(false) != Some(false) {
            info!(self.log, "wifi_unavailable";
                "detail" => "no nl80211 in the kernel; hosts on Wi-Fi are known by ARP alone");
        }
        let mut facts = Vec::new();
        for (&segment, post) in &mut self.posts {
            if post.role.take().is_some() {
                facts.push(Fact::WifiRoleChanged { segment, role: None });
            }
        }
        self.tell(facts);
    }

    fn tell(&self, facts: Vec<Fact>) {
        if !facts.is_empty() {
            // The owner's mailbox is bounded, but what the kernel says must not be lost.
            self.owner.do_send(Told { facts, more: false });
        }
    }

    /// What each interface is and who is there, whatever was told before.
    fn read_everything(&mut self) {
        for segment in self.posts.keys().copied().collect::<Vec<_>>() {
            self.look_at(segment);
            let facts = self.state_of(segment);
            self.tell(facts);
        }
    }

    /// Tells what the segment's interface is, if that is news.
    fn look_at(&mut self, segment: SegmentId) -> bool {
        let (Some(radio), Some(post)) = (&mut self.radio, self.posts.get_mut(&segment)) else { return false };
        if self.found != Some(true) {
            return false;
        }
        let seen = radio.interface(post.interface).unwrap_or_else(|error| {
            warn!(self.log, "kernel_unreadable"; "error" => %error);
            None
        });
        if seen.is_none() && post.is_wifi && !std::mem::replace(&mut post.untold, true) {
            info!(self.log, "wifi_untold"; "interface" => post.interface,
                "detail" => "its radio is in another network namespace; its hosts are known by ARP alone");
        }
        let role = seen.and_then(|seen| seen.role());
        let is_news = post.role != role;
        post.role = role;
        if is_news {
            debug!(self.log, "wifi_role"; "interface" => post.interface, "role" => role.map(WifiRole::as_str));
            self.tell(vec![Fact::WifiRoleChanged { segment, role }]);
        }
        is_news
    }

    /// Who is associated: all of an access point's stations, or that a station has an access point. That it has
    /// none it may not say: some drivers list nobody, and the carrier tells of a loss, too.
    fn state_of(&mut self, segment: SegmentId) -> Vec<Fact> {
        let (Some(radio), Some(post)) = (&mut self.radio, self.posts.get(&segment)) else {
            return Vec::new();
        };
        let Some(role) = post.role else { return Vec::new() };
        match radio.stations(post.interface) {
            Ok(stations) if role == WifiRole::AccessPoint => vec![Fact::StationsRead { segment, stations }],
            Ok(stations) if !stations.is_empty() => vec![Fact::Associated { segment }],
            Ok(_) => Vec::new(),
            // The ledger asks by ARP what it is not told.
            Err(error) => {
                debug!(self.log, "stations_unreadable"; "error" => %error);
                Vec::new()
            }
        }
    }

    fn is_access_point(&self, segment: SegmentId) -> bool {
        self.posts.get(&segment).is_some_and(|post| post.role == Some(WifiRole::AccessPoint))
    }

    fn read(&mut self, ctx: &mut Context<Self>) {
        let Some(radio) = &mut self.radio else { return };
        let mut news = std::mem::take(&mut self.news);
        let outcome = radio.read(&mut news);
        let mut facts = Vec::new();
        for news in news.drain(..) {
            match news {
                RadioNews::Appeared | RadioNews::Vanished => {
                    self.tell(std::mem::take(&mut facts));
                    if news == RadioNews::Appeared { self.appeared() } else { self.vanished() }
                }
                _ => facts.extend(self.facts_of(news)),
            }
        }
        self.news = news;
        self.tell(facts);
        match outcome {
            Ok(true) => ctx.notify(ReadOn),
            Ok(false) => {}
            Err(MonitorError::Overrun) => {
                info!(self.log, "kernel_overrun"; "detail" => "news of radios were lost; everything is read again");
                // The family itself may have come or gone meanwhile.
                self.find(ctx);
                ctx.notify(ReadOn);
            }
            Err(error @ MonitorError::Failed(_)) => {
                warn!(self.log, "monitor_failed"; "error" => %error);
                ctx.run_later(RETRY, |this, ctx| {
                    this.find(ctx);
                    this.read(ctx);
                });
            }
        }
    }

    /// What the news mean, for every segment reached through the interface.
    fn facts_of(&self, news: RadioNews) -> Vec<Fact> {
        let meaning = |segment, role| match (news, role) {
            (RadioNews::StationJoined { lladdr, .. }, WifiRole::AccessPoint) => {
                Some(Fact::StationJoined { segment, lladdr })
            }
            (RadioNews::StationLeft { lladdr, .. }, WifiRole::AccessPoint) => {
                Some(Fact::StationLeft { segment, lladdr })
            }
            (RadioNews::Associated { .. }, WifiRole::Station | WifiRole::FourAddressStation) => {
                Some(Fact::Associated { segment })
            }
            (RadioNews::Disassociated { .. }, WifiRole::Station | WifiRole::FourAddressStation) => {
                Some(Fact::Disassociated { segment })
            }
            // On a station it is its access point that joined or left; other messages say so better.
            _ => None,
        };
        let concerned = self.posts.iter().filter(|(_, post)| news.interface() == Some(post.interface));
        concerned.filter_map(|(segment, post)| meaning(*segment, post.role?)).collect()
    }
}

impl Actor for Air {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        let Some(opener) = self.opener.take() else { return };
        match opener() {
            Ok((radio, readiness)) => {
                self.radio = Some(radio);
                ctx.add_stream(futures_util::StreamExt::map(readiness, |()| Readable));
                self.find(ctx);
            }
            Err(error) => warn!(self.log, "monitor_failed"; "error" => %error),
        }
    }
}

impl StreamHandler<Readable> for Air {
    fn handle(&mut self, _: Readable, ctx: &mut Self::Context) {
        self.read(ctx);
    }

    /// It ends with the runtime; until then there is nothing to end it.
    fn finished(&mut self, _: &mut Self::Context) {}
}

impl Handler<ReadOn> for Air {
    type Result = ();

    fn handle(&mut self, _: ReadOn, ctx: &mut Self::Context) {
        self.read(ctx);
    }
}

impl Handler<OnAir> for Air {
    type Result = ();

    /// An interface changes its kind only while it is down, so each change of its link is worth a look.
    fn handle(&mut self, OnAir { segment, link }: OnAir, _: &mut Self::Context) {
        let Some((interface, kind)) = link else {
            if self.posts.remove(&segment).is_some_and(|post| post.role.is_some()) {
                self.tell(vec![Fact::WifiRoleChanged { segment, role: None }]);
            }
            return;
        };
        let fresh = Post { interface, is_wifi: false, role: None, untold: false };
        let post = self.posts.entry(segment).or_insert(fresh);
        post.is_wifi = kind == LinkKind::Wifi;
        post.untold &= post.interface == interface;
        post.interface = interface;
        if self.look_at(segment) && self.is_access_point(segment) {
            let facts = self.state_of(segment);
            self.tell(facts);
        }
    }
}

impl Handler<ReadStations> for Air {
    type Result = ();

    fn handle(&mut self, ReadStations(segment): ReadStations, _: &mut Self::Context) {
        if self.is_access_point(segment) {
            let facts = self.state_of(segment);
            self.tell(facts);
        }
    }
}

impl Handler<Barrier> for Air {
    type Result = ();

    fn handle(&mut self, _: Barrier, _: &mut Self::Context) {}
}
