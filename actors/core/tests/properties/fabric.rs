//! Three gateways of one subnet that BGP connects: hosts come, move and die, gateways die and return, sessions flap. In the
//! end each host has one gateway, and everybody else knows which.

use std::time::Duration;

use proptest::prelude::*;

use crate::gateways::{Fabric, GATEWAYS, HOSTS, Place, SEGMENTS, asks, ip};

/// The longest ways of two updates, and the time in which hosts are asked.
const SOON: Duration = Duration::from_secs(6);
/// In the end nothing is done for so long: longer than a silent host takes to be given up.
const REST: Duration = Duration::from_secs(45);
/// In the last part of it nothing moves any more.
const QUIET: Duration = Duration::from_secs(30);

#[derive(Debug, Clone, Copy)]
enum Act {
    Move(u8, Place),
    Die(u8),
    Speak(u8),
    Ask(Place, u8),
    Crash(usize),
    Return(usize),
    /// The sessions of a gateway end, and begin again.
    Flap(usize),
    Wait(u16),
}

impl Fabric {
    fn act(&mut self, act: Act) {
        match act {
            Act::Move(host, place) => {
                self.hosts.insert(10 + host, place);
                self.speak(10 + host);
            }
            Act::Die(host) => {
                self.hosts.remove(&(10 + host));
            }
            Act::Speak(host) => self.speak(10 + host),
            Act::Ask(place, host) => self.hears(place, asks(place, ip(10 + host))),
            Act::Crash(gateway) => self.crash(gateway),
            Act::Return(gateway) => self.boot(gateway),
            Act::Flap(gateway) if self.is_up(gateway) => {
                self.disconnect(gateway);
                self.connect(gateway);
            }
            Act::Flap(_) => {}
            Act::Wait(millis) => self.passes(Duration::from_millis(millis.into())),
        }
        self.passes(Duration::from_millis(2));
    }
}

fn any_act() -> impl Strategy<Value = Act> {
    let place = || (0..GATEWAYS, 0..SEGMENTS);
    prop_oneof![
        6 => (0..HOSTS, place()).prop_map(|(host, place)| Act::Move(host, place)),
        1 => (0..HOSTS).prop_map(Act::Die),
        3 => (0..HOSTS).prop_map(Act::Speak),
        3 => (place(), 0..HOSTS).prop_map(|(place, host)| Act::Ask(place, host)),
        1 => (0..GATEWAYS).prop_map(Act::Crash),
        2 => (0..GATEWAYS).prop_map(Act::Return),
        2 => (0..GATEWAYS).prop_map(Act::Flap),
        6 => (0_u16..3000).prop_map(Act::Wait),
    ]
}

fn check(acts: &[Act], delays: Vec<u16>) -> Result<(), TestCaseError> {
    let mut fabric = Fabric::new(delays);
    acts.iter().for_each(|act| fabric.act(*act));
    for host in 0..HOSTS {
        fabric.act(Act::Speak(host));
    }
    // Soon one gateway has each live host: all updates are there, and its old gateway has asked it, perhaps twice.
    fabric.passes(SOON);
    for (host, (gateway, _)) in fabric.hosts.clone() {
        let owns = |it: &usize| fabric.gateways[*it].own.contains(&ip(host));
        let owners: Vec<usize> = (0..GATEWAYS).filter(owns).collect();
        if fabric.is_up(gateway) {
            prop_assert_eq!(owners, [gateway], "{}", ip(host));
        }
    }
    fabric.passes(REST);
    let busy = fabric.frames;
    fabric.passes(QUIET);
    let rested = fabric.now;

    // One owner each, which the others know.
    for host in 10..10 + HOSTS {
        let place = fabric.hosts.get(&host).copied().filter(|(gateway, _)| fabric.is_up(*gateway));
        for gateway in (0..GATEWAYS).filter(|it| fabric.is_up(*it)) {
            let shown = fabric.shown(gateway, ip(host));
            let expected = place.map(|(owner, segment)| {
                let name = if segment == 0 { "a" } else { "b" };
                let here = ("alive".to_owned(), name.to_owned());
                if owner == gateway { here } else { ("remote".to_owned(), String::new()) }
            });
            prop_assert_eq!(shown, expected, "{} at gateway {}, of {:?}", ip(host), gateway, place);
            let is_owner = place.is_some_and(|(owner, _)| owner == gateway);
            prop_assert_eq!(fabric.gateways[gateway].own.contains(&ip(host)), is_owner);
        }
    }
    // Each is answered for wherever it does not live, and nowhere else.
    for at in (0..GATEWAYS).flat_map(|gateway| (0..SEGMENTS).map(move |segment| (gateway, segment))) {
        for host in 10..10 + HOSTS {
            if !fabric.is_up(at.0) {
                continue;
            }
            fabric.answers.clear();
            fabric.hears(at, asks(at, ip(host)));
            fabric.passes(Duration::from_millis(5));
            let place = fabric.hosts.get(&host).filter(|(gateway, _)| fabric.is_up(*gateway));
            let expected = place.is_some_and(|place| *place != at);
            prop_assert_eq!(fabric.answers.contains(&(at, ip(host))), expected, "{} at {:?}", ip(host), at);
        }
    }
    // A host is verified every half minute: five frames are enough for that.
    prop_assert!(busy_limit(acts) >= busy, "{busy} frames for {} acts", acts.len());
    // Nothing moves any more; and each change of place is one event at either gateway at the most.
    let late = fabric.moves.iter().filter(|(at, _)| rested.since(*at) < QUIET).count();
    prop_assert_eq!(late, 0, "{:?}", fabric.moves);
    for host in 0..HOSTS {
        let changes = acts.iter().filter(|act| matches!(act, Act::Move(it, _) if *it == host)).count();
        let events = fabric.moves.iter().filter(|(_, address)| *address == ip(10 + host)).count();
        prop_assert!(events <= 2 * changes, "{events} events of {changes} changes");
    }
    Ok(())
}

/// Frames that the gateways may send: some for each act on every segment, and the verification of hosts in the time that
/// passes.
fn busy_limit(acts: &[Act]) -> u64 {
    let waited: u64 =
        acts.iter().map(|act| if let Act::Wait(millis) = act { u64::from(*millis) } else { 0 }).sum();
    let seconds = waited / 1000 + REST.as_secs();
    acts.len() as u64 * 40 + 100 + seconds * u64::from(HOSTS) * 2
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn three_gateways_end_with_one_owner_for_each_host(
        acts in prop::collection::vec(any_act(), 1..40),
        delays in prop::collection::vec(0_u16..1500, 1..12),
    ) {
        check(&acts, delays)?;
    }
}
