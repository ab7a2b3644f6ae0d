//! The mark of every request of ours: there for other arpherds to see, and in no answer.

use arpherd_lab::{Capture, Captured, Result, wait_until};

use crate::rig::{Config, Rig, SOON, introduce, ip};

/// Octets of an Ethernet header and an ARP packet; the mark stands behind them.
const BEHIND: usize = 14 + 28;

/// The mark of a request that came in, if it has one.
fn mark(frame: &Captured) -> Option<Vec<u8>> {
    let request = !frame.outgoing() && frame.arp().is_some_and(|arp| arp.is_request());
    let behind = frame.bytes.get(BEHIND..).filter(|_| request)?;
    behind.starts_with(b"ARPH").then(|| behind[..14].to_vec())
}

#[harness::test]
fn questions_bear_a_mark_that_is_another_on_each_segment_and_after_each_start() -> Result<()> {
    let rig = Rig::new()?;
    let hosts = [rig.left(10)?, rig.right(20)?];
    let mut marks = Vec::new();
    for _ in 0..2 {
        let captures = [
            Capture::start(&hosts[0].ns, &hosts[0].ifname)?,
            Capture::start(&hosts[1].ns, &hosts[1].ifname)?,
        ];
        let daemon = Config::common_with(&[("sweep", "{ rate: 2000 }")]).start(&rig.r)?;
        for (segment, capture) in captures.iter().enumerate() {
            let swept = || capture.frames().iter().filter_map(mark).collect::<Vec<_>>();
            wait_until(SOON, "a whole sweep", || swept().len() >= 200);
            let mut seen = swept();
            seen.dedup();
            assert_eq!(seen.len(), 1, "one mark for all: {seen:?}");
            assert_eq!(usize::from(seen[0][13]), segment, "it ends in the segment's number");
            marks.push(seen.remove(0));
            let ours =
                |frame: &Captured| !frame.outgoing() && frame.arp().is_some_and(|arp| arp.is_request());
            assert!(capture.frames().iter().filter(|frame| ours(frame)).all(|frame| mark(frame).is_some()));
        }
        drop(daemon);
    }
    marks.sort_unstable();
    marks.dedup_by_key(|mark| mark[4..12].to_vec());
    assert_eq!(marks.len(), 4, "{marks:?}");
    Ok(())
}

#[harness::test]
fn answers_bear_no_mark() -> Result<()> {
    let rig = Rig::new()?;
    let (requester, target) = (rig.left(10)?, rig.right(20)?);
    let _daemon = Config::common().start(&rig.r)?;
    introduce(&target, &rig.r, "eth1")?;
    let capture = Capture::start(&requester.ns, &requester.ifname)?;
    // Whoever answers from the request's own buffer would send back what stood behind it.
    let mut request = requester.request(ip(20)).encode().to_vec();
    request.extend(b"ARPHarpherd!??");
    requester.wire()?.send_raw(&request)?;
    let answer = capture.wait_for(|frame| frame.arp().is_some_and(|arp| arp.is_reply()), SOON);
    let answer = answer.expect("an answer, for a peer asks as well as any");
    assert!(answer.bytes[BEHIND..].iter().all(|octet| *octet == 0), "{:?}", answer.bytes);
    Ok(())
}
