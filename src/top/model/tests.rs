use arpherd_core::view::CountersView;

use super::super::testing::{event, host, segment, status};
use super::*;

/// A second snapshot of two segments, six hosts and three events.
pub(in crate::top) fn filled(size: (u16, u16)) -> Model {
    let mut model = Model::new(Duration::from_secs(1), size);
    model.update(answered(0, 0));
    model.update(answered(1, 1));
    model
}

/// The snapshot of this second, with `read` a hundred times on one segment.
pub(in crate::top) fn answered(second: u64, read: u64) -> News {
    let mut lan = segment("lan", "eth0");
    lan.counters =
        CountersView { read: 100 * read, answered: 40 * read, dropped: 2 * read, ..CountersView::default() };
    let mut fabric = segment("fabric", "ibs1");
    (fabric.kind, fabric.state) = ("ipoib".into(), "no_carrier".into());
    fabric.counters =
        CountersView { read: 25 * read, answered: 10 * read, probed: 5 * read, ..CountersView::default() };
    let rows: Vec<_> = (1..=6).map(host).collect();
    let events = match second {
        0 => vec![event(1, "host_found", "debug"), event(2, "host_moved", "info")],
        _ => vec![event(second + 2, "host_flapping", "warning")],
    };
    News::Answered(Box::new(Snapshot {
        at: Duration::from_secs(second),
        status: status(7500 + second, 6),
        segments: vec![lan, fabric],
        hosts: Some(HostsPage { matching: rows.len(), total: rows.len(), rows }),
        events: EventsView { missed: 0, last: second + 2, events },
        restarted: false,
    }))
}

#[test]
fn rates_come_with_the_second_answer() {
    let mut model = Model::new(Duration::from_secs(1), (80, 24));
    model.update(answered(0, 0));
    assert_eq!(model.sum(), None);
    model.update(answered(2, 1));
    assert_eq!(model.sum().map(|sum| (sum.read, sum.answered)), Some((62.5, 25.0)));
}

#[test]
fn a_daemon_that_is_lost_is_said_with_the_time_and_what_was_known_stays() {
    let mut model = filled((80, 24));
    for at in [5, 6, 9] {
        model.update(News::Lost { at: Duration::from_secs(at), reason: "no such socket\x1b".into() });
    }
    assert_eq!(model.notice(), Some(("no answer for 4s: no such socket\\u{1b}".into(), true)));
    assert_eq!((model.hosts.rows.len(), model.segments.len()), (6, 2));
    let News::Answered(mut back) = answered(10, 0) else { panic!("an answer") };
    back.restarted = true;
    model.update(News::Answered(back));
    assert_eq!(model.notice(), Some(("the daemon was restarted".into(), false)));
    model.update(answered(20, 1));
    assert_eq!(model.notice(), None);
}

#[test]
fn events_are_bounded_and_what_is_read_stays_in_place() {
    let mut model = filled((80, 24));
    assert_eq!(model.shown_events().first().map(|event| event.sequence), Some(3));
    model.chosen = Pane::Events;
    for second in 2..=600 {
        model.update(answered(second, second));
    }
    assert_eq!(model.events.len(), EVENTS);
    model.pane_mut().offset = 10;
    let read = model.shown_events()[10].sequence;
    model.update(answered(601, 601));
    assert_eq!(model.shown_events()[model.pane().offset].sequence, read);
}

#[test]
fn hosts_are_wanted_only_while_they_are_shown() {
    let mut model = filled((80, 24));
    assert!(model.wanted().hosts.is_some());
    model.chosen = Pane::Events;
    assert!(model.wanted().hosts.is_some(), "all panes are shown");
    model.alone = true;
    assert_eq!(model.wanted().hosts, None);
    (model.alone, model.size) = (false, (80, 15));
    assert_eq!(model.wanted().hosts, None, "a low terminal shows one pane");
    (model.chosen, model.size) = (Pane::Hosts, (20, 5));
    assert_eq!(model.wanted().hosts, None, "nothing is shown");
}

#[test]
fn paused_it_takes_no_news_and_asks_nothing() {
    let mut model = filled((80, 24));
    model.paused = true;
    model.update(answered(9, 9));
    assert_eq!((model.now, model.wanted().paused), (Duration::from_secs(1), true));
    assert!(model.notice().is_some_and(|(text, _)| text.contains("paused")));
}
