//! The air actor: what radios tell, told on for the segments it concerns.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use actix::{Actor, Addr, Context, Handler};
use arpherd_actors::air::Air;
use arpherd_actors::io::Radio;
use arpherd_actors::io::netlink::{MonitorError, NetlinkError, RadioInfo, RadioNews};
use arpherd_actors::messages::{OnAir, ReadStations, Told};
use arpherd_actors::port::Readiness;
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

/// The radios: what is asked of them and what they tell. Clones are the same.
#[derive(Clone, Default)]
struct FakeRadio {
    inner: Arc<Mutex<State>>,
    arrived: Arc<Notify>,
}

#[derive(Default)]
struct State {
    there: bool,
    stations: BTreeMap<u32, Vec<(LinkAddr, Duration)>>,
    news: Vec<RadioNews>,
    overrun: bool,
}

impl FakeRadio {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.inner.lock().expect("no panic with the lock")
    }

    async fn tells(&self, news: RadioNews) {
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

/// In the route owner's place: keeps what it is told.
#[derive(Clone, Default)]
struct Owner(Arc<Mutex<Vec<Fact>>>);

impl Actor for Owner {
    type Context = Context<Self>;
}

impl Handler<Told> for Owner {
    type Result = ();

    fn handle(&mut self, Told { facts, .. }: Told, _: &mut Self::Context) {
        self.0.lock().expect("no panic with the lock").extend(facts);
    }
}

/// Keeps the words of each log record.
#[derive(Clone, Default)]
struct Words(Arc<Mutex<Vec<String>>>);

impl Drain for Words {
    type Ok = ();
    type Err = Never;

    fn log(&self, record: &Record<'_>, _: &OwnedKVList) -> Result<(), Never> {
        self.0.lock().expect("no panic with the lock").push(record.msg().to_string());
        Ok(())
    }
}

struct Bench {
    radio: FakeRadio,
    owner: Owner,
    words: Words,
    air: Addr<Air>,
}

impl Bench {
    /// nl80211 is there or not; A is an access point, B a station.
    async fn new(there: bool) -> Self {
        let (radio, owner, words) = (FakeRadio::default(), Owner::default(), Words::default());
        let log = Logger::root(words.clone(), o!());
        radio.lock().there = there;
        let (port, arrived) = (radio.clone(), radio.arrived.clone());
        let opener = Box::new(move || {
            let readiness = unfold(arrived, |arrived| async move {
                arrived.notified().await;
                Some(((), arrived))
            });
            Ok((Box::new(port) as Box<dyn Radio>, Box::pin(readiness) as Readiness))
        });
        let air = Air::new(opener, owner.clone().start().recipient(), log).start();
        let bench = Self { radio, owner, words, air };
        bench.link(A, Some(POINT)).await;
        bench.link(B, Some(CLIENT)).await;
        bench
    }

    async fn link(&self, segment: SegmentId, interface: Option<u32>) {
        let link = interface.map(|interface| (interface, LinkKind::Wifi));
        self.air.do_send(OnAir { segment, link });
        settle().await;
    }

    /// How often it was said.
    fn said(&self, word: &str) -> usize {
        self.words.0.lock().expect("no panic with the lock").iter().filter(|said| *said == word).count()
    }

    /// What was told since this was last asked.
    fn told(&self) -> Vec<Fact> {
        std::mem::take(&mut self.owner.0.lock().expect("no panic with the lock"))
    }
}

fn role(segment: SegmentId, role: Option<WifiRole>) -> Fact {
    Fact::RadioSeen { segment, role }
}

fn list(segment: SegmentId, stations: Vec<(LinkAddr, Duration)>) -> Fact {
    Fact::StationsRead { segment, stations }
}

#[test]
fn what_an_interface_is_on_the_air_is_told_once_with_who_is_there() {
    in_virtual_time(async {
        let bench = Bench::new(true).await;
        let roles = [role(A, Some(WifiRole::AccessPoint)), list(A, vec![]), role(B, Some(WifiRole::Station))];
        assert_eq!(bench.told(), roles);
        bench.link(A, Some(POINT)).await;
        assert!(bench.told().is_empty(), "it is what it was");
        bench.link(A, Some(CABLE)).await;
        assert_eq!(bench.told(), [role(A, None)]);
        bench.link(B, None).await;
        assert_eq!(bench.told(), [role(B, None)]);
    });
}

#[test]
fn the_same_message_means_another_thing_on_an_access_point_than_on_a_station() {
    in_virtual_time(async {
        let bench = Bench::new(true).await;
        bench.told();
        for interface in [POINT, CLIENT, CABLE] {
            bench.radio.tells(RadioNews::StationJoined { interface, lladdr: lladdr(9) }).await;
            bench.radio.tells(RadioNews::Associated { interface }).await;
            bench.radio.tells(RadioNews::Disassociated { interface }).await;
            bench.radio.tells(RadioNews::StationLeft { interface, lladdr: lladdr(9) }).await;
        }
        let (joined, left) = (
            Fact::StationJoined { segment: A, lladdr: lladdr(9) },
            Fact::StationLeft { segment: A, lladdr: lladdr(9) },
        );
        let (found, lost) = (Fact::Associated { segment: B }, Fact::Disassociated { segment: B });
        assert_eq!(bench.told(), [joined, left, found, lost]);
    });
}

#[test]
fn several_segments_of_one_interface_hear_the_same() {
    in_virtual_time(async {
        let bench = Bench::new(true).await;
        bench.link(B, Some(POINT)).await;
        bench.told();
        bench.radio.tells(RadioNews::StationLeft { interface: POINT, lladdr: lladdr(9) }).await;
        let left = |segment| Fact::StationLeft { segment, lladdr: lladdr(9) };
        assert_eq!(bench.told(), [left(A), left(B)]);
    });
}

#[test]
fn an_access_points_list_is_read_when_it_is_wanted() {
    in_virtual_time(async {
        let bench = Bench::new(true).await;
        bench.told();
        let stations = vec![(lladdr(9), Duration::from_secs(40))];
        bench.radio.lock().stations.insert(POINT, stations.clone());
        bench.air.do_send(ReadStations(A));
        bench.air.do_send(ReadStations(B));
        settle().await;
        assert_eq!(bench.told(), [list(A, stations)], "a station has no list");
    });
}

#[test]
fn lost_news_are_made_up_for() {
    in_virtual_time(async {
        let bench = Bench::new(true).await;
        bench.told();
        bench.radio.overruns().await;
        assert_eq!(bench.told(), [list(A, vec![])], "the carrier tells of an access point that was lost");
        bench.radio.lock().stations.insert(CLIENT, vec![(lladdr(1), Duration::ZERO)]);
        bench.radio.overruns().await;
        assert_eq!(bench.told(), [list(A, vec![]), Fact::Associated { segment: B }]);
    });
}

#[test]
fn without_nl80211_nothing_is_told_until_it_appears() {
    in_virtual_time(async {
        let bench = Bench::new(false).await;
        bench.air.do_send(ReadStations(A));
        settle().await;
        assert!(bench.told().is_empty());
        bench.radio.tells(RadioNews::Appeared).await;
        let told = bench.told();
        assert!(told.contains(&role(A, Some(WifiRole::AccessPoint))), "{told:?}");
        assert!(told.contains(&role(B, Some(WifiRole::Station))), "{told:?}");
        bench.radio.tells(RadioNews::Vanished).await;
        assert_eq!(bench.told(), [role(A, None), role(B, None)]);
    });
}

#[test]
fn what_cannot_be_known_is_said_once() {
    in_virtual_time(async {
        let bench = Bench::new(false).await;
        bench.radio.overruns().await;
        assert_eq!(bench.said("wifi_unavailable"), 1);
        bench.radio.lock().there = true;
        bench.radio.tells(RadioNews::Appeared).await;
        assert_eq!(bench.said("wifi_available"), 1);
        // Wi-Fi by its looks, but no radio of this namespace has it.
        for _ in 0..3 {
            bench.link(B, Some(CABLE)).await;
        }
        assert_eq!(bench.said("wifi_untold"), 1);
        bench.link(B, Some(CABLE + 1)).await;
        assert_eq!(bench.said("wifi_untold"), 2, "it is another interface");
    });
}
