//! The program that answers requests at a link's ingress.
//!
//! It answers where nothing is to be decided: a known host asks for a known host of another segment, each with nothing
//! unusual about it. All else goes on as if there were no program: to other programs, to the kernel, and so to the daemon.
//!
//! ```text
//! ARP without a VLAN tag, to this station or to all ─ else on
//! request for IPv4 over Ethernet, no mark behind it ─ else on
//! not answered already by another program of ours   ─ else on
//! frame's source = ARP sender                       ─ else on
//! sender not 0.0.0.0 (probe), not the target (claim)─ else on
//! the interface is in `links`                       ─ else on
//! target in `hosts`, answered for, on another segment, with another link-layer address than the sender ─ else on
//! sender in `hosts`, on this segment, with this link-layer address ─ else on
//! the daemon lives (`alive`)                        ─ else on
//! → count it, stamp the asker, turn request into reply, send it back
//! ```
//! Of each asker, and for each target that asked nothing itself for [`SILENCE`], one question in a turn of some two seconds
//! ([`TURN`]) goes on besides, with [`ANSWERED`] in it: so the daemon hears who asks whom, and asks those who are wanted and
//! silent. Turns are the same for all hosts: under load what goes on comes together, which costs the daemon a fraction.
//!
//! Of a packet it reads only `__sk_buff` fields that every kernel has had since 4.7, and calls no function that asks for a
//! program under the GPL.
//!
//! # Races
//! An element that is taken out of a hash map may hold another key's value at once, while a program on another processor
//! still reads it. What is at stake is one answer given, or one stamp set, as if it had been some hundred nanoseconds
//! earlier; for a stamp that a host gets in another's place the next silence of that host is found one period later.

mod layout;

use super::assembler::Register::{R0, R1, R2, R3, R6, R7, R8, R9, R10};
use super::assembler::Width::{Double, Half, Word};
use super::assembler::{Assembler, AssemblyError, Helper, If, Instruction, Label, Register};
use crate::io::mark::ANSWERED;
use layout::{frame, packet, stack};
pub(super) use layout::{host, link};

/// The maps, by their descriptors.
#[derive(Debug, Clone, Copy)]
pub(super) struct Maps {
    pub(super) links: i32,
    pub(super) hosts: i32,
    /// One number, `CLOCK_MONOTONIC` in nanoseconds: until when the daemon vouches for the rest.
    pub(super) alive: i32,
    /// For each segment, how many requests were answered on it.
    pub(super) answered: i32,
}

/// The key of a host: one number, for the verifier before 6.7 or so lets a program without `CAP_PERFMON` write eight octets
/// of its stack only at once. `address` is as it stands in a packet.
pub(super) fn key(domain: u32, address: [u8; 4]) -> [u8; 8] {
    (u64::from(u32::from_ne_bytes(address)) << 32 | u64::from(domain)).to_ne_bytes()
}

/// What the program returns for what others are to see (`TCX_NEXT`, `TC_ACT_UNSPEC`).
pub(super) const ON: i32 = -1;

/// Bits of a moment in nanoseconds that do not tell one turn from the next: a turn takes 2.15 s. The ledger asks a host that
/// is wanted after it was silent for five seconds: of a conversation that goes on it learns a turn after that at the latest.
const TURN: i32 = 31;
/// After this time, in nanoseconds, the ledger asks a silent host that is wanted: as an instruction can add it.
const SILENCE: [i32; 3] = [2_000_000_000, 2_000_000_000, 1_000_000_000];

/// The program over these maps.
pub(super) fn program(maps: &Maps) -> Result<Vec<Instruction>, AssemblyError> {
    let mut it = Assembler::default();
    let on = it.label();
    let asm = &mut it;

    asm.copy(R6, R1);
    is_plain_request(asm, on);
    // R9: the link. R8, at last: who asks.
    asm.load(Word, R2, R6, packet::INTERFACE);
    asm.store(Word, R10, stack::KEY, R2);
    look_up(asm, maps.links, stack::KEY, R9, on);
    is_for_a_known_host(asm, maps, on);
    is_from_a_known_host(asm, maps, on);
    is_vouched_for(asm, maps, on);
    count(asm, maps, on);
    let alone = asm.label();
    stamp(asm, alone);
    answer_and_pass_on(asm, on);

    asm.place(alone);
    reply(asm);
    asm.load(Word, R1, R6, packet::INTERFACE);
    asm.set(R2, 0);
    asm.call(Helper::Redirect);
    asm.exit();

    asm.place(on);
    asm.set(R0, ON);
    asm.exit();
    it.assemble()
}

/// Goes on only with a request that any host may send. R7 points to the frame then, of which [`frame::END`] octets exist.
fn is_plain_request(asm: &mut Assembler, on: Label) {
    asm.load(Word, R2, R6, packet::PROTOCOL);
    asm.jump(If::NotEqual, R2, i32::from(u16::from_ne_bytes(frame::PROTOCOL)), on);
    asm.load(Word, R2, R6, packet::VLAN_PRESENT);
    asm.jump(If::NotEqual, R2, 0, on);
    asm.load(Word, R2, R6, packet::KIND);
    asm.jump(If::Greater, R2, packet::LAST_FOR_US, on);
    asm.load(Word, R7, R6, packet::START);
    asm.load(Word, R8, R6, packet::END);
    asm.copy(R2, R7);
    asm.add(R2, i32::from(frame::END));
    asm.jump(If::Greater, R2, R8, on);

    // The daemon judges marks, see `io::mark`.
    let unmarked = asm.label();
    asm.add(R2, 4);
    asm.jump(If::Greater, R2, R8, unmarked);
    asm.load(Word, R2, R7, frame::END);
    asm.constant(R3, u32::from_ne_bytes(crate::io::mark::MAGIC).into());
    asm.jump(If::Equal, R2, R3, on);
    asm.place(unmarked);

    asm.load(Double, R2, R7, frame::HEADER);
    asm.constant(R3, u64::from_ne_bytes(frame::REQUEST));
    asm.jump(If::NotEqual, R2, R3, on);
    let unanswered = asm.label();
    let (first, last) = answered_mark();
    asm.load(Word, R2, R7, frame::TARGET_LLADDR);
    asm.constant(R3, first.cast_unsigned().into());
    asm.jump(If::NotEqual, R2, R3, unanswered);
    asm.load(Half, R2, R7, frame::TARGET_LLADDR + 4);
    asm.jump(If::Equal, R2, last, on);
    asm.place(unanswered);
    unless_same_lladdr(asm, (R7, frame::FROM), (R7, frame::SENDER_LLADDR), on);
    asm.load(Word, R2, R7, frame::SENDER);
    asm.jump(If::Equal, R2, 0, on);
    asm.load(Word, R3, R7, frame::TARGET);
    asm.jump(If::Equal, R2, R3, on);
}

fn is_for_a_known_host(asm: &mut Assembler, maps: &Maps, on: Label) {
    look_up_host(asm, maps, frame::TARGET, on);
    asm.load(Word, R2, R8, at(host::FLAGS));
    asm.and(R2, host::ANSWERED_FOR);
    asm.jump(If::Equal, R2, 0, on);
    asm.load(Word, R2, R8, at(host::SEGMENT));
    asm.load(Word, R3, R9, at(link::SEGMENT));
    asm.jump(If::Equal, R2, R3, on);
    let differs = asm.label();
    unless_same_lladdr(asm, (R8, at(host::LLADDR)), (R7, frame::SENDER_LLADDR), differs);
    // A host with both addresses, which hears its own question.
    asm.go(on);
    asm.place(differs);
    asm.store(Double, R10, stack::TARGET, R8);
}

fn is_from_a_known_host(asm: &mut Assembler, maps: &Maps, on: Label) {
    look_up_host(asm, maps, frame::SENDER, on);
    asm.load(Word, R2, R8, at(host::SEGMENT));
    asm.load(Word, R3, R9, at(link::SEGMENT));
    asm.jump(If::NotEqual, R2, R3, on);
    unless_same_lladdr(asm, (R8, at(host::LLADDR)), (R7, frame::SENDER_LLADDR), on);
}

fn is_vouched_for(asm: &mut Assembler, maps: &Maps, on: Label) {
    asm.call(Helper::Time);
    asm.store(Double, R10, stack::NOW, R0);
    asm.set(R2, 0);
    asm.store(Word, R10, stack::KEY, R2);
    look_up(asm, maps.alive, stack::KEY, R0, on);
    asm.load(Double, R3, R0, 0);
    asm.load(Double, R2, R10, stack::NOW);
    asm.jump(If::AtLeast, R2, R3, on);
}

fn count(asm: &mut Assembler, maps: &Maps, on: Label) {
    asm.load(Word, R2, R9, at(link::SEGMENT));
    asm.store(Word, R10, stack::KEY, R2);
    look_up(asm, maps.answered, stack::KEY, R0, on);
    asm.set(R1, 1);
    asm.add_to_memory(R0, 0, R1);
}

/// The asker is heard. Jumps if the daemon need not hear of it.
fn stamp(asm: &mut Assembler, alone: Label) {
    let pass_on = asm.label();
    asm.load(Double, R1, R10, stack::NOW);
    asm.store(Double, R8, at(host::HEARD), R1);
    asm.load(Double, R3, R10, stack::TARGET);
    unless_this_turn(asm, (R8, at(host::PASSED_ON)), pass_on);
    // Not if the target was heard lately.
    asm.load(Double, R2, R3, at(host::HEARD));
    SILENCE.into_iter().for_each(|part| asm.add(R2, part));
    asm.jump(If::Greater, R2, R1, alone);
    unless_this_turn(asm, (R3, at(host::PASSED_ON)), pass_on);
    asm.go(alone);
    asm.place(pass_on);
    asm.store(Double, R8, at(host::PASSED_ON), R1);
    asm.store(Double, R3, at(host::PASSED_ON), R1);
}

/// Jumps if the moment behind the pointer was in another turn. R1: now.
fn unless_this_turn(asm: &mut Assembler, stamp: Place, otherwise: Label) {
    asm.load(Double, R2, stamp.0, stamp.1);
    asm.shift_right(R2, TURN);
    asm.copy(R0, R1);
    asm.shift_right(R0, TURN);
    asm.jump(If::NotEqual, R2, R0, otherwise);
}

/// Sends the reply by a copy of the packet, and makes this one the request again.
fn answer_and_pass_on(asm: &mut Assembler, on: Label) {
    for (width, further, kept) in [(Word, 0, stack::TO[0]), (Half, 4, stack::TO[1])] {
        asm.load(width, R2, R7, frame::TO + further);
        asm.store(Double, R10, kept, R2);
    }
    reply(asm);
    asm.copy(R1, R6);
    asm.load(Word, R2, R6, packet::INTERFACE);
    asm.set(R3, 0);
    asm.call(Helper::CloneRedirect);
    // The packet may lie elsewhere now.
    asm.load(Word, R7, R6, packet::START);
    asm.load(Word, R3, R6, packet::END);
    asm.copy(R2, R7);
    asm.add(R2, i32::from(frame::END));
    asm.jump(If::Greater, R2, R3, on);
    for (width, further, kept) in [(Word, 0, stack::TO[0]), (Half, 4, stack::TO[1])] {
        asm.load(Double, R2, R10, kept);
        asm.store(width, R7, frame::TO + further, R2);
    }
    let asker = (R7, frame::TARGET_LLADDR);
    copy_lladdr(asm, asker, (R7, frame::FROM));
    copy_lladdr(asm, asker, (R7, frame::SENDER_LLADDR));
    turn(asm, frame::REQUEST_AGAIN);
    // What was not sent the daemon answers.
    asm.jump(If::NotEqual, R0, 0, on);
    let (first, last) = answered_mark();
    asm.set(R2, first);
    asm.store(Word, R7, frame::TARGET_LLADDR, R2);
    asm.set(R2, last);
    asm.store(Half, R7, frame::TARGET_LLADDR + 4, R2);
    asm.go(on);
}

/// As it is loaded: four octets and two.
fn answered_mark() -> (i32, i32) {
    let [a, b, c, d, e, f] = ANSWERED;
    (i32::from_ne_bytes([a, b, c, d]), u16::from_ne_bytes([e, f]).into())
}

/// Turns the request into the reply, in its place. What stands behind the packet goes back to who sent it.
fn reply(asm: &mut Assembler) {
    let asker = (R7, frame::SENDER_LLADDR);
    copy_lladdr(asm, asker, (R7, frame::TO));
    copy_lladdr(asm, asker, (R7, frame::TARGET_LLADDR));
    let own = (R9, at(link::LLADDR));
    copy_lladdr(asm, own, (R7, frame::FROM));
    copy_lladdr(asm, own, (R7, frame::SENDER_LLADDR));
    turn(asm, frame::REPLY);
}

/// Sender's and target's IP addresses change places.
fn turn(asm: &mut Assembler, operation: [u8; 2]) {
    asm.load(Word, R2, R7, frame::SENDER);
    asm.load(Word, R3, R7, frame::TARGET);
    asm.store(Word, R7, frame::SENDER, R3);
    asm.store(Word, R7, frame::TARGET, R2);
    asm.set(R2, u16::from_ne_bytes(operation).into());
    asm.store(Half, R7, frame::OPERATION, R2);
}

/// R8 points to the entry of the host whose address stands in the packet; jumps if there is none. See [`key`].
fn look_up_host(asm: &mut Assembler, maps: &Maps, address: i16, otherwise: Label) {
    asm.load(Word, R2, R7, address);
    asm.shift_left(R2, 32);
    asm.load(Word, R3, R9, at(link::DOMAIN));
    asm.or(R2, R3);
    asm.store(Double, R10, stack::HOST, R2);
    look_up(asm, maps.hosts, stack::HOST, R8, otherwise);
}

/// `found` points to the value of the key that lies on the stack; jumps if there is none.
fn look_up(asm: &mut Assembler, map: i32, key: i16, found: Register, otherwise: Label) {
    asm.map(R1, map);
    asm.copy(R2, R10);
    asm.add(R2, key.into());
    asm.call(Helper::MapLookup);
    asm.jump(If::Equal, R0, 0, otherwise);
    if found != R0 {
        asm.copy(found, R0);
    }
}

/// Six octets, behind a pointer.
type Place = (Register, i16);

/// Jumps if the two addresses differ.
fn unless_same_lladdr(asm: &mut Assembler, left: Place, right: Place, otherwise: Label) {
    for (width, further) in [(Word, 0), (Half, 4)] {
        asm.load(width, R2, left.0, left.1 + further);
        asm.load(width, R3, right.0, right.1 + further);
        asm.jump(If::NotEqual, R2, R3, otherwise);
    }
}

fn copy_lladdr(asm: &mut Assembler, from: Place, to: Place) {
    for (width, further) in [(Word, 0), (Half, 4)] {
        asm.load(width, R2, from.0, from.1 + further);
        asm.store(width, to.0, to.1 + further, R2);
    }
}

/// An offset in a map's value.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    reason = "values have a few dozen octets"
)]
const fn at(offset: usize) -> i16 {
    offset as i16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_runs_straight_ahead() {
        let program =
            program(&Maps { links: 3, hosts: 4, alive: 5, answered: 6 }).expect("its jumps have targets");
        // Kernels before 5.2 take 4,096 instructions, those before 5.3 no jump backwards.
        assert!(program.len() < 4096, "{}", program.len());
        let jumps = program.iter().filter(|it| it[0] & 0x07 == 0x05 && !matches!(it[0], 0x85 | 0x95));
        let distances: Vec<i16> = jumps.map(|it| i16::from_ne_bytes([it[2], it[3]])).collect();
        assert!(!distances.is_empty() && distances.iter().all(|it| *it >= 0), "{distances:?}");
    }

    #[test]
    fn what_lies_in_a_map_does_not_overlap() {
        let host =
            [(host::HEARD, 8), (host::PASSED_ON, 8), (host::SEGMENT, 4), (host::FLAGS, 4), (host::LLADDR, 6)];
        let link = [(link::DOMAIN, 4), (link::SEGMENT, 4), (link::LLADDR, 6)];
        for (fields, size) in [(&host[..], host::SIZE), (&link[..], link::SIZE)] {
            let ends = fields.iter().map(|(offset, length)| offset + length);
            let starts = fields[1..].iter().map(|(offset, _)| *offset).chain([size]);
            assert!(ends.zip(starts).all(|(end, start)| end <= start), "{fields:?}");
        }
    }
}
