//! A segment whose interface is a Wi-Fi station: its access point lost and found.

use super::bench::{A, B, Bench, SECOND, host, ip, link, mac, plan};
use super::log::{Log, delete};
use crate::event::DownReason;
use crate::fact::{Link, WifiRole};
use crate::plan::LinkKind;
use crate::{Event, Fact};

/// Segment B is a station.
fn station() -> Bench {
    let mut bench = Bench::with(plan(2));
    bench.links(B, Some(Link { kind: LinkKind::Wifi, ..link(B) }));
    bench.give(Fact::WifiRoleChanged { segment: B, role: Some(WifiRole::Station) });
    bench
}

#[test]
fn a_new_access_point_is_told_what_we_answer_for_and_its_hosts_are_asked() {
    let mut bench = station();
    bench.knows(B, host(9));
    bench.knows(A, host(20));
    bench.passes(5 * SECOND);
    let log = bench.give(Fact::Associated { segment: B });
    assert_eq!(log.verifications(), [(B, ip(9), Some(mac(9)))]);
    assert_eq!(log.announcements(), [(B, ip(20))]);
    assert_eq!(bench.passes(3 * SECOND).announcements(), [(B, ip(20)); 2]);
}

#[test]
fn without_an_access_point_a_station_has_no_carrier() {
    let mut bench = station();
    bench.knows(B, host(9));
    let down = Event::SegmentDown { segment: B, reason: DownReason::NoCarrier };
    assert_eq!(bench.give(Fact::Disassociated { segment: B }).events(), [down]);
    // The kernel says the same in its own time.
    let no_carrier = Link { kind: LinkKind::Wifi, carrier: false, ..link(B) };
    assert!(bench.links(B, Some(no_carrier)).is_empty());
    assert_eq!(bench.passes(10 * SECOND).routes(), [delete(B, 9)]);
}

#[test]
fn an_access_point_found_is_announced_to_once_the_carrier_is_there() {
    for carrier_first in [true, false] {
        let mut bench = station();
        bench.knows(A, host(20));
        bench.give(Fact::Disassociated { segment: B });
        bench.links(B, Some(Link { kind: LinkKind::Wifi, carrier: false, ..link(B) }));
        let mut log = Log::default();
        for is_link in [carrier_first, !carrier_first] {
            log.append(if is_link {
                bench.links(B, Some(Link { kind: LinkKind::Wifi, ..link(B) }))
            } else {
                bench.give(Fact::Associated { segment: B })
            });
        }
        assert_eq!(log.announcements(), [(B, ip(20))], "the carrier first: {carrier_first}");
    }
}

/// The kernel may never say that a carrier was lost which is back at once.
#[test]
fn an_access_point_found_again_needs_no_word_of_the_carrier() {
    let mut bench = station();
    bench.give(Fact::Disassociated { segment: B });
    let log = bench.give(Fact::Associated { segment: B });
    assert!(log.events().iter().any(|event| matches!(event, Event::SegmentUp { segment: B, .. })));
}
