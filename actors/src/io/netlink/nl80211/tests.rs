//! Messages as a kernel sent them (Debian's 6.1 with simulated radios), and any other bytes.

use std::time::Duration;

use arpherd_core::LinkAddr;
use arpherd_core::fact::WifiRole;
use proptest::prelude::*;

use super::message::{self, Family};
use super::{CONTROLLER, Command, FamilyNews, Incoming, RadioInfo, RadioNews, decode};
use crate::io::netlink::compose::{self, Verb};
use crate::io::netlink::wire::{Message, Messages};
use neli::consts::nl::NlmF;
use neli::consts::rtnl::Rtm;

/// The datagram in a file of hexadecimal digits.
macro_rules! fixture {
    ($name:literal) => {
        octets(include_str!(concat!("fixtures/", $name, ".hex")))
    };
}

/// As in the recordings.
const FAMILY: Family = Family { id: 0x20, mlme: 12 };

fn octets(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> =
        hex.chars().filter_map(|it| it.to_digit(16)).filter_map(|it| it.try_into().ok()).collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

fn station(last: u8) -> LinkAddr {
    LinkAddr::ethernet([2, 0, 0, 0, last, 0])
}

fn decoded(datagram: &[u8]) -> Vec<Incoming> {
    Messages::of(datagram).filter_map(|message| decode(&message, Some(FAMILY))).collect()
}

/// The decoded answers of a datagram.
fn answers<T>(datagram: &[u8], decode: impl Fn(&[u8]) -> super::Decoded<T>) -> Vec<T> {
    let ours = Messages::of(datagram).filter(|message| message.kind == FAMILY.id);
    ours.filter_map(|message| decode(message.body).expect("a whole message")).collect()
}

#[test]
fn the_family_is_found_with_the_number_of_its_group() {
    assert_eq!(decoded(&fixture!("new_family")), [Incoming::Family(FamilyNews::Present(FAMILY))]);
    assert!(decoded(&fixture!("other_family")).is_empty());
}

#[test]
fn a_family_that_goes_is_noticed() {
    assert_eq!(decoded(&fixture!("del_family")), [Incoming::Family(FamilyNews::Gone)]);
}

#[test]
fn an_access_point_is_told_from_a_station() {
    let seen = |datagram: Vec<u8>| answers(&datagram, message::interface);
    assert_eq!(seen(fixture!("interface_ap")), [RadioInfo { kind: 3, four_address: false }]);
    assert_eq!(seen(fixture!("interface_station")), [RadioInfo { kind: 2, four_address: false }]);
    assert!(seen(fixture!("no_interface")).is_empty());
}

#[test]
fn a_station_with_four_addresses_is_told_from_one_without() {
    let mut datagram = fixture!("interface_station");
    let four_address = [5, 0, 83, 0, 0];
    let at = datagram.windows(5).position(|it| it == four_address).expect("the attribute is there");
    datagram[at + 4] = 1;
    let seen = answers(&datagram, message::interface);
    assert_eq!(seen[0].role(), Some(WifiRole::FourAddressStation));
}

#[test]
fn kinds_that_are_neither_have_no_role() {
    let role = |kind| RadioInfo { kind, four_address: false }.role();
    assert_eq!([2, 8].map(role), [Some(WifiRole::Station); 2]);
    assert_eq!([3, 9].map(role), [Some(WifiRole::AccessPoint); 2]);
    assert_eq!([0, 1, 4, 6, 7, 99].map(role), [None; 6]);
}

#[test]
fn stations_are_listed_with_the_time_since_they_were_heard() {
    let listed = answers(&fixture!("stations_ap"), message::station);
    assert_eq!(listed, [(station(1), Duration::from_millis(120)), (station(2), Duration::from_millis(544))]);
}

#[test]
fn a_station_of_which_the_driver_says_nothing_is_not_listed() {
    assert!(answers(&fixture!("new_station"), message::station).is_empty());
}

#[test]
fn stations_that_come_and_go_are_told() {
    let (interface, lladdr) = (2, station(1));
    assert_eq!(
        decoded(&fixture!("new_station")),
        [Incoming::Radio(RadioNews::StationJoined { interface, lladdr })]
    );
    assert_eq!(
        decoded(&fixture!("del_station")),
        [Incoming::Radio(RadioNews::StationLeft { interface, lladdr })]
    );
}

#[test]
fn an_access_point_found_and_lost_is_told() {
    let interface = 3;
    assert_eq!(decoded(&fixture!("connect")), [Incoming::Radio(RadioNews::Associated { interface })]);
    assert_eq!(decoded(&fixture!("disconnect")), [Incoming::Radio(RadioNews::Disassociated { interface })]);
}

/// Drivers that roam by themselves say so by another command (`nl80211_send_roamed`).
#[test]
fn roaming_is_finding_an_access_point() {
    let mut datagram = fixture!("connect");
    assert_eq!(datagram[16], 46);
    datagram[16] = 47;
    assert_eq!(decoded(&datagram), [Incoming::Radio(RadioNews::Associated { interface: 3 })]);
}

#[test]
fn an_access_point_that_refused_was_not_found() {
    let mut datagram = fixture!("connect");
    let status = [6, 0, 72, 0, 0, 0];
    let at = datagram.windows(6).position(|it| it == status).expect("the attribute is there");
    datagram[at + 4] = 17;
    assert!(decoded(&datagram).is_empty());
}

#[test]
fn other_talk_of_the_group_is_passed_over() {
    assert!(decoded(&fixture!("authenticate")).is_empty());
}

#[test]
fn nothing_is_heard_of_a_family_that_is_not_known() {
    let datagram = fixture!("new_station");
    assert!(Messages::of(&datagram).all(|message| decode(&message, None).is_none()));
}

#[test]
fn questions_are_written_as_the_kernel_reads_them() {
    let verb = |flags| Verb { kind: Rtm::from(FAMILY.id), flags };
    let mut request = Vec::new();
    let body = message::request_of(Command::GetInterface, 3).expect("writable");
    compose::append(&mut request, 7, verb(NlmF::REQUEST | NlmF::ACK), body).expect("writable");
    let expected = [28, 0, 0, 0, 0x20, 0, 5, 0, 7, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 8, 0, 3, 0, 3, 0, 0, 0];
    assert_eq!(request, expected);
    let mut request = Vec::new();
    let body = message::request_of(Command::GetStation, 3).expect("writable");
    compose::append(&mut request, 7, verb(NlmF::REQUEST | NlmF::DUMP), body).expect("writable");
    let expected = [28, 0, 0, 0, 0x20, 0, 1, 3, 7, 0, 0, 0, 0, 0, 0, 0, 17, 0, 0, 0, 8, 0, 3, 0, 3, 0, 0, 0];
    assert_eq!(request, expected);
    let mut request = Vec::new();
    let verb = Verb { kind: Rtm::from(CONTROLLER), flags: NlmF::REQUEST | NlmF::DUMP };
    compose::append(&mut request, 7, verb, message::request_families().expect("writable")).expect("writable");
    assert_eq!(request, [20, 0, 0, 0, 16, 0, 1, 3, 7, 0, 0, 0, 0, 0, 0, 0, 3, 2, 0, 0]);
}

fn decode_all(kind: u16, body: &[u8]) {
    let _ = decode(&Message { kind, flags: 0, sequence: 0, body }, Some(FAMILY));
    let _ = message::interface(body);
    let _ = message::station(body);
    let _ = message::family_news(body);
}

proptest! {
    #[test]
    fn no_bytes_can_make_it_panic(
        command in prop::sample::select(vec![1_u8, 2, 7, 19, 20, 46, 47, 48]),
        rest in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let body = [&[command, 1, 0, 0][..], &rest].concat();
        for kind in [CONTROLLER, FAMILY.id] {
            decode_all(kind, &body);
            decode_all(kind, &rest);
        }
    }

    /// A message that was right but for some octets gets past the first attribute.
    #[test]
    fn no_damage_can_make_it_panic(
        which in 0_usize..5,
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        cut in 0_usize..40,
    ) {
        let whole = [
            fixture!("new_family"), fixture!("interface_ap"), fixture!("stations_ap"), fixture!("connect"),
            fixture!("del_station"),
        ];
        let mut datagram = whole[which].clone();
        for (at, octet) in damage {
            let at = at.index(datagram.len());
            datagram[at] = octet;
        }
        datagram.truncate(datagram.len() - cut);
        for message in Messages::of(&datagram) {
            decode_all(message.kind, message.body);
        }
        decode_all(CONTROLLER, datagram.get(16..).unwrap_or_default());
        decode_all(FAMILY.id, datagram.get(16..).unwrap_or_default());
    }
}
