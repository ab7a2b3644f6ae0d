//! The program as an instance of the actors uses it: by writes of the ledger.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use arpherd_actors::fast_path::{FastPath, FastProgram};
use arpherd_actors::io::bpf::{FastAnswers, Hook, Room};
use arpherd_actors::io::netns::Netns as Served;
use arpherd_actors::io::{FastPlace, FastTable, Refusal};
use arpherd_core::{DomainId, LinkAddr, SegmentId, Write};
use arpherd_lab::{ArpFrame, Mac, Netns, Wire, wait_until};
use slog::{Discard, Logger, o};

use crate::rig::{ASKER, HERE, PROTOCOL, ROOM, TARGET, THERE, question};

const LIMIT: Duration = Duration::from_secs(5);
const DOMAIN: DomainId = DomainId(3);

fn log() -> Logger {
    Logger::root(Discard, o!())
}

/// A link whose one end is in the namespace that the tests run in, which is the daemon's own.
struct Rig {
    far: Netns,
    wire: Wire,
    name: &'static str,
}

impl Rig {
    fn new(name: &'static str) -> Self {
        let far = Netns::new("far").unwrap();
        let wire = link(name, &far);
        Self { far, wire, name }
    }

    fn own(&self) -> Netns {
        Netns::current().unwrap()
    }

    fn index(&self) -> u32 {
        self.own().index(self.name).unwrap()
    }

    fn mac(&self) -> Mac {
        self.own().mac(self.name).unwrap()
    }

    fn link(&self) -> Write {
        let lladdr = LinkAddr::ethernet(self.mac().0);
        Write::PutFastLink { interface: self.index(), domain: DOMAIN, segment: HERE, lladdr }
    }

    fn answer(&self) -> Option<Mac> {
        let (answer, _) = self.wire.ask_one(&question(), Duration::from_millis(100))?;
        assert_eq!(answer, ArpFrame::reply(answer.sha, TARGET.1, ASKER.0, ASKER.1));
        Some(answer.sha)
    }

    fn is_answered(&self) -> bool {
        self.answer().is_some()
    }
}

fn link(name: &str, far: &Netns) -> Wire {
    let own = Netns::current().unwrap();
    own.veth(name, far, "far0").unwrap();
    own.up(name).unwrap();
    far.up("far0").unwrap();
    own.wait_ready(name).unwrap();
    far.wait_ready("far0").unwrap();
    Wire::open(far, "far0").unwrap()
}

fn host((mac, address): (Mac, Ipv4Addr), segment: SegmentId) -> Write {
    let lladdr = LinkAddr::ethernet(mac.0);
    Write::PutFastAnswer { domain: DOMAIN, address, segment, lladdr, answered_for: true }
}

fn program() -> Arc<FastProgram> {
    program_for(ROOM)
}

fn program_for(room: Room) -> Arc<FastProgram> {
    let answers = Arc::new(FastAnswers::load(room, PROTOCOL).unwrap());
    Arc::new(FastProgram::new(answers, Served::own(), log()))
}

fn write(path: &mut FastPath, writes: &[Write]) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    path.write(writes, &mut refusals);
    refusals
}

#[harness::test]
fn what_the_ledger_wants_is_answered_as_long_as_it_does() {
    let rig = Rig::new("path0");
    let program = program();
    let mut path = FastPath::new(Arc::clone(&program), log());
    let all = [rig.link(), host(ASKER, HERE), host(TARGET, THERE)];
    assert_eq!(write(&mut path, &all), []);
    assert_eq!(path.place(HERE), FastPlace::Waiting, "not at once");
    wait_until(LIMIT, "it is attached", || path.place(HERE) != FastPlace::Waiting);
    assert!(rig.is_answered());
    assert_eq!((path.answered(HERE), path.answered(THERE)), (1, 0));
    assert!(path.heard(DOMAIN, ASKER.1).is_some_and(|since| since < LIMIT));
    let gone = Write::DeleteFastAnswer { domain: DOMAIN, address: TARGET.1 };
    assert_eq!(write(&mut path, &[gone, gone]), []);
    assert!(!rig.is_answered());
    assert_eq!(write(&mut path, &[host(TARGET, THERE)]), []);
    assert!(rig.is_answered());
    // The next instance finds nothing of the one before, and the program in its place.
    drop(path);
    assert!(!rig.is_answered());
    let mut next = FastPath::new(Arc::clone(&program), log());
    assert_eq!(next.answered(HERE), 0);
    assert_eq!(write(&mut next, &all), []);
    wait_until(LIMIT, "it is attached again", || rig.is_answered());
    program.detach();
    assert!(!rig.is_answered());
}

#[harness::test]
fn it_falls_silent_when_nobody_vouches_for_it_any_more() {
    let rig = Rig::new("path1");
    let mut path = FastPath::new(program(), log());
    assert_eq!(write(&mut path, &[rig.link(), host(ASKER, HERE), host(TARGET, THERE)]), []);
    wait_until(LIMIT, "it answers", || rig.is_answered());
    path.vouch();
    assert!(rig.is_answered());
    let start = std::time::Instant::now();
    wait_until(LIMIT, "it falls silent", || !rig.is_answered());
    assert!(start.elapsed() < Duration::from_millis(1700), "{:?}", start.elapsed());
    path.vouch();
    assert!(rig.is_answered());
}

#[harness::test]
fn a_new_address_counts_at_once_and_an_interface_that_is_made_again_within_a_second() {
    let mut rig = Rig::new("path2");
    let mut path = FastPath::new(program(), log());
    let hosts = [host(ASKER, HERE), host(TARGET, THERE)];
    assert_eq!(write(&mut path, &[&[rig.link()], &hosts[..]].concat()), []);
    wait_until(LIMIT, "it answers", || rig.is_answered());
    let Write::PutFastLink { interface, domain, segment, .. } = rig.link() else { panic!("a link") };
    let other = Mac([2, 0, 0, 0, 9, 9]);
    let moved = Write::PutFastLink { interface, domain, segment, lladdr: LinkAddr::ethernet(other.0) };
    assert_eq!(write(&mut path, &[moved]), []);
    assert_eq!(rig.answer(), Some(other));
    rig.own().delete(rig.name).unwrap();
    assert_eq!(write(&mut path, &[Write::DeleteFastLink { interface }]), []);
    assert_eq!(path.place(HERE), FastPlace::Nowhere);
    rig.wire = link(rig.name, &rig.far);
    assert_eq!(write(&mut path, &[rig.link()]), []);
    let start = std::time::Instant::now();
    wait_until(LIMIT, "it answers again", || rig.is_answered());
    assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
}

#[harness::test]
fn those_without_room_are_refused_and_the_first_ones_answered_for() {
    let mut path = FastPath::new(program(), log());
    let address = |number: u8| (Mac([2, 0, 0, 0, 1, number]), Ipv4Addr::new(10, 9, 1, number));
    let room = u8::try_from(ROOM.hosts).unwrap();
    let hosts: Vec<_> = (0..room + 2).map(|number| host(address(number), THERE)).collect();
    let refused = write(&mut path, &hosts);
    assert_eq!(refused.len(), 2, "{refused:?}");
    assert!(refused.iter().all(|it| it.errno == 7 && hosts.contains(&it.write)), "{refused:?}");
}

#[harness::test]
fn beyond_the_first_interfaces_it_is_attached_by_a_filter() {
    const INTERFACES: u16 = 34;
    let own = Netns::current().unwrap();
    let program = program_for(Room { segments: 64, ..ROOM });
    let mut path = FastPath::new(Arc::clone(&program), log());
    let link = |number: u16| {
        let name = format!("many{number}");
        own.dummy(&name).unwrap();
        own.up(&name).unwrap();
        let (interface, lladdr) = (own.index(&name).unwrap(), LinkAddr::ethernet([2, 0, 0, 0, 0, 1]));
        Write::PutFastLink { interface, domain: DOMAIN, segment: SegmentId(number), lladdr }
    };
    let links: Vec<_> = (0..INTERFACES).map(link).collect();
    assert_eq!(write(&mut path, &links), []);
    let has =
        |hook| (0..INTERFACES).filter(|number| path.place(SegmentId(*number)) == FastPlace::At(hook)).count();
    wait_until(LIMIT, "all are attached", || has(Hook::Tcx) + has(Hook::Clsact) == usize::from(INTERFACES));
    // Before Linux 6.6 there is only the second.
    assert!(matches!((has(Hook::Tcx), has(Hook::Clsact)), (32, 2) | (0, 34)), "{}", has(Hook::Tcx));
    let start = std::time::Instant::now();
    program.detach();
    assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
}
