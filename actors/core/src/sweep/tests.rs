use super::in_flight::PATIENCE;
use super::*;

#[test]
fn progress_is_counted_until_the_last_answer_may_have_come() {
    let mut sweep = sweep(1_000_000, 100);
    assert_eq!((sweep.progress(Time::ZERO).state, sweep.demand(Time::ZERO)), (SweepState::Inactive, false));
    sweep.start(Time::ZERO);
    assert_eq!(sweep.progress(Time::ZERO).state, SweepState::Due);
    assert_eq!(sweep.progress(Time::ZERO + PATIENCE).elapsed, Duration::ZERO);
    sweep.begin(Time::ZERO, vec!["10.0.0.0/29".parse().expect("a prefix")], [Address::new(10, 0, 0, 3)]);
    assert!(sweep.demand(Time::ZERO), "the round that is under way is joined");
    let mut targets = Vec::new();
    sweep.next(Time::ZERO, 2, &mut targets);
    sweep.found(targets[0]);
    let it = sweep.progress(Time::ZERO);
    assert_eq!((it.state, it.rounds, it.probed, it.found), (SweepState::Sweeping, 1, 2, 1));
    assert_eq!((it.done, it.total), (3, 8));
    let end = Time::ZERO + Duration::from_millis(20);
    sweep.next(end, 100, &mut targets);
    sweep.found(targets[4]);
    sweep.found(targets[4]);
    let it = sweep.progress(end + PATIENCE / 2);
    assert_eq!((it.state, it.done, it.probed, it.found), (SweepState::Sweeping, 8, 5, 2));
    let it = sweep.progress(end + PATIENCE);
    assert_eq!((it.state, it.elapsed), (SweepState::Idle, Duration::from_millis(20)));
    assert!(sweep.demand(end + PATIENCE) && sweep.is_due(end + PATIENCE));
}

#[test]
fn a_sweep_on_demand_begins_only_then() {
    let mut sweep = Sweep::on_demand(Vec::new());
    sweep.start(Time::ZERO);
    assert_eq!((sweep.is_due(Time::ZERO), sweep.deadline(Time::ZERO)), (false, None));
    assert!(sweep.demand(Time::ZERO) && sweep.is_due(Time::ZERO));
    begin(&mut sweep, "10.0.0.0/30");
    drain(&mut sweep, Time::ZERO + PATIENCE);
    drain(&mut sweep, Time::ZERO + PATIENCE * 2);
    assert_eq!(sweep.deadline(Time::ZERO + PATIENCE * 3), None);
}

#[test]
fn what_is_never_asked_for_is_passed_over() {
    let plan = SweepPlan { interval: Duration::from_secs(60), rate: 1_000_000, in_flight: 1000 };
    let net = |text: &str| text.parse().expect("a prefix");
    let never = vec![net("10.0.0.0/30"), net("10.0.0.6/31"), net("10.0.0.12/30")];
    let mut sweep = Sweep::new(plan, never);
    let now = Time::from_nanos(1_000_000_000);
    sweep.start(now);
    sweep.begin(now, vec![net("10.0.0.0/28")], []);
    let mut targets = Vec::new();
    sweep.next(now, 100, &mut targets);
    let lasts: Vec<u8> = targets.iter().map(|address| address.octets()[3]).collect();
    assert_eq!(lasts, [4, 5, 8, 9, 10, 11]);
}

fn sweep(rate: u32, in_flight: u32) -> Sweep {
    let plan = SweepPlan { interval: Duration::from_secs(60), rate, in_flight };
    Sweep::new(plan, Vec::new())
}

fn begin(sweep: &mut Sweep, prefix: &str) {
    sweep.begin(Time::ZERO, vec![prefix.parse().expect("a prefix")], []);
}

fn drain(sweep: &mut Sweep, now: Time) -> Vec<Address> {
    let mut targets = Vec::new();
    sweep.next(now, usize::MAX, &mut targets);
    targets
}

#[test]
fn every_address_but_edges_and_skipped_ones_once() {
    let mut sweep = sweep(1_000_000, 100);
    sweep.start(Time::ZERO);
    assert!(sweep.is_due(Time::ZERO));
    sweep.begin(Time::ZERO, vec!["10.0.0.0/29".parse().expect("a prefix")], [Address::new(10, 0, 0, 3)]);
    let hosts: Vec<u8> = drain(&mut sweep, Time::ZERO).iter().map(|it| it.octets()[3]).collect();
    assert_eq!(hosts, [1, 2, 4, 5, 6]);
    assert!(drain(&mut sweep, Time::ZERO).is_empty());
    let given_up = Time::ZERO + PATIENCE;
    assert_eq!(sweep.deadline(Time::ZERO), Some(given_up), "what is in flight takes room until then");
    assert!(drain(&mut sweep, given_up).is_empty());
    assert_eq!(sweep.deadline(given_up), Some(Time::ZERO + Duration::from_secs(60)));
}

#[test]
fn who_is_found_before_its_turn_is_not_probed() {
    let mut sweep = sweep(1_000_000, 2);
    sweep.start(Time::ZERO);
    begin(&mut sweep, "10.0.0.0/29");
    let mut hosts = drain(&mut sweep, Time::ZERO);
    sweep.found(Address::new(10, 0, 0, 4));
    for at in hosts.clone() {
        sweep.found(at);
    }
    hosts.extend(drain(&mut sweep, Time::ZERO));
    let hosts: Vec<u8> = hosts.iter().map(|it| it.octets()[3]).collect();
    assert_eq!(hosts, [1, 2, 3, 5]);
}

#[test]
fn both_addresses_of_a_31_are_probed() {
    let mut sweep = sweep(1_000_000, 100);
    sweep.start(Time::ZERO);
    begin(&mut sweep, "10.0.0.8/31");
    assert_eq!(drain(&mut sweep, Time::ZERO).len(), 2);
}

#[test]
fn a_sweep_that_starts_again_has_nothing_in_flight() {
    let mut sweep = sweep(1_000_000, 4);
    for _ in 0..2 {
        sweep.start(Time::ZERO);
        begin(&mut sweep, "10.0.0.0/24");
        assert_eq!(drain(&mut sweep, Time::ZERO).len(), 4);
    }
}

#[test]
fn a_slow_sweep_is_not_woken_before_its_next_probe() {
    let mut sweep = sweep(1, 1);
    sweep.start(Time::ZERO);
    begin(&mut sweep, "10.0.0.0/24");
    drain(&mut sweep, Time::ZERO);
    assert_eq!(sweep.deadline(Time::ZERO), Some(Time::ZERO + Duration::from_secs(1)));
}

#[test]
fn no_more_in_flight_than_allowed() {
    let mut sweep = sweep(1_000_000, 4);
    sweep.start(Time::ZERO);
    begin(&mut sweep, "10.0.0.0/24");
    let first = drain(&mut sweep, Time::ZERO);
    assert_eq!(first.len(), 4);
    assert!(drain(&mut sweep, Time::ZERO).is_empty());
    sweep.found(first[1]);
    assert_eq!(drain(&mut sweep, Time::ZERO).len(), 1);
    let patient = sweep.deadline(Time::ZERO).expect("a round is under way");
    assert_eq!(patient, Time::ZERO + PATIENCE);
    assert_eq!(drain(&mut sweep, patient).len(), 4);
}

#[test]
fn no_faster_than_the_rate() {
    let mut sweep = sweep(500, 100_000);
    sweep.start(Time::ZERO);
    begin(&mut sweep, "10.0.0.0/16");
    let mut now = Time::ZERO;
    let mut sent = 0;
    while now < Time::ZERO + Duration::from_secs(1) {
        sent += drain(&mut sweep, now).len();
        now = sweep.deadline(now).expect("a round is under way");
    }
    assert!((500..=505).contains(&sent), "{sent} probes in a second at a rate of 500");
}

#[test]
fn questions_about_known_hosts_are_part_of_the_rate_and_never_stop_a_sweep() {
    let mut sweep = sweep(100, 100_000);
    sweep.start(Time::ZERO);
    begin(&mut sweep, "10.0.0.0/16");
    let mut sent = 0;
    for ms in 0..1000 {
        let now = Time::ZERO + Duration::from_millis(ms);
        sweep.give_way(now, if ms % 100 == 0 { 7 } else { 0 });
        sent += drain(&mut sweep, now).len();
    }
    assert!((25..=35).contains(&sent), "{sent} beside 70 others at a rate of 100");
    for _ in 0..100 {
        sweep.give_way(Time::ZERO + Duration::from_secs(1), 1_000);
    }
    let later = Time::ZERO + Duration::from_secs(3);
    assert!(!drain(&mut sweep, later).is_empty(), "put off by a second at the most");
}

#[test]
fn the_largest_prefix_ends() {
    let mut sweep = sweep(1, 1);
    sweep.start(Time::ZERO);
    begin(&mut sweep, "0.0.0.0/0");
    if let Some(round) = &mut sweep.round {
        round.offset = u64::from(u32::MAX - 1);
    }
    assert_eq!(sweep.advance(), Some(Address::new(255, 255, 255, 254)));
    assert_eq!(sweep.advance(), None);
}
