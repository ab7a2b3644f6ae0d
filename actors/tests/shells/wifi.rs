//! The Wi-Fi monitor: notifications of nl80211, reported for the segments that they concern.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use actix::{Actor, Addr, Context, Handler};
use arpherd_actors::io::Radio;
use arpherd_actors::io::netlink::{MonitorError, NetlinkError, RadioInfo, RadioNews};
use arpherd_actors::messages::{Observed, ReadStations, WifiLink};
use arpherd_actors::port::Readiness;
use arpherd_actors::wifi::WifiMonitor;
use arpherd_core::fact::WifiRole;
use arpherd_core::plan::LinkKind;
use arpherd_core::{Fact, LinkAddr, SegmentId};
use futures_util::stream::unfold;
use slog::{Drain, Logger, Never, OwnedKVList, Record, o};
use tokio::sync::Notify;

use crate::fakes::{in_virtual_time, lladdr, settle};

const A: SegmentId = SegmentId(0);
const B: SegmentId = SegmentId(1);
/// Interfaces.
const POINT: u32 = 3;
const CLIENT: u32 = 4;
const CABLE: u32 = 5;

/// nl80211: its state and its notifications. Clones are the same.
#[derive(Clone, Default)]
struct FakeRadio {
    inner: Arc<Mutex<FakeRadioState>>,
    arrived: Arc<Notify>,
}

#[derive(Default)]
struct FakeRadioState {
    there: bool,
    stations: BTreeMap<u32, Vec<(LinkAddr, Duration)>>,
    news: Vec<RadioNews>,
    overrun: bool,
}

impl FakeRadio {
    fn lock(&self) -> MutexGuard<'_, FakeRadioState> {
        self.inner.lock().expect("no panic with the lock")
    }

    async fn notifies(&self, news: RadioNews) {
        self.lock().news.push(news);
        self.arrived.notify_one();
        settle().await;
    }

    async fn overruns(&self) {
        self.lock().overrun = true;
        self.arrived.notify_one();
        settle().await;
    }
}

impl Radio for FakeRadio {
    fn find(&mut self) -> Result<bool, NetlinkError> {
        Ok(self.lock().there)
    }

    fn interface(&mut self, index: u32) -> Result<Option<RadioInfo>, NetlinkError> {
        let kind = match index {
            POINT => 3,
            CLIENT => 2,
            _ => return Ok(None),
        };
        Ok(Some(RadioInfo { kind, four_address: false }))
    }

    fn stations(&mut self, index: u32) -> Result<Vec<(LinkAddr, Duration)>, NetlinkError> {
        Ok(self.lock().stations.get(&index).cloned().unwrap_or_default())
    }

    fn read(&mut self, news: &mut Vec<RadioNews>) -> Result<bool, MonitorError> {
        let mut state = self.lock();
        news.append(&mut state.news);
        if std::mem::take(&mut state.overrun) { Err(MonitorError::Overrun) } else { Ok(false) }
    }
}

/// In the route owner's place: keeps the facts.
#[derive(Clone, Default)]
struct WifiOwner(Arc<Mutex<Vec<Fact>>>);

impl Actor for WifiOwner {
    type Context = Context<Self>;
}

impl Handler<Observed> for WifiOwner {
    type Result = ();

    fn handle(&mut self, Observed { facts, .. }: Observed, _: &mut Self::Context) {
        self.0.lock().expect("no panic with the lock").extend(facts);
    }
}

/// Keeps the message of each log record.
#[derive(Clone, Default)]
struct LogMessages(Arc<Mutex<Vec<String>>>);

impl Drain for LogMessages {
    type Ok = ();
    type Err = Never;

    fn log(&self, record: &Record<'_>, _: &OwnedKVList) -> Result<(), Never> {
        self.0.lock().expect("no panic with the lock").push(record.msg().to_string());
        Ok(())
    }
}

struct WifiBench {
    radio: FakeRadio,
    owner: WifiOwner,
    messages: LogMessages,
    wifi: Addr<WifiMonitor>,
}

impl WifiBench {
    /// nl80211 is there or not; A is an access point, B a station.
    async fn new(there: bool) -> Self {
        let (radio, owner, messages) = (FakeRadio::default(), WifiOwner::default(), LogMessages::default());
        let log = Logger::root(messages.clone(), o!());
        radio.lock().there = there;
        let (port, arrived) = (radio.clone(), radio.arrived.clone());
        let opener = Box::new(move || {
            let readiness = unfold(arrived, |arrived| async move {
                arrived.notified().await;
                Some(((), arrived))
            });
            Ok((Box::new(port) as Box<dyn Radio>, Box::pin(readiness) as Readiness))
        });
        let wifi = WifiMonitor::new(opener, owner.clone().start().recipient(), log).start();
        let bench = Self { radio, owner, messages, wifi };
        bench.link(A, Some(POINT)).await;
        bench.link(B, Some(CLIENT)).await;
        bench
    }

    async fn link(&self, segment: SegmentId, interface: Option<u32>) {
        let link = interface.map(|interface| (interface, LinkKind::Wifi));
        self.wifi.do_send(WifiLink { segment, link });
        settle().await;
    }

    /// How often the message was logged.
    fn logged(&self, message: &str) -> usize {
        let logged = self.messages.0.lock().expect("no panic with the lock");
        logged.iter().filter(|it| *it == message).count()
    }

    /// The facts reported since the last call.
    fn reported(&self) -> Vec<Fact> {
        std::mem::take(&mut self.owner.0.lock().expect("no panic with the lock"))
    }
}

fn role(segment: SegmentId, role: Option<WifiRole>) -> Fact {
    Fact::WifiRoleChanged { segment, role }
}

fn list(segment: SegmentId, stations: Vec<(LinkAddr, Duration)>) -> Fact {
    Fact::StationsRead { segment, stations }
}

#[test]
fn the_role_of_an_interface_is_reported_once_with_its_associations() {
    in_virtual_time(async {
        let bench = WifiBench::new(true).await;
        let roles = [role(A, Some(WifiRole::AccessPoint)), list(A, vec![]), role(B, Some(WifiRole::Station))];
        assert_eq!(bench.reported(), roles);
        bench.link(A, Some(POINT)).await;
        assert!(bench.reported().is_empty(), "it is what it was");
        bench.link(A, Some(CABLE)).await;
        assert_eq!(bench.reported(), [role(A, None)]);
        bench.link(B, None).await;
        assert_eq!(bench.reported(), [role(B, None)]);
    });
}

#[test]
fn the_same_message_means_another_thing_on_an_access_point_than_on_a_station() {
    in_virtual_time(async {
        let bench = WifiBench::new(true).await;
        bench.reported();
        for interface in [POINT, CLIENT, CABLE] {
            bench.radio.notifies(RadioNews::StationJoined { interface, lladdr: lladdr(9) }).await;
            bench.radio.notifies(RadioNews::Associated { interface }).await;
            bench.radio.notifies(RadioNews::Disassociated { interface }).await;
            bench.radio.notifies(RadioNews::StationLeft { interface, lladdr: lladdr(9) }).await;
        }
        let (joined, left) = (
            Fact::StationJoined { segment: A, lladdr: lladdr(9) },
            Fact::StationLeft { segment: A, lladdr: lladdr(9) },
        );
        let (found, lost) = (Fact::Associated { segment: B }, Fact::Disassociated { segment: B });
        assert_eq!(bench.reported(), [joined, left, found, lost]);
    });
}

#[test]
fn several_segments_of_one_interface_get_the_same_facts() {
    in_virtual_time(async {
        let bench = WifiBench::new(true).await;
        bench.link(B, Some(POINT)).await;
        bench.reported();
        bench.radio.notifies(RadioNews::StationLeft { interface: POINT, lladdr: lladdr(9) }).await;
        let left = |segment| Fact::StationLeft { segment, lladdr: lladdr(9) };
        assert_eq!(bench.reported(), [left(A), left(B)]);
    });
}

#[test]
fn an_access_points_list_is_read_when_it_is_wanted() {
    in_virtual_time(async {
        let bench = WifiBench::new(true).await;
        bench.reported();
        let stations = vec![(lladdr(9), Duration::from_secs(40))];
        bench.radio.lock().stations.insert(POINT, stations.clone());
        bench.wifi.do_send(ReadStations(A));
        bench.wifi.do_send(ReadStations(B));
        settle().await;
        assert_eq!(bench.reported(), [list(A, stations)], "a station has no list");
    });
}

#[test]
fn after_dropped_notifications_everything_is_read_again() {
    in_virtual_time(async {
        let bench = WifiBench::new(true).await;
        bench.reported();
        bench.radio.overruns().await;
        assert_eq!(bench.reported(), [list(A, vec![])], "the carrier shows that an access point was lost");
        bench.radio.lock().stations.insert(CLIENT, vec![(lladdr(1), Duration::ZERO)]);
        bench.radio.overruns().await;
        assert_eq!(bench.reported(), [list(A, vec![]), Fact::Associated { segment: B }]);
    });
}

#[test]
fn without_nl80211_nothing_is_reported_until_it_appears() {
    in_virtual_time(async {
        let bench = WifiBench::new(false).await;
        bench.wifi.do_send(ReadStations(A));
        settle().await;
        assert!(bench.reported().is_empty());
        bench.radio.notifies(RadioNews::Appeared).await;
        let reported = bench.reported();
        assert!(reported.contains(&role(A, Some(WifiRole::AccessPoint))), "{reported:?}");
        assert!(reported.contains(&role(B, Some(WifiRole::Station))), "{reported:?}");
        bench.radio.notifies(RadioNews::Vanished).await;
        assert_eq!(bench.reported(), [role(A, None), role(B, None)]);
    });
}

#[test]
fn what_cannot_be_known_is_logged_once() {
    in_virtual_time(async {
        let bench = WifiBench::new(false).await;
        bench.radio.overruns().await;
        assert_eq!(bench.logged("wifi_unavailable"), 1);
        bench.radio.lock().there = true;
        bench.radio.notifies(RadioNews::Appeared).await;
        assert_eq!(bench.logged("wifi_available"), 1);
        // Shown as Wi-Fi by rtnetlink, but no radio of this namespace has it.
        for _ in 0..3 {
            bench.link(B, Some(CABLE)).await;
        }
        assert_eq!(bench.logged("wifi_radio_absent"), 1);
        bench.link(B, Some(CABLE + 1)).await;
        assert_eq!(bench.logged("wifi_radio_absent"), 2, "it is another interface");
    });
}
