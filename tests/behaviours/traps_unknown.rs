//! Targets nobody is known to have, hosts that die, and addresses that never rest.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use arpherd_lab::{ArpFrame, Capture, Captured, Crowd, Mac, Result, Segment, wait_until};
use libtest_mimic::Trial;

use crate::rig::{
    A_WHILE, Config, Rig, SOON, events, introduce, ip, pass, routed_by, wait_event, wait_route,
};
use crate::test;

pub(crate) fn tests() -> Vec<Trial> {
    vec![
        test("trap_unknown_target_is_held_and_answered_when_it_proves_itself", held),
        test("trap_askers_of_one_target_share_one_probe_a_second", coalesced),
        test("trap_unknown_target_is_not_searched_for_where_it_was_asked", not_here),
        test("trap_answers_stop_when_the_host_dies", stale_answers),
        test("trap_host_that_returns_is_answered_for_at_once", returns),
        test("trap_flapping_host_is_held_and_reported", flapping),
    ]
}

fn held() -> Result<()> {
    let rig = Rig::new()?;
    let _daemon = Config::common().start(&rig.r)?;
    let (a, far) = (rig.left(10)?, rig.right(20)?);
    let crowd = Crowd::start(&far.ns, "eth0", vec![ip(30)])?;
    crowd.delay(Duration::from_millis(400));
    let wire = a.wire()?;
    let (answer, time) =
        wire.ask_one(&a.question(ip(30)), Duration::from_secs(1)).expect("an answer in a second");
    assert_eq!(answer, ArpFrame::reply(rig.mac("eth0"), ip(30), a.mac(), a.ip()));
    assert!(time >= Duration::from_millis(400), "not before the target spoke: {time:?}");
    assert_eq!(wire.recv(A_WHILE).filter(|(arp, _)| arp.is_reply()), None, "one answer to one question");
    assert_eq!(crowd.requests_seen().iter().filter(|seen| !seen.unicast).count(), 1);
    Ok(())
}

/// When the router sent frames that look for `target`; `capture` is on its own end of a cable, because what
/// comes out at the other end may be late on a machine with other work.
fn searches(capture: &Capture, target: Ipv4Addr) -> Vec<u64> {
    let search = |frame: &Captured| frame.arp().filter(|arp| arp.is_request() && arp.tpa == target).is_some();
    let sent = capture.frames().into_iter().filter(|frame| frame.outgoing() && search(frame));
    sent.map(|frame| frame.ts_ns).collect()
}

fn coalesced() -> Result<()> {
    let rig = Rig::new()?;
    let third = Segment::new("third")?;
    third.plug(&rig.r, "eth2")?;
    let _daemon = Config::common().segment("eth2", &[]).start(&rig.r)?;
    let a = rig.left(10)?;
    let others = [Capture::start(&rig.r, "eth1")?, Capture::start(&rig.r, "eth2")?];
    let (wire, start) = (a.wire()?, Instant::now());
    while start.elapsed() < Duration::from_millis(2500) {
        for last in 100..110 {
            wire.send(&ArpFrame::request(Mac::of_crowd(ip(last)), ip(last), ip(99)))?;
        }
        pass(Duration::from_millis(50)); // the pace of the questions
    }
    for other in others {
        let times = searches(&other, ip(99));
        assert!((2..=3).contains(&times.len()), "{times:?}");
        assert!(times.windows(2).all(|pair| pair[1] - pair[0] > 950_000_000), "{times:?}");
    }
    Ok(())
}

fn not_here() -> Result<()> {
    let rig = Rig::new()?;
    let _daemon = Config::common().start(&rig.r)?;
    let a = rig.left(10)?;
    let here = Capture::start(&rig.r, "eth0")?;
    assert_eq!(a.wire()?.ask(&a.question(ip(99)), A_WHILE), []);
    assert_eq!(searches(&here, ip(99)), Vec::<u64>::new());
    Ok(())
}

fn stale_answers() -> Result<()> {
    let rig = Rig::new()?;
    let daemon = Config::common().start(&rig.r)?;
    let (a, b) = (rig.left(10)?, rig.right(20)?);
    introduce(&b, &rig.r, "eth1")?;
    let wire = a.wire()?;
    assert!(wire.ask_one(&a.question(b.ip()), SOON).is_some());
    b.silence(true)?;
    let start = Instant::now();
    wait_until(SOON, "its route is withdrawn", || routed_by(&rig.r, b.ip()).is_none());
    // 400 ms of silence and five questions, 100 ms apart; the rest is for a machine with other work.
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
    wait_event(&daemon, "host_gone", |event| event["address"] == b.ip().to_string());
    assert_eq!(wire.ask(&a.question(b.ip()), A_WHILE), []);
    assert_eq!(rig.r.route_get(b.ip()), None, "nor is it sent anywhere else");
    Ok(())
}

fn returns() -> Result<()> {
    let rig = Rig::new()?;
    let _daemon = Config::common().start(&rig.r)?;
    let (a, b) = (rig.left(10)?, rig.right(20)?);
    introduce(&b, &rig.r, "eth1")?;
    b.silence(true)?;
    wait_until(SOON, "its route is withdrawn", || routed_by(&rig.r, b.ip()).is_none());
    let wire = a.wire()?;
    assert_eq!(wire.ask(&a.question(b.ip()), A_WHILE), []);
    b.silence(false)?;
    b.announce()?;
    wait_route(&rig.r, b.ip(), "eth1");
    let answer = wire.ask_one(&a.question(b.ip()), Duration::from_millis(500));
    assert!(answer.is_some(), "what was not found a moment ago is not remembered as missing");
    Ok(())
}

/// The same station heard here and there, as when the segments are joined by a loop.
fn flapping() -> Result<()> {
    let rig = Rig::new()?;
    let daemon = Config::common().start(&rig.r)?;
    let (a, b) = (rig.left(10)?, rig.right(20)?);
    let (here, there) = (a.wire()?, b.wire()?);
    let station = ArpFrame::gratuitous(Mac([2, 0, 0, 0, 0, 0xf1]), ip(60));
    here.send(&station)?;
    wait_route(&rig.r, ip(60), "eth0");
    let mut moves = 0;
    let mut place = "eth0";
    while events(&daemon, "host_flapping").is_empty() {
        assert!(moves < 20, "never held after {moves} moves");
        let (wire, next) = if place == "eth0" { (&there, "eth1") } else { (&here, "eth0") };
        wire.send(&station)?;
        wait_until(SOON, "it moves or is held", || {
            routed_by(&rig.r, ip(60)).as_deref() == Some(next) || !events(&daemon, "host_flapping").is_empty()
        });
        (place, moves) = (next, moves + 1);
    }
    assert!(moves > 2, "a host may move now and then");
    let told = wait_event(&daemon, "host_flapping", |_| true);
    assert_eq!(told["address"], ip(60).to_string());
    let held = routed_by(&rig.r, ip(60));
    for wire in [&here, &there, &here, &there] {
        wire.send(&station)?;
        pass(A_WHILE / 4); // it would have moved by now
        assert_eq!(routed_by(&rig.r, ip(60)), held);
    }
    assert_eq!(events(&daemon, "host_flapping").len(), 1);
    Ok(())
}
