//! Frames: asked, answered, recorded.

use std::net::Ipv4Addr;
use std::time::Duration;

use arpherd_lab::{ArpFrame, Capture, Crowd, Mac, Netns, PacketType, Result, Segment, Wire, monotonic_ns};

use crate::judge::pair;

const SECOND: Duration = Duration::from_secs(1);
const SHORT: Duration = Duration::from_millis(100);

fn ip(last: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 20, 0, last)
}

#[harness::test]
fn a_slow_link_takes_its_time() -> Result<()> {
    let (_segment, a, b) = pair(28)?;
    a.ns.limit_rate("eth0", 2_000_000)?;
    let heard = Capture::start(&b.ns, "eth0")?;
    let (wire, mut frame) = (a.wire()?, ArpFrame::probe(a.mac(), ip(77)).encode().to_vec());
    frame.resize(1500, 0);
    for _ in 0..10 {
        wire.send_raw(&frame)?;
    }
    let mut stamps = Vec::new();
    let all_came = heard.wait_for(
        |frame| {
            stamps.extend(frame.arp().map(|_| frame.ts_ns));
            stamps.len() == 10
        },
        5 * SECOND,
    );
    assert!(all_came.is_some(), "{stamps:?}");
    // 15,000 octets, two frames' worth of which pass at once, at 250 octets a millisecond.
    let took = Duration::from_nanos(stamps[9] - stamps[0]);
    assert!(took > Duration::from_millis(40), "{took:?}");
    Ok(())
}

#[harness::test]
fn frames_are_read_as_they_were_written() -> Result<()> {
    let (a, b) = (Mac([2, 0, 0, 0, 0, 1]), Mac([2, 0, 0, 0, 0, 2]));
    for frame in [
        ArpFrame::request(a, ip(1), ip(2)),
        ArpFrame::request(a, ip(1), ip(2)).unicast_to(b),
        ArpFrame::reply(a, ip(1), b, ip(2)),
        ArpFrame::gratuitous(a, ip(1)),
        ArpFrame::gratuitous_reply(a, ip(1)),
        ArpFrame::probe(a, ip(2)),
    ] {
        let mut octets = frame.encode().to_vec();
        assert_eq!(ArpFrame::decode(&octets), Some(frame));
        octets.resize(60, 0xaa);
        assert_eq!(ArpFrame::decode(&octets), Some(frame), "padding does not count");
    }
    // RFC 826 by hand: who has 10.20.0.2, tell 10.20.0.1.
    let by_hand = [
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 1, 8, 6, 0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 1,
        10, 20, 0, 1, 0, 0, 0, 0, 0, 0, 10, 20, 0, 2,
    ];
    assert_eq!(ArpFrame::request(a, ip(1), ip(2)).encode(), by_hand);
    Ok(())
}

#[harness::test]
fn odd_frames_are_not_arp() -> Result<()> {
    let frame = ArpFrame::probe(Mac::BROADCAST, ip(2)).encode();
    for (at, value) in [(12, 9), (13, 0), (15, 6), (16, 9), (18, 8), (19, 6), (20, 1), (21, 3), (21, 0)] {
        let mut odd = frame;
        odd[at] = value;
        assert_eq!(ArpFrame::decode(&odd), None, "octet {at} = {value}");
    }
    assert_eq!(ArpFrame::decode(&frame[..41]), None);
    assert_eq!(ArpFrame::decode(&[]), None);
    Ok(())
}

#[harness::test]
fn a_kernel_host_answers_once() -> Result<()> {
    let (_segment, a, b) = pair(21)?;
    let wire = a.wire()?;
    let request = a.request(b.ip());
    let expected = ArpFrame::reply(b.mac(), b.ip(), a.mac(), a.ip());
    assert_eq!(wire.ask(&request, SHORT), [expected]);
    let (answer, took) = wire.ask_one(&request.unicast_to(b.mac()), SECOND).expect("an answer");
    assert_eq!(answer, expected);
    assert!(took > Duration::ZERO && took < SHORT, "{took:?}");
    assert_eq!(wire.ask_one(&a.request(Ipv4Addr::new(10, 21, 0, 9)), SHORT), None);
    Ok(())
}

#[harness::test]
fn a_kernel_host_defends_its_address() -> Result<()> {
    let (_segment, a, b) = pair(22)?;
    let answers = a.wire()?.ask(&ArpFrame::probe(a.mac(), b.ip()), SHORT);
    assert_eq!(answers.len(), 1);
    assert_eq!((answers[0].sha, answers[0].tha), (b.mac(), a.mac()));
    assert_eq!(a.wire()?.ask(&ArpFrame::gratuitous(a.mac(), a.ip()), SHORT), []);
    Ok(())
}

#[harness::test]
fn a_capture_has_both_directions_without_promiscuity() -> Result<()> {
    let (_segment, a, b) = pair(23)?;
    let capture = Capture::start(&a.ns, &a.ifname)?;
    let before = monotonic_ns();
    assert_eq!(a.ns.ping(b.ip(), 1, SECOND, SECOND).received, 1);
    let arps = capture.arps();
    let request = a.request(b.ip());
    assert_eq!(arps[..2], [request, ArpFrame::reply(b.mac(), b.ip(), a.mac(), a.ip())]);
    let frames = capture.frames();
    assert!(frames.iter().all(|frame| before <= frame.ts_ns && frame.ts_ns <= monotonic_ns()), "{frames:?}");
    assert!(frames.windows(2).all(|two| two[0].ts_ns <= two[1].ts_ns));
    assert_eq!((frames[0].kind, frames[0].outgoing()), (PacketType::Outgoing, true));
    assert_eq!((frames[1].kind, frames[1].arp()), (PacketType::Host, Some(arps[1])));
    assert_eq!(a.ns.link_info(&a.ifname)?.promiscuity, 0);
    assert_eq!(capture.dropped(), 0);
    let echo = |frame: &arpherd_lab::Captured| frame.bytes[12..14] == [8, 0];
    assert!(capture.wait_for(echo, SECOND).is_some());
    capture.clear();
    b.announce()?;
    let heard =
        capture.wait_for(|frame| frame.kind == PacketType::Broadcast, SECOND).expect("the announcement");
    assert_eq!(heard.arp(), Some(ArpFrame::gratuitous(b.mac(), b.ip())));
    assert_eq!(capture.stop().iter().filter(|frame| frame.arp().is_some()).count(), 1);
    Ok(())
}

/// A crowd of `count` on one end of a cable, and a wire on the other.
fn crowd(count: u32) -> Result<(Netns, Crowd, Wire)> {
    let (near, far) = (Netns::new("near")?, Netns::new("far")?);
    near.veth("eth0", &far, "eth0")?;
    for end in [&near, &far] {
        end.up("eth0")?;
    }
    for end in [&near, &far] {
        end.wait_ready("eth0")?;
    }
    let hosts = (1..=count).map(host).collect();
    let crowd = Crowd::start(&far, "eth0", hosts)?;
    let wire = Wire::open(&near, "eth0")?;
    Ok((near, crowd, wire))
}

fn host(number: u32) -> Ipv4Addr {
    Ipv4Addr::from(u32::from(Ipv4Addr::new(10, 30, 0, 0)) + number)
}

const REQUESTER: Mac = Mac([2, 0, 0, 0, 0, 0xaa]);

fn request(target: Ipv4Addr) -> ArpFrame {
    ArpFrame::request(REQUESTER, host(0xfffe), target)
}

#[harness::test]
fn a_crowd_answers_with_distinct_addresses() -> Result<()> {
    let (_near, crowd, wire) = crowd(3)?;
    for number in 1..=3 {
        let target = host(number);
        let mac = Mac::of_crowd(target);
        let expected = ArpFrame::reply(mac, target, REQUESTER, host(0xfffe));
        assert_eq!(wire.ask(&request(target), SHORT), [expected]);
        assert_eq!(wire.ask(&request(target).unicast_to(mac), SHORT), [expected]);
    }
    let other = request(host(1)).unicast_to(Mac::of_crowd(host(2)));
    assert!(wire.ask(&other, SHORT).is_empty(), "a unicast request is for its receiver only");
    assert!(wire.ask(&request(host(4)), SHORT).is_empty());
    let seen = crowd.requests_seen();
    assert_eq!(seen.len(), 8);
    assert_eq!((seen[1].target, seen[1].unicast, seen[1].requester_mac), (host(1), true, REQUESTER));
    crowd.clear_requests();
    assert_eq!(crowd.requests_count(), 0);
    Ok(())
}

#[harness::test]
fn a_silent_crowd_does_not_answer() -> Result<()> {
    let (_near, crowd, wire) = crowd(2)?;
    crowd.silence(host(1));
    assert_eq!(wire.ask_one(&request(host(1)), SHORT), None);
    assert!(wire.ask_one(&request(host(2)), SECOND).is_some());
    crowd.silence_all();
    assert_eq!(wire.ask_one(&request(host(2)), SHORT), None);
    crowd.wake(host(1));
    assert!(wire.ask_one(&request(host(1)), SECOND).is_some());
    Ok(())
}

#[harness::test]
fn a_crowd_speaks() -> Result<()> {
    let (_near, crowd, wire) = crowd(2)?;
    let said = crowd.speak(host(1))?;
    let (frame, heard) = wire.recv(SECOND).expect("the announcement");
    assert_eq!(frame, ArpFrame::gratuitous(Mac::of_crowd(host(1)), host(1)));
    assert!(said <= heard);
    crowd.ask(host(1), host(2))?;
    assert_eq!(wire.recv(SECOND).map(|(frame, _)| frame.tpa), Some(host(2)));
    Ok(())
}

#[harness::test]
fn a_slow_crowd_counts_what_waits() -> Result<()> {
    let (_near, crowd, wire) = crowd(50)?;
    crowd.delay(SHORT);
    for number in 1..=50 {
        wire.send(&request(host(number)))?;
    }
    let (_, took) = wire.ask_one(&request(host(7)), SECOND).expect("an answer");
    // The first answer to 7 is to the earlier request.
    assert!(took > SHORT / 2 && took < SHORT * 3, "{took:?}");
    assert!((50..=51).contains(&crowd.max_outstanding()), "{}", crowd.max_outstanding());
    Ok(())
}

#[harness::test]
fn a_crowd_keeps_up_with_a_sweep() -> Result<()> {
    let (_near, crowd, wire) = crowd(5000)?;
    // Bursts with an answer awaited after each: small socket buffers of ordinary users hold them.
    let mut answered = 0;
    for first in (1..=5000).step_by(100) {
        for number in first..first + 100 {
            wire.send(&request(host(number)))?;
        }
        while answered < first + 99 && wire.recv(SECOND).is_some() {
            answered += 1;
        }
    }
    assert_eq!((answered, crowd.requests_count(), crowd.dropped()), (5000, 5000, 0));
    Ok(())
}

#[harness::test]
fn a_wire_outlives_a_link_that_was_down() -> Result<()> {
    let segment = Segment::new("lan")?;
    let ns = Netns::new("far")?;
    segment.plug(&ns, "eth0")?;
    let crowd = Crowd::start(&ns, "eth0", vec![host(1)])?;
    let near = Netns::new("near")?;
    segment.plug(&near, "eth0")?;
    let wire = Wire::open(&near, "eth0")?;
    assert!(wire.ask_one(&request(host(1)), SECOND).is_some());
    for link in [&ns, &near] {
        link.down("eth0")?;
        link.up("eth0")?;
    }
    // The bridge forwards again once it knows of the carrier.
    let answered = || wire.ask_one(&request(host(1)), SHORT).is_some();
    arpherd_lab::wait_until(3 * SECOND, "an answer after the links came back", answered);
    drop(crowd);
    Ok(())
}
