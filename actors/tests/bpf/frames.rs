//! Single frames, by the kernel's own facility for it: which are answered, how, and which go on as they came.

use std::net::Ipv4Addr;
use std::time::Duration;

use arpherd_actors::io::bpf::{FastAnswers, Noticed, Place, Resident, Subject, Verdict};
use arpherd_core::{LinkAddr, SegmentId};
use arpherd_lab::{ArpFrame, Mac, monotonic_ns, wait_until};

use crate::rig::{
    ASKER, DOMAIN, HERE, LOOPBACK, OWN, TARGET, THERE, loaded, place, question, resident, subject,
};

const LIMIT: Duration = Duration::from_secs(5);
/// What a handful of frames take at the most.
const LITTLE: Duration = Duration::from_millis(300);
/// How long a turn of the program's takes, in nanoseconds.
const TURN: u64 = 1 << 31;

/// As it stands on the wire, padded to the least length.
fn padded(frame: &ArpFrame) -> Vec<u8> {
    let mut octets = frame.encode().to_vec();
    octets.resize(60, 0);
    octets
}

/// Waits until so much of a turn is left, in which questions are passed on once.
fn within_a_turn(left: Duration) {
    let is_there = || monotonic_ns() % TURN < TURN - u64::try_from(left.as_nanos()).expect("a short time");
    wait_until(LIMIT, "a turn has begun", is_there);
}

fn until_next_turn() {
    let turn = || monotonic_ns() / TURN;
    let this = turn();
    wait_until(LIMIT, "the next turn has begun", || turn() > this);
}

/// What is answered to a question of which the daemon has heard in this turn.
fn answer(fast: &FastAnswers) -> Verdict {
    let question = padded(&question());
    within_a_turn(LITTLE);
    assert_ne!(fast.judge(&question).unwrap(), Verdict::On);
    fast.judge(&question).unwrap()
}

fn is_answered(fast: &FastAnswers, frame: &[u8]) -> bool {
    fast.judge(frame).unwrap() != Verdict::On
}

#[harness::test]
fn a_known_host_that_asks_for_a_known_host_elsewhere_is_answered_counted_and_noticed() {
    let fast = loaded(LOOPBACK, OWN);
    let wanted = padded(&ArpFrame::reply(OWN, TARGET.1, ASKER.0, ASKER.1));
    assert_eq!(answer(&fast), Verdict::Answer(wanted));
    assert_eq!((fast.answered(HERE).unwrap(), fast.answered(THERE).unwrap()), (2, 0));
    let noticed = |address| fast.noticed(subject(address)).unwrap().expect("an entry");
    let (asker, target) = (noticed(ASKER.1), noticed(TARGET.1));
    assert!(asker.heard.is_some_and(|since| since < LIMIT) && target.heard.is_none(), "{asker:?} {target:?}");
    fast.put_host(subject(ASKER.1), &resident(ASKER.0, HERE)).unwrap();
    assert_eq!(noticed(ASKER.1), Noticed::default(), "an entry that is written anew forgets");
}

#[harness::test]
fn of_each_asker_and_for_each_silent_target_a_question_in_every_turn_goes_on_besides() {
    const OTHER: (Mac, Ipv4Addr) = (Mac([2, 0, 0, 0, 0, 8]), Ipv4Addr::new(10, 9, 0, 8));
    const SPEAKER: (Mac, Ipv4Addr) = (Mac([2, 0, 0, 0, 0, 10]), Ipv4Addr::new(10, 9, 0, 10));
    let fast = loaded(LOOPBACK, OWN);
    fast.put_host(subject(OTHER.1), &resident(OTHER.0, HERE)).unwrap();
    fast.put_host(subject(SPEAKER.1), &resident(SPEAKER.0, THERE)).unwrap();
    let goes_on = |asker: (Mac, Ipv4Addr), target: Ipv4Addr| {
        let question = padded(&ArpFrame::request(asker.0, asker.1, target));
        let verdict = fast.judge(&question).unwrap();
        assert_ne!(verdict, Verdict::On);
        verdict == Verdict::AnsweredAndOn
    };
    within_a_turn(LITTLE);
    assert!(goes_on(ASKER, TARGET.1), "the first of it and for it");
    assert!(!goes_on(ASKER, TARGET.1));
    assert!(goes_on(OTHER, TARGET.1), "the first of another");
    assert!(!goes_on(OTHER, TARGET.1));
    assert!(goes_on(ASKER, SPEAKER.1), "the first for another");
    assert!(!goes_on(OTHER, SPEAKER.1));
    until_next_turn();
    assert!(goes_on(ASKER, TARGET.1), "the same again");
    let noticed = |address| fast.noticed(subject(address)).unwrap().expect("an entry");
    assert!(noticed(TARGET.1).passed_on.is_some_and(|since| since < LITTLE));
    assert!(goes_on(ASKER, SPEAKER.1), "it is silent");

    // The other one asks itself.
    fast.put_link(LOOPBACK, &Place { segment: THERE, ..place(OWN) }).unwrap();
    goes_on(SPEAKER, ASKER.1);
    fast.put_link(LOOPBACK, &place(OWN)).unwrap();
    until_next_turn();
    assert!(goes_on(ASKER, TARGET.1));
    assert!(!goes_on(ASKER, SPEAKER.1), "it was heard");
    let since_heard = || noticed(SPEAKER.1).heard.expect("it asked");
    wait_until(2 * LIMIT, "it is silent again", || since_heard() > Duration::from_secs(5));
    until_next_turn();
    assert!(goes_on(ASKER, TARGET.1));
    assert!(goes_on(ASKER, SPEAKER.1), "it was not heard for five seconds");
}

#[harness::test]
fn what_stands_behind_the_packet_changes_no_answer_unless_it_is_a_mark() {
    let fast = loaded(LOOPBACK, OWN);
    let bare = question().encode()[..ArpFrame::LEN].to_vec();
    let behind = |padding: &[u8]| [&bare, padding].concat();
    for padding in [&[][..], &[0; 3], b"ARP", b"ARPG", &[0xff; 18], b"xARPH"] {
        assert!(is_answered(&fast, &behind(padding)), "{padding:?}");
    }
    assert!(!is_answered(&fast, &behind(b"ARPH")));
    assert!(!is_answered(&fast, &behind(b"ARPH0123456789")));
    assert!(!is_answered(&fast, &bare[..ArpFrame::LEN - 1]), "a packet that is cut off");
}

#[harness::test]
fn requests_to_the_station_itself_are_answered_too() {
    let fast = loaded(LOOPBACK, OWN);
    // The loopback interface has this address.
    assert!(is_answered(&fast, &padded(&question().unicast_to(Mac::ZERO))));
    assert!(!is_answered(&fast, &padded(&question().unicast_to(TARGET.0))), "a stranger's frame");
}

#[harness::test]
fn every_other_kind_of_frame_goes_on_as_it_came() {
    type Change = fn(&mut ArpFrame);
    let frames: [(&str, Change); 14] = [
        ("a probe for an address (RFC 5227)", |it| it.spa = Ipv4Addr::UNSPECIFIED),
        ("an announcement as a request", |it| it.tpa = it.spa),
        ("an announcement as a reply", |it| *it = ArpFrame::gratuitous_reply(ASKER.0, ASKER.1)),
        ("a claim to the target's address", |it| it.spa = it.tpa),
        ("a reply", |it| it.op = ArpFrame::REPLY),
        ("reverse ARP", |it| it.op = 3),
        ("an unknown target", |it| it.tpa = Ipv4Addr::new(10, 9, 0, 10)),
        ("the network's address", |it| it.tpa = Ipv4Addr::new(10, 9, 0, 0)),
        ("the network's broadcast address", |it| it.tpa = Ipv4Addr::new(10, 9, 0, 255)),
        ("a multicast address", |it| it.tpa = Ipv4Addr::new(224, 0, 0, 251)),
        ("an unknown asker", |it| it.spa = Ipv4Addr::new(10, 9, 0, 8)),
        ("another station with the asker's address", |it| {
            it.src = Mac([2, 0, 0, 0, 0, 0x66]);
            it.sha = it.src;
        }),
        ("a frame of another station than the packet says", |it| it.src = Mac([2, 0, 0, 0, 0, 0x66])),
        ("a host of another segment", |it| {
            *it = ArpFrame::request(TARGET.0, TARGET.1, ASKER.1);
        }),
    ];
    let fast = loaded(LOOPBACK, OWN);
    for (name, change) in frames {
        let mut frame = question();
        change(&mut frame);
        assert_eq!(fast.judge(&padded(&frame)).unwrap(), Verdict::On, "{name}");
    }
    // Octets of the frame's and the packet's header, each with what stands there instead.
    let octets: [(&str, usize, &[u8]); 8] = [
        ("IPv4", 12, &[8, 0]),
        ("RARP", 12, &[0x80, 0x35]),
        ("a VLAN tag", 12, &[0x81, 0, 0, 5, 8, 6]),
        ("hardware of IEEE 802", 14, &[0, 6]),
        ("hardware of InfiniBand", 14, &[0, 32]),
        ("a protocol that is not IPv4", 16, &[0x86, 0xdd]),
        ("link-layer addresses of 20 octets", 18, &[20]),
        ("addresses of 16 octets", 19, &[16]),
    ];
    for (name, offset, instead) in octets {
        let mut frame = padded(&question());
        frame[offset..offset + instead.len()].copy_from_slice(instead);
        assert_eq!(fast.judge(&frame).unwrap(), Verdict::On, "{name}");
    }
    assert_eq!(fast.answered(HERE).unwrap(), 0);
    assert_eq!(fast.noticed(subject(ASKER.1)).unwrap(), Some(Noticed::default()));
    assert!(is_answered(&fast, &padded(&question())), "the unchanged question");
}

#[harness::test]
fn hosts_that_are_not_plain_are_left_to_the_daemon() {
    let station = Mac([2, 0, 0, 0, 0, 0x77]);
    let infiniband = LinkAddr::try_new(&[0x20; 20]).unwrap();
    let cases: [(&str, Ipv4Addr, Resident, bool); 7] = [
        (
            "one that may not be answered for",
            TARGET.1,
            Resident { answered_for: false, ..resident(TARGET.0, THERE) },
            false,
        ),
        ("one of the asker's segment", TARGET.1, resident(TARGET.0, HERE), false),
        ("one with the asker's link-layer address", TARGET.1, resident(ASKER.0, THERE), false),
        ("one on InfiniBand", TARGET.1, Resident { lladdr: infiniband, ..resident(TARGET.0, THERE) }, true),
        ("an asker that moved here", ASKER.1, resident(ASKER.0, SegmentId(2)), false),
        ("an asker with another link-layer address", ASKER.1, resident(station, HERE), false),
        (
            "an asker that may not be answered for",
            ASKER.1,
            Resident { answered_for: false, ..resident(ASKER.0, HERE) },
            true,
        ),
    ];
    for (name, address, entry, answered) in cases {
        let fast = loaded(LOOPBACK, OWN);
        fast.put_host(subject(address), &entry).unwrap();
        assert_eq!(is_answered(&fast, &padded(&question())), answered, "{name}");
    }
}

#[harness::test]
fn a_host_that_is_taken_out_neither_gets_answers_nor_is_answered_for() {
    let fast = loaded(LOOPBACK, OWN);
    for (address, entry) in [(ASKER.1, resident(ASKER.0, HERE)), (TARGET.1, resident(TARGET.0, THERE))] {
        assert!(is_answered(&fast, &padded(&question())));
        fast.remove_host(subject(address)).unwrap();
        assert!(!is_answered(&fast, &padded(&question())), "{address}");
        assert_eq!(fast.noticed(subject(address)).unwrap(), None);
        fast.remove_host(subject(address)).expect("taking out what is not there is no error");
        fast.put_host(subject(address), &entry).unwrap();
    }
}

#[harness::test]
fn domains_do_not_mix() {
    let fast = loaded(LOOPBACK, OWN);
    fast.remove_host(subject(TARGET.1)).unwrap();
    let elsewhere = Subject { domain: DOMAIN + 1, address: TARGET.1 };
    fast.put_host(elsewhere, &resident(TARGET.0, THERE)).unwrap();
    assert!(!is_answered(&fast, &padded(&question())));
}

#[harness::test]
fn answers_say_the_links_own_address_as_it_is_now_and_come_on_known_links_alone() {
    let fast = loaded(LOOPBACK, OWN);
    let new = Mac([2, 0, 0, 0, 0, 0x42]);
    fast.put_link(LOOPBACK, &place(new)).unwrap();
    let wanted = padded(&ArpFrame::reply(new, TARGET.1, ASKER.0, ASKER.1));
    assert_eq!(answer(&fast), Verdict::Answer(wanted));
    fast.remove_link(LOOPBACK).unwrap();
    assert!(!is_answered(&fast, &padded(&question())));
    let infiniband = LinkAddr::try_new(&[0x20; 20]).unwrap();
    let _ = fast
        .put_link(LOOPBACK, &arpherd_actors::io::bpf::Place { lladdr: infiniband, ..place(new) })
        .unwrap_err();
}

#[harness::test]
fn nothing_is_answered_unless_somebody_vouches_for_it() {
    let fast = loaded(LOOPBACK, OWN);
    fast.vouch(Duration::ZERO).unwrap();
    assert!(!is_answered(&fast, &padded(&question())));
    fast.vouch(Duration::from_millis(100)).unwrap();
    wait_until(LIMIT, "the answers end by themselves", || !is_answered(&fast, &padded(&question())));
    fast.vouch(Duration::from_secs(60)).unwrap();
    assert!(is_answered(&fast, &padded(&question())));
}

#[harness::test]
fn a_full_map_refuses_what_has_no_room() {
    let fast = loaded(LOOPBACK, OWN);
    let put = |number: u32| {
        let address = Ipv4Addr::from(u32::from(Ipv4Addr::new(10, 9, 1, 0)) + number);
        fast.put_host(subject(address), &resident(TARGET.0, THERE))
    };
    let refused = (0..2 * crate::rig::ROOM.hosts).filter(|number| put(*number).is_err()).count();
    // Two are in it already.
    assert_eq!(refused, usize::try_from(crate::rig::ROOM.hosts).unwrap() + 2);
    assert!(is_answered(&fast, &padded(&question())));
}
