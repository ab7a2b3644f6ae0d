//! Targets nobody is known to have, hosts that die, and addresses that never rest.

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use arpherd_lab::{ArpFrame, Capture, Captured, Crowd, Host, Mac, Result, Segment, wait_until};

use crate::rig::{
    A_WHILE, Config, Rig, SOON, counter, events, introduce, ip, pass, routed_by, wait_event, wait_route,
};

#[harness::test]
fn trap_unknown_target_is_held_and_answered_when_it_proves_itself() -> Result<()> {
    let rig = Rig::new()?;
    let _daemon = Config::common().start(&rig.r)?;
    let (a, far) = (rig.left(10)?, rig.right(20)?);
    let crowd = Crowd::start(&far.ns, "eth0", vec![ip(30)])?;
    crowd.delay(Duration::from_millis(400));
    let wire = a.wire()?;
    let (answer, time) =
        wire.ask_one(&a.request(ip(30)), Duration::from_secs(1)).expect("an answer in a second");
    assert_eq!(answer, ArpFrame::reply(rig.mac("eth0"), ip(30), a.mac(), a.ip()));
    assert!(time >= Duration::from_millis(400), "not before the target spoke: {time:?}");
    assert_eq!(wire.recv(A_WHILE).filter(|(arp, _)| arp.is_reply()), None, "one answer to one request");
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

#[harness::test]
fn trap_askers_of_one_target_share_one_probe_a_second() -> Result<()> {
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
        pass(Duration::from_millis(50)); // the pace of the requests
    }
    for other in others {
        let times = searches(&other, ip(99));
        let seconds = usize::try_from(start.elapsed().as_secs()).expect("a few");
        assert!((2..=seconds + 1).contains(&times.len()), "{times:?}");
        // Each a second after the one before; how late one may leave on a machine with other work is allowed for.
        for pair in times.windows(2) {
            assert!(pair[1] - pair[0] > 800_000_000, "{times:?}");
        }
    }
    Ok(())
}

#[harness::test]
fn trap_unknown_target_is_not_searched_for_where_it_was_asked() -> Result<()> {
    let rig = Rig::new()?;
    let _daemon = Config::common().start(&rig.r)?;
    let a = rig.left(10)?;
    let here = Capture::start(&rig.r, "eth0")?;
    assert_eq!(a.wire()?.ask(&a.request(ip(99)), A_WHILE), []);
    assert_eq!(searches(&here, ip(99)), Vec::<u64>::new());
    Ok(())
}

#[harness::test]
fn trap_answers_stop_when_the_host_dies() -> Result<()> {
    let rig = Rig::new()?;
    let daemon = Config::common().start(&rig.r)?;
    let (a, b) = (rig.left(10)?, rig.right(20)?);
    introduce(&b, &rig.r, "eth1")?;
    let wire = a.wire()?;
    assert!(wire.ask_one(&a.request(b.ip()), SOON).is_some());
    b.silence(true)?;
    let start = Instant::now();
    wait_until(SOON, "its route is withdrawn", || routed_by(&rig.r, b.ip()).is_none());
    // 400 ms of silence and five requests, 100 ms apart; the rest is for a machine with other work.
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
    wait_event(&daemon, "host_gone", |event| event["address"] == b.ip().to_string());
    assert_eq!(wire.ask(&a.request(b.ip()), A_WHILE), []);
    assert_eq!(rig.r.route_get(b.ip()), None, "nor is it sent anywhere else");
    Ok(())
}

#[harness::test]
fn trap_host_that_returns_is_answered_for_at_once() -> Result<()> {
    let rig = Rig::new()?;
    let _daemon = Config::common().start(&rig.r)?;
    let (a, b) = (rig.left(10)?, rig.right(20)?);
    introduce(&b, &rig.r, "eth1")?;
    b.silence(true)?;
    wait_until(SOON, "its route is withdrawn", || routed_by(&rig.r, b.ip()).is_none());
    let wire = a.wire()?;
    assert_eq!(wire.ask(&a.request(b.ip()), A_WHILE), []);
    b.silence(false)?;
    b.announce()?;
    wait_route(&rig.r, b.ip(), "eth1");
    let answer = wire.ask_one(&a.request(b.ip()), Duration::from_millis(500));
    assert!(answer.is_some(), "what was not found a moment ago is not remembered as missing");
    Ok(())
}

/// The same station seen here and there, as when the segments are joined by a loop.
#[harness::test]
fn trap_flapping_host_is_held_and_reported() -> Result<()> {
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
    let event = wait_event(&daemon, "host_flapping", |_| true);
    assert_eq!(event["address"], ip(60).to_string());
    let held = routed_by(&rig.r, ip(60));
    for wire in [&here, &there, &here, &there] {
        wire.send(&station)?;
        pass(A_WHILE / 4); // it would have moved by now
        assert_eq!(routed_by(&rig.r, ip(60)), held);
    }
    assert_eq!(events(&daemon, "host_flapping").len(), 1);
    Ok(())
}

/// Somebody scans the network, much quicker than hosts can be searched for.
#[harness::test]
fn trap_flood_of_unknown_targets_delays_no_answer_for_the_known() -> Result<()> {
    let rig = Rig::new()?;
    let daemon = Config::of("10.9.0.0/16").segment("eth0", &[]).segment("eth1", &[]).start(&rig.r)?;
    let (a, b, scanner) = (rig.left(10)?, rig.right(20)?, rig.left(66)?);
    introduce(&b, &rig.r, "eth1")?;
    let (sent, stop) = (Capture::start(&rig.r, "eth1")?, AtomicBool::new(false));
    let (wire, request) = (a.wire()?, a.request(b.ip()));
    thread::scope(|scope| {
        let scan = scope.spawn(|| scan(&scanner, &stop));
        let start = Instant::now();
        while start.elapsed() < Duration::from_millis(1500) {
            let answer = wire.ask_one(&request, Duration::from_millis(200));
            assert!(answer.is_some(), "a known host is not answered for");
            pass(Duration::from_millis(5));
        }
        stop.store(true, Ordering::Relaxed);
        scan.join().expect("the scan does not panic")
    })?;
    let search = |arp: &ArpFrame| arp.is_request() && arp.dst == Mac::BROADCAST;
    let searches = sent.arps().into_iter().filter(search).count();
    // Two thousand a second, and as many at once.
    assert!((2000..6000).contains(&searches), "{searches} searches");
    assert!(counter(&daemon, "eth0", "dropped") + counter(&daemon, "eth1", "dropped") > 0);
    Ok(())
}

fn scan(scanner: &Host, stop: &AtomicBool) -> Result<()> {
    let wire = scanner.wire()?;
    let mut targets = (u32::from(Ipv4Addr::new(10, 9, 1, 1))..).map(Ipv4Addr::from);
    while !stop.load(Ordering::Relaxed) {
        for target in targets.by_ref().take(20) {
            wire.send(&scanner.request(target))?;
        }
        pass(Duration::from_millis(1));
    }
    Ok(())
}
