//! Which rights it takes to load the program, and which to use it.

use std::thread;

use arpherd_actors::io::bpf::{FastAnswers, LoadError};
use arpherd_lab::{ArpFrame, Netns, Wire};
use rustix::thread::{CapabilitySet, CapabilitySets, set_capabilities};

use crate::rig::{ASKER, HERE, PROTOCOL, ROOM, TARGET, loaded, question, resident, subject};

/// Does the work in a thread with these rights alone.
fn with<T: Send>(rights: CapabilitySet, work: impl FnOnce() -> T + Send) -> T {
    let limited = || {
        let sets =
            CapabilitySets { effective: rights, permitted: rights, inheritable: CapabilitySet::empty() };
        set_capabilities(None, sets).unwrap();
        work()
    };
    thread::scope(|scope| scope.spawn(limited).join().unwrap())
}

#[harness::test]
fn two_rights_are_enough_to_load_it_and_neither_alone() {
    let load = || FastAnswers::load(ROOM, PROTOCOL).map(drop);
    with(CapabilitySet::BPF | CapabilitySet::NET_ADMIN, load).unwrap();
    for rights in [CapabilitySet::BPF, CapabilitySet::NET_ADMIN, CapabilitySet::empty()] {
        let refused = with(rights, load);
        assert!(matches!(refused, Err(LoadError::Forbidden(_))), "{rights:?}: {refused:?}");
    }
}

#[harness::test]
fn what_is_loaded_is_filled_and_attached_without_the_right_to_load() {
    let (router, far) = (Netns::new("router").unwrap(), Netns::new("far").unwrap());
    router.veth("lan0", &far, "far0").unwrap();
    router.up("lan0").unwrap();
    far.up("far0").unwrap();
    router.wait_ready("lan0").unwrap();
    far.wait_ready("far0").unwrap();
    let (index, own) = (router.index("lan0").unwrap(), router.mac("lan0").unwrap());
    let fast = loaded(index, own);
    let use_it = || {
        fast.remove_host(subject(TARGET.1)).unwrap();
        fast.put_host(subject(TARGET.1), &resident(TARGET.0, crate::rig::THERE)).unwrap();
        fast.vouch(std::time::Duration::from_secs(60)).unwrap();
        fast.attach(index).unwrap()
    };
    let _attachment = router.run(|| with(CapabilitySet::NET_ADMIN, use_it));
    let wire = Wire::open(&far, "far0").unwrap();
    let (answer, _) = wire.ask_one(&question(), std::time::Duration::from_secs(5)).expect("an answer");
    assert_eq!(answer, ArpFrame::reply(own, TARGET.1, ASKER.0, ASKER.1));
    assert_eq!(fast.answered(HERE).unwrap(), 1);
    assert!(with(CapabilitySet::NET_ADMIN, || fast.noticed(subject(ASKER.1))).unwrap().is_some());
}
