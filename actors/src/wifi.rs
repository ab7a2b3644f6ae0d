//! The Wi-Fi monitor: follows the associations of Wi-Fi stations by nl80211.
//!
//! It owns the sockets to nl80211 and reports associations to the route owner. The same notification means different
//! things on an access point's interface and on a station's, so it keeps the role of each segment's interface.
//! Without nl80211, or if it does not know the interface, hosts are known by ARP alone.

use std::collections::BTreeMap;
use std::time::Duration;

use actix::{Actor, AsyncContext, Context, Handler, Message, Recipient, StreamHandler};
use arpherd_core::fact::WifiRole;
use arpherd_core::plan::LinkKind;
use arpherd_core::{Fact, SegmentId};
use slog::{Logger, debug, info, warn};

use crate::io::Radio;
use crate::io::netlink::{MonitorError, RadioNews};
use crate::messages::{Barrier, Observed, ReadStations, WifiLink};
use crate::port::RadioOpener;

/// Pause before a failed request to nl80211 is repeated.
const RETRY: Duration = Duration::from_secs(1);

/// Follows the Wi-Fi interfaces of one network namespace.
pub struct WifiMonitor {
    /// Taken when the actor starts.
    opener: Option<RadioOpener>,
    radio: Option<Box<dyn Radio>>,
    /// Whether nl80211 is there; `None`: not known yet.
    is_available: Option<bool>,
    /// The interfaces of segments; those that do not exist are absent.
    interfaces: BTreeMap<SegmentId, TrackedInterface>,
    owner: Recipient<Observed>,
    log: Logger,
    news: Vec<RadioNews>,
}

/// A segment's interface.
struct TrackedInterface {
    index: u32,
    /// Whether rtnetlink and sysfs show it as Wi-Fi.
    is_wifi: bool,
    /// Its role by nl80211; `None`: nl80211 does not know it, or the role is none that matters.
    role: Option<WifiRole>,
    /// That nl80211 does not know it was logged.
    is_absence_logged: bool,
}

/// The sockets may have notifications to read.
struct RadioReady;

/// Read the next notifications, after other messages were handled.
#[derive(Message)]
#[rtype(result = "()")]
struct ReadMoreNews;

impl WifiMonitor {
    /// A monitor that opens its connection when it starts.
    pub fn new(opener: RadioOpener, owner: Recipient<Observed>, log: Logger) -> Self {
        Self {
            opener: Some(opener),
            radio: None,
            is_available: None,
            interfaces: BTreeMap::new(),
            owner,
            log,
            news: Vec::new(),
        }
    }

    /// Looks for nl80211, and reads everything if it is there.
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
        if self.is_available.replace(true) == Some(false) {
            info!(self.log, "wifi_available");
        }
        self.read_everything();
    }

    fn vanished(&mut self) {
        if self.is_available.replace(false) != Some(false) {
            info!(self.log, "wifi_unavailable";
                "detail" => "no nl80211 in the kernel; hosts on Wi-Fi are known by ARP alone");
        }
        let mut facts = Vec::new();
        for (&segment, interface) in &mut self.interfaces {
            if interface.role.take().is_some() {
                facts.push(Fact::WifiRoleChanged { segment, role: None });
            }
        }
        self.report(facts);
    }

    fn report(&self, facts: Vec<Fact>) {
        if !facts.is_empty() {
            // `do_send` ignores the mailbox's capacity: a notification must not be lost.
            self.owner.do_send(Observed::of(facts));
        }
    }

    /// Reads and reports the roles that changed and all associations.
    fn read_everything(&mut self) {
        for segment in self.interfaces.keys().copied().collect::<Vec<_>>() {
            self.update_role(segment);
            let facts = self.read_associations(segment);
            self.report(facts);
        }
    }

    /// Reads the role of the segment's interface and reports it if it changed; whether it did.
    fn update_role(&mut self, segment: SegmentId) -> bool {
        let (Some(radio), Some(interface)) = (&mut self.radio, self.interfaces.get_mut(&segment)) else {
            return false;
        };
        if self.is_available != Some(true) {
            return false;
        }
        let info = radio.interface(interface.index).unwrap_or_else(|error| {
            warn!(self.log, "kernel_unreadable"; "error" => %error);
            None
        });
        if info.is_none() && interface.is_wifi && !std::mem::replace(&mut interface.is_absence_logged, true) {
            info!(self.log, "wifi_radio_absent"; "interface" => interface.index,
                "detail" => "its radio is in another network namespace; its hosts are known by ARP alone");
        }
        let role = info.and_then(|info| info.role());
        let is_changed = interface.role != role;
        interface.role = role;
        if is_changed {
            debug!(self.log, "wifi_role"; "interface" => interface.index, "role" => role.map(WifiRole::as_str));
            self.report(vec![Fact::WifiRoleChanged { segment, role }]);
        }
        is_changed
    }

    /// The present associations: all stations of an access point, or that a station is associated. An empty list of
    /// a station proves nothing: some drivers never list the access point, and its loss also shows in the carrier.
    fn read_associations(&mut self, segment: SegmentId) -> Vec<Fact> {
        let (Some(radio), Some(interface)) = (&mut self.radio, self.interfaces.get(&segment)) else {
            return Vec::new();
        };
        let Some(role) = interface.role else { return Vec::new() };
        match radio.stations(interface.index) {
            Ok(stations) if role == WifiRole::AccessPoint => vec![Fact::StationsRead { segment, stations }],
            Ok(stations) if !stations.is_empty() => vec![Fact::Associated { segment }],
            Ok(_) => Vec::new(),
            // The ledger verifies hosts by ARP without this.
            Err(error) => {
                debug!(self.log, "stations_unreadable"; "error" => %error);
                Vec::new()
            }
        }
    }

    fn is_access_point(&self, segment: SegmentId) -> bool {
        self.interfaces.get(&segment).is_some_and(|interface| interface.role == Some(WifiRole::AccessPoint))
    }

    fn read(&mut self, ctx: &mut Context<Self>) {
        let Some(radio) = &mut self.radio else { return };
        let mut news = std::mem::take(&mut self.news);
        let outcome = radio.read(&mut news);
        let mut facts = Vec::new();
        for news in news.drain(..) {
            match news {
                RadioNews::Appeared | RadioNews::Vanished => {
                    self.report(std::mem::take(&mut facts));
                    if news == RadioNews::Appeared { self.appeared() } else { self.vanished() }
                }
                _ => facts.extend(self.facts_of(news)),
            }
        }
        self.news = news;
        self.report(facts);
        match outcome {
            Ok(true) => ctx.notify(ReadMoreNews),
            Ok(false) => {}
            Err(MonitorError::Overrun) => {
                info!(self.log, "kernel_overrun"; "detail" => "notifications were dropped; everything is read again");
                // nl80211 itself may have appeared or vanished meanwhile.
                self.find(ctx);
                ctx.notify(ReadMoreNews);
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

    /// The facts that a notification means, for every segment reached through its interface.
    fn facts_of(&self, news: RadioNews) -> Vec<Fact> {
        let fact_for = |segment, role| match (news, role) {
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
            // A station's peer is its access point, for which the kernel sends the notifications above.
            _ => None,
        };
        let concerned = self.interfaces.iter().filter(|(_, known)| news.interface() == Some(known.index));
        concerned.filter_map(|(segment, known)| fact_for(*segment, known.role?)).collect()
    }
}

impl Actor for WifiMonitor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        let Some(opener) = self.opener.take() else { return };
        match opener() {
            Ok((radio, readiness)) => {
                self.radio = Some(radio);
                ctx.add_stream(futures_util::StreamExt::map(readiness, |()| RadioReady));
                self.find(ctx);
            }
            Err(error) => warn!(self.log, "monitor_failed"; "error" => %error),
        }
    }
}

impl StreamHandler<RadioReady> for WifiMonitor {
    fn handle(&mut self, _: RadioReady, ctx: &mut Self::Context) {
        self.read(ctx);
    }

    /// The stream ends only with the runtime.
    fn finished(&mut self, _: &mut Self::Context) {}
}

impl Handler<ReadMoreNews> for WifiMonitor {
    type Result = ();

    fn handle(&mut self, _: ReadMoreNews, ctx: &mut Self::Context) {
        self.read(ctx);
    }
}

impl Handler<WifiLink> for WifiMonitor {
    type Result = ();

    /// Reads the role again: an interface changes it only while it is down, so each change comes with this message.
    fn handle(&mut self, WifiLink { segment, link }: WifiLink, _: &mut Self::Context) {
        let Some((index, kind)) = link else {
            if self.interfaces.remove(&segment).is_some_and(|interface| interface.role.is_some()) {
                self.report(vec![Fact::WifiRoleChanged { segment, role: None }]);
            }
            return;
        };
        let new = TrackedInterface { index, is_wifi: false, role: None, is_absence_logged: false };
        let interface = self.interfaces.entry(segment).or_insert(new);
        interface.is_wifi = kind == LinkKind::Wifi;
        interface.is_absence_logged &= interface.index == index;
        interface.index = index;
        if self.update_role(segment) && self.is_access_point(segment) {
            let facts = self.read_associations(segment);
            self.report(facts);
        }
    }
}

impl Handler<ReadStations> for WifiMonitor {
    type Result = ();

    fn handle(&mut self, ReadStations(segment): ReadStations, _: &mut Self::Context) {
        if self.is_access_point(segment) {
            let facts = self.read_associations(segment);
            self.report(facts);
        }
    }
}

impl Handler<Barrier> for WifiMonitor {
    type Result = ();

    fn handle(&mut self, _: Barrier, _: &mut Self::Context) {}
}
