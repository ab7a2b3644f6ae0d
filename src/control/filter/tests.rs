use super::*;
use crate::control::testing::{host, route, segment};

fn hosts() -> Vec<HostView> {
    let on = |number, name: &str, state: &'static str| HostView {
        segment: name.into(),
        state: state.into(),
        age_seconds: 10 - u64::from(number),
        lease_server: None,
        lease_expires_seconds: None,
        in_kernel_seconds: None,
        next_hop: None,
        ..host(number)
    };
    vec![on(1, "lan", "alive"), on(2, "vms", "suspect"), on(3, "lan", "alive")]
}

fn segments() -> Vec<SegmentView> {
    vec![segment("lan", "eth0", 2), segment("vms", "br1", 1)]
}

fn filter() -> TableFilter {
    TableFilter::default()
}

fn strings(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// The last octets of the hosts that are wanted.
fn wanted(filter: &TableFilter) -> Result<Vec<u8>, String> {
    let rows = filter.apply(hosts(), &segments())?;
    Ok(rows.iter().map(|row| row.address.octets()[3]).collect())
}

#[test]
fn hosts_are_picked_by_segment_state_and_prefix() {
    assert_eq!(wanted(&filter()), Ok(vec![1, 2, 3]));
    assert_eq!(wanted(&TableFilter { segments: strings(&["lan"]), ..filter() }), Ok(vec![1, 3]));
    assert_eq!(wanted(&TableFilter { segments: strings(&["br1"]), ..filter() }), Ok(vec![2]), "an interface");
    assert_eq!(wanted(&TableFilter { states: strings(&["suspect"]), ..filter() }), Ok(vec![2]));
    let prefixes = vec!["10.2.0.2/31".parse().expect("a prefix")];
    assert_eq!(wanted(&TableFilter { prefixes: prefixes.clone(), ..filter() }), Ok(vec![2, 3]));
    assert_eq!(wanted(&TableFilter { prefixes, states: strings(&["alive"]), ..filter() }), Ok(vec![3]));
    assert_eq!(wanted(&TableFilter { domains: strings(&["cluster"]), ..filter() }), Ok(vec![1, 2, 3]));
}

#[test]
fn rows_are_sorted_by_fields_each_forwards_or_backwards() {
    assert_eq!(wanted(&TableFilter { sort: strings(&["age_seconds"]), ..filter() }), Ok(vec![3, 2, 1]));
    assert_eq!(
        wanted(&TableFilter { sort: strings(&["-age"]), ..filter() }),
        Ok(vec![1, 2, 3]),
        "by its heading"
    );
    assert_eq!(
        wanted(&TableFilter { sort: strings(&["-segment", "-address"]), ..filter() }),
        Ok(vec![2, 3, 1])
    );
}

#[test]
fn what_there_is_not_is_refused_with_what_there_is() {
    for (filter, words) in [
        (TableFilter { sort: strings(&["-speed"]), ..filter() }, ["field speed", "age_seconds"]),
        (TableFilter { states: strings(&["dead"]), ..filter() }, ["state dead", "alive, suspect"]),
        (TableFilter { segments: strings(&["eth7"]), ..filter() }, ["interface eth7", "lan, vms"]),
        (TableFilter { domains: strings(&["lab"]), ..filter() }, ["domain lab", "cluster"]),
    ] {
        let refusal = wanted(&filter).expect_err("it is not there");
        assert!(words.iter().all(|word| refusal.contains(word)), "{refusal}");
    }
}

#[test]
fn every_field_to_sort_by_has_values() {
    let host = HostView { netns: Some("blue".into()), ..host(1) };
    assert!(HostView::FIELDS.iter().all(|name| host.field(name) != Cell::None));
    let mut segment = SegmentView { netns: Some("blue".into()), ..segment("lan", "eth0", 1) };
    segment.measured.fast_answers = Some("tcx".into());
    assert!(SegmentView::FIELDS.iter().all(|name| segment.field(name) != Cell::None));
}

#[test]
fn a_covering_route_is_of_its_domain_and_of_no_segment() {
    let cover = route(Destination::Prefix("10.2.0.0/24".parse().expect("a prefix")));
    let host = RouteView { interface: Some("eth0".into()), ..route(Destination::Host([10, 2, 0, 9].into())) };
    let count = |filter: TableFilter| {
        filter.apply(vec![host.clone(), cover.clone()], &segments()).map(|rows| rows.len())
    };
    assert_eq!(count(TableFilter { domains: strings(&["cluster"]), ..filter() }), Ok(2));
    assert_eq!(count(TableFilter { segments: strings(&["lan"]), ..filter() }), Ok(1));
    assert_eq!(count(TableFilter { segments: strings(&["vms"]), ..filter() }), Ok(0));
    let prefixes = vec!["10.2.0.8/29".parse().expect("a prefix")];
    assert_eq!(count(TableFilter { prefixes, ..filter() }), Ok(1));
}

#[test]
fn events_are_picked_by_any_segment_they_name() {
    let event = EventView {
        sequence: 1,
        time: String::new(),
        level: "info".into(),
        event: "host_moved".into(),
        netns: None,
        values: [("address", "10.2.0.9"), ("segment", "lan"), ("old_segment", "vms"), ("domain", "cluster")]
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .into(),
    };
    let wants = |filter: TableFilter| filter.wants_event(&event);
    assert!(wants(filter()) && wants(TableFilter { segments: strings(&["vms"]), ..filter() }));
    assert!(!wants(TableFilter { segments: strings(&["br1"]), ..filter() }));
    assert!(!wants(TableFilter { prefixes: vec!["10.2.0.0/29".parse().expect("a prefix")], ..filter() }));
}
