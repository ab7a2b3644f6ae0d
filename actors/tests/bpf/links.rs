//! Real links: where the program is attached, and for how long.

use std::time::Duration;

use arpherd_actors::io::bpf::FastAnswers;
use arpherd_actors::io::netlink::Reader;
use arpherd_lab::{ArpFrame, Mac, Netns, Wire};

use crate::rig::{ASKER, HERE, PROTOCOL, ROOM, TARGET, loaded, loaded_by, question};

const LIMIT: Duration = Duration::from_secs(5);
/// So long an answer is awaited that is not to come; those that come take microseconds.
const SILENCE: Duration = Duration::from_millis(300);

/// `router` has `lan0`, whose other end is `far0` in `far`, where the wire is.
struct Rig {
    router: Netns,
    far: Netns,
    wire: Wire,
}

impl Rig {
    fn new() -> Self {
        let (router, far) = (Netns::new("router").unwrap(), Netns::new("far").unwrap());
        let wire = Self::link(&router, &far);
        Self { router, far, wire }
    }

    fn link(router: &Netns, far: &Netns) -> Wire {
        router.veth("lan0", far, "far0").unwrap();
        router.up("lan0").unwrap();
        far.up("far0").unwrap();
        router.wait_ready("lan0").unwrap();
        far.wait_ready("far0").unwrap();
        Wire::open(far, "far0").unwrap()
    }

    fn index(&self) -> u32 {
        self.router.index("lan0").unwrap()
    }

    fn own(&self) -> Mac {
        self.router.mac("lan0").unwrap()
    }

    fn is_answered(&self) -> bool {
        let Some((answer, _)) = self.wire.ask_one(&question(), SILENCE) else { return false };
        let wanted = ArpFrame::reply(self.own(), TARGET.1, ASKER.0, ASKER.1);
        assert_eq!(answer, wanted);
        true
    }
}

#[harness::test]
fn an_attached_program_answers_on_the_wire_until_it_is_detached() {
    let rig = Rig::new();
    let fast = loaded(rig.index(), rig.own());
    assert!(!rig.is_answered(), "it is loaded and not attached");
    let attachment = rig.router.run(|| fast.attach(rig.index())).unwrap();
    assert!(rig.is_answered());
    assert_eq!(fast.answered(HERE).unwrap(), 1);
    drop(attachment);
    assert!(!rig.is_answered());
    let _attachment = rig.router.run(|| fast.attach(rig.index())).unwrap();
    assert!(rig.is_answered(), "attached anew");
}

#[harness::test]
fn a_filter_is_as_good_where_the_kernel_has_nothing_newer() {
    let rig = Rig::new();
    let fast = loaded(rig.index(), rig.own());
    for _ in 0..2 {
        let attachment = rig.router.run(|| fast.attach_by_filter(rig.index())).unwrap();
        assert!(rig.is_answered());
        drop(attachment);
        assert!(!rig.is_answered());
    }
    let attachment = rig.router.run(|| fast.attach_by_filter(rig.index())).unwrap();
    rig.router.delete("lan0").unwrap();
    drop(attachment);
}

#[harness::test]
fn a_filter_that_a_killed_run_left_falls_silent_and_the_next_takes_its_place() {
    let rig = Rig::new();
    let killed = loaded(rig.index(), rig.own());
    std::mem::forget(rig.router.run(|| killed.attach_by_filter(rig.index())).unwrap());
    assert!(rig.is_answered());
    killed.vouch(Duration::from_millis(100)).unwrap();
    drop(killed);
    arpherd_lab::wait_until(LIMIT, "it falls silent", || !rig.is_answered());
    let next = loaded(rig.index(), rig.own());
    let attachment = rig.router.run(|| next.attach_by_filter(rig.index())).unwrap();
    assert!(rig.is_answered());
    drop(attachment);
    assert!(!rig.is_answered(), "nothing is left");
}

/// They have different routing protocol numbers, or the second would not serve the interface.
#[harness::test]
fn two_daemons_have_a_filter_each_and_neither_takes_the_others_away() {
    let rig = Rig::new();
    for second_goes_first in [false, true] {
        let [first, second] = [169, 170].map(|protocol| loaded_by(protocol, rig.index(), rig.own()));
        let [before, after] =
            [&first, &second].map(|fast| rig.router.run(|| fast.attach_by_filter(rig.index())).unwrap());
        let listed = rig.router.run(|| Reader::open().unwrap().ingress_filters(rig.index())).unwrap();
        let names: Vec<_> =
            listed.iter().map(|filter| (filter.name.as_str(), filter.is_before_ours())).collect();
        assert_eq!(names, [("arpherd_answer", false)], "of one preference, and listed once");
        assert!(rig.is_answered());
        assert_eq!(first.answered(HERE).unwrap() + second.answered(HERE).unwrap(), 1, "once");
        let (leaving, staying, stays) =
            if second_goes_first { (after, before, &first) } else { (before, after, &second) };
        drop(leaving);
        let answered = stays.answered(HERE).unwrap();
        assert!(rig.is_answered());
        assert_eq!(stays.answered(HERE).unwrap(), answered + 1);
        drop(staying);
        assert!(!rig.is_answered());
    }
}

#[harness::test]
fn an_interface_that_is_not_there_is_an_error() {
    let rig = Rig::new();
    let fast = loaded(rig.index(), rig.own());
    let missing = rig.index() + 1000;
    let _ = rig.router.run(|| fast.attach(missing)).unwrap_err();
    let _ = rig.router.run(|| fast.attach_by_filter(missing)).unwrap_err();
}

#[harness::test]
fn a_question_in_a_vlan_is_not_the_parents() {
    let rig = Rig::new();
    let fast = loaded(rig.index(), rig.own());
    let _attachment = rig.router.run(|| fast.attach(rig.index())).unwrap();
    let mut tagged = question().encode().to_vec();
    // 802.1Q, VLAN 5: the kernel takes the tag off before the program sees the frame.
    tagged.splice(12..12, [0x81, 0, 0, 5]);
    rig.wire.send_raw(&tagged).unwrap();
    assert_eq!(rig.wire.recv(SILENCE), None);
    assert_eq!(fast.answered(HERE).unwrap(), 0);
    assert!(rig.is_answered());
}

#[harness::test]
fn programs_of_others_on_the_interface_go_on_beside_it() {
    let rig = Rig::new();
    let (first, second) = (loaded(rig.index(), rig.own()), loaded(rig.index(), rig.own()));
    let stranger = FastAnswers::load(ROOM, PROTOCOL).unwrap();
    let attach = |fast: &FastAnswers| rig.router.run(|| fast.attach(rig.index())).unwrap();
    let theirs = attach(&stranger);
    let before = attach(&first);
    let _after = attach(&second);
    assert!(rig.is_answered());
    if !theirs.ends_with_process() {
        // Before 6.6 all three are one filter of ours.
        assert_eq!((first.answered(HERE).unwrap(), second.answered(HERE).unwrap()), (0, 1));
        return;
    }
    assert_eq!((first.answered(HERE).unwrap(), second.answered(HERE).unwrap()), (1, 0), "one answer");
    drop(before);
    assert!(rig.is_answered());
    assert_eq!((first.answered(HERE).unwrap(), second.answered(HERE).unwrap()), (1, 1));
}

#[harness::test]
fn an_interface_that_is_made_again_is_another_place() {
    let mut rig = Rig::new();
    let fast = loaded(rig.index(), rig.own());
    let old = rig.index();
    let attachment = rig.router.run(|| fast.attach(old)).unwrap();
    assert!(rig.is_answered());
    rig.router.delete("lan0").unwrap();
    rig.wire = Rig::link(&rig.router, &rig.far);
    drop(attachment);
    fast.remove_link(old).unwrap();
    assert!(!rig.is_answered());
    fast.put_link(rig.index(), &crate::rig::place(rig.own())).unwrap();
    let _attachment = rig.router.run(|| fast.attach(rig.index())).unwrap();
    assert!(rig.is_answered());
}

#[harness::test]
fn a_storm_of_questions_is_answered_whole() {
    /// More than a packet socket of usual size holds.
    const QUESTIONS: u64 = 20_000;
    let rig = Rig::new();
    let fast = loaded(rig.index(), rig.own());
    let _attachment = rig.router.run(|| fast.attach(rig.index())).unwrap();
    for _ in 0..QUESTIONS {
        rig.wire.send(&question()).unwrap();
    }
    arpherd_lab::wait_until(LIMIT, "all are answered", || fast.answered(HERE).unwrap() == QUESTIONS);
}
