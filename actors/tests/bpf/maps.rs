//! The maps: many hosts at once, no more than there is room for, and nothing of those of before.

use std::net::Ipv4Addr;

use arpherd_actors::io::bpf::{FastAnswers, Resident, Room, Subject, Verdict};
use arpherd_lab::Mac;

use crate::rig::{ASKER, HERE, LOOPBACK, OWN, PROTOCOL, ROOM, THERE, loaded, question, resident, subject};

fn many(count: u32) -> Vec<(Subject, Resident)> {
    let numbered = |number: u32| {
        let [_, a, b, c] = number.to_be_bytes();
        (subject(Ipv4Addr::new(10, a, b, c)), resident(Mac([2, 9, 0, a, b, c]), THERE))
    };
    (1..=count).map(numbered).collect()
}

#[harness::test]
fn many_hosts_are_put_at_once_and_each_is_as_if_alone() {
    let fast = FastAnswers::load(Room { hosts: 10_000, ..ROOM }, PROTOCOL).unwrap();
    let hosts = many(10_000);
    assert!(fast.put_hosts(hosts.clone()).is_empty());
    for (subject, _) in &hosts {
        assert!(fast.noticed(*subject).unwrap().is_some(), "{subject:?}");
    }
    assert!(fast.put_hosts([]).is_empty());
    assert!(fast.put_hosts([hosts[0]]).is_empty(), "one is instead of the one before");
}

#[harness::test]
fn those_without_room_are_told_and_the_others_are_in() {
    let fast = FastAnswers::load(ROOM, PROTOCOL).unwrap();
    let hosts = many(ROOM.hosts + 3);
    let failed = fast.put_hosts(hosts.clone());
    let is_in = |at: &usize| fast.noticed(hosts[*at].0).unwrap().is_some();
    assert_eq!((0..hosts.len()).filter(is_in).count(), ROOM.hosts as usize);
    assert_eq!(failed.len(), 3);
    assert!(failed.iter().all(|(at, error)| !is_in(at) && error.raw_os_error() == Some(7)), "{failed:?}");
    // Whoever is in already takes no room.
    assert!(fast.put_hosts(hosts[..ROOM.hosts as usize].to_vec()).is_empty());
}

#[harness::test]
fn nothing_is_left_when_all_is_cleared() {
    let fast = loaded(LOOPBACK, OWN);
    assert_ne!(fast.judge(&question().encode()).unwrap(), Verdict::On);
    assert_eq!(fast.answered(HERE).unwrap(), 1);
    fast.clear().unwrap();
    assert_eq!(fast.answered(HERE).unwrap(), 0);
    assert_eq!(fast.noticed(subject(ASKER.1)).unwrap(), None);
    assert_eq!(fast.judge(&question().encode()).unwrap(), Verdict::On);
    fast.clear().unwrap();
}
