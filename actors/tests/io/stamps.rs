//! Frames come with the time at which the kernel received them.

use arpherd_actors::io::{FramePort, Stamp, Tally};
use arpherd_lab::{ArpFrame, Mac};

use crate::packets::{FAR, port};
use crate::rig::{HOST, OWN};

#[harness::test]
fn frames_come_with_the_time_of_their_receipt_where_that_is_asked_for() {
    let (_rig, mut port, wire) = port();
    let mut tally = Tally::default();
    let mut question = ArpFrame::request(FAR, HOST, OWN);
    for (stamping, count) in [(false, 0), (true, 2), (false, 0)] {
        port.set_stamping(stamping).unwrap();
        let before = Stamp::now();
        wire.send(&question).unwrap();
        // Its sender is a group address: read, but not heard, and not stamped.
        let sender = std::mem::replace(&mut question.sha, Mac::BROADCAST);
        wire.send(&question).unwrap();
        question.sha = sender;
        wire.send(&question).unwrap();
        let mut heard = Vec::new();
        let mut stamps = Vec::new();
        while heard.len() < 2 {
            port.receive(&mut heard, &mut tally).unwrap();
            stamps.extend(port.take_stamps());
        }
        assert_eq!(stamps.len(), count);
        assert!(stamps.iter().all(|stamp| *stamp >= before && *stamp <= Stamp::now()), "{stamps:?}");
    }
}
