//! The program that answers inside the kernel, as the ledger's orders leave it: its rule, whom it heard, and what it passes
//! on.
//!
//! The ledger is asked now and then what the program would have answered: it has to send the same frame.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::Duration;

use arpherd_core::arp::{Arp, Frame, Heard, Mark, Operation};
use arpherd_core::order::Purpose;
use arpherd_core::{DomainId, Fact, LinkAddr, Order, SegmentId, Time, Write};

type Key = (DomainId, Ipv4Addr);

/// Of each asker and for each silent target a question is passed on in each turn of so many nanoseconds.
pub(crate) const TURN: u64 = 1 << 31;
/// A target that asked lately is not silent.
const SILENCE: Duration = Duration::from_secs(5);

#[derive(Debug, Clone, Copy)]
struct Link {
    domain: DomainId,
    segment: SegmentId,
    lladdr: LinkAddr,
}

#[derive(Debug, Clone, Copy)]
struct Known {
    segment: SegmentId,
    lladdr: LinkAddr,
    answered_for: bool,
    heard: Option<Time>,
    passed_on: Option<Time>,
}

/// The maps of the program.
#[derive(Debug, Default)]
pub(crate) struct Program {
    links: BTreeMap<u32, Link>,
    hosts: BTreeMap<Key, Known>,
    /// Answers given.
    pub(crate) answered: u64,
    /// Moments at which the ledger may be asked.
    moments: usize,
}

/// What becomes of a request that the program answers.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) frame: Frame,
    /// What the daemon hears all the same.
    pub(crate) passed_on: Option<Heard>,
}

/// A request that the program would answer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Question {
    pub(crate) segment: SegmentId,
    pub(crate) heard: Heard,
}

impl Program {
    /// The program is loaded anew, or unloaded.
    pub(crate) fn clear(&mut self) {
        (self.links, self.hosts) = (BTreeMap::new(), BTreeMap::new());
    }

    /// Whether it answers nothing, whatever comes in.
    pub(crate) fn is_silent(&self) -> bool {
        self.links.is_empty()
    }

    /// Carries out what is to be done before all other writes.
    pub(crate) fn withdraw(&mut self, orders: &[Order]) {
        for order in orders {
            match *order {
                Order::Write(Write::DeleteFastAnswer { domain, address }) => {
                    self.hosts.remove(&(domain, address));
                }
                Order::Write(Write::DeleteFastLink { interface }) => {
                    self.links.remove(&interface);
                }
                _ => {}
            }
        }
    }

    /// Carries out what is to be done after all other writes, but for hosts whose route was refused. What is put and then
    /// deleted in one step is not put: the last word counts.
    pub(crate) fn put(&mut self, orders: &[Order], is_refused: impl Fn(Ipv4Addr) -> bool) {
        for (at, order) in orders.iter().enumerate() {
            let is_taken_back = |later: &Order| match (order, later) {
                (
                    Order::Write(Write::PutFastAnswer { domain, address, .. }),
                    Order::Write(Write::DeleteFastAnswer { domain: of, address: it }),
                ) => (domain, address) == (of, it),
                (
                    Order::Write(Write::PutFastLink { interface, .. }),
                    Order::Write(Write::DeleteFastLink { interface: it }),
                ) => interface == it,
                _ => false,
            };
            if orders[at..].iter().any(is_taken_back) {
                continue;
            }
            match *order {
                Order::Write(Write::PutFastAnswer { domain, address, segment, lladdr, answered_for })
                    if !is_refused(address) =>
                {
                    let known = Known { segment, lladdr, answered_for, heard: None, passed_on: None };
                    self.hosts.insert((domain, address), known);
                }
                Order::Write(Write::PutFastLink { interface, domain, segment, lladdr }) => {
                    assert_eq!(lladdr.len(), 6, "the program speaks Ethernet");
                    self.links.insert(interface, Link { domain, segment, lladdr });
                }
                _ => {}
            }
        }
    }

    /// Whom it heard, as it was ordered to be read.
    pub(crate) fn read(&self, now: Time, orders: &[Order]) -> Vec<Fact> {
        let read = |order: &Order| match *order {
            Order::ReadHeard { domain, address } => {
                let known = self.hosts.get(&(domain, address));
                let heard = known.and_then(|known| known.heard).map(|at| now.since(at));
                Some(Fact::HeardInKernel { domain, address, heard })
            }
            _ => None,
        };
        orders.iter().filter_map(read).collect()
    }

    /// What it would answer to what came in by an interface: its whole rule.
    fn would_answer(&self, interface: u32, heard: &Heard) -> Option<(Key, Key, Frame)> {
        let Heard { arp, from, mark } = heard;
        let is_plain = mark.is_none()
            && arp.operation == Operation::Request
            && *from == arp.sender_lladdr
            && from.len() == 6
            && !arp.sender.is_unspecified()
            && arp.sender != arp.target;
        let link = self.links.get(&interface).filter(|_| is_plain)?;
        let (asker, target) = ((link.domain, arp.sender), (link.domain, arp.target));
        let is_elsewhere = |it: &&Known| {
            it.answered_for && it.segment != link.segment && it.lladdr.octets() != from.octets()
        };
        let is_here = |it: &&Known| it.segment == link.segment && it.lladdr.octets() == from.octets();
        self.hosts.get(&target).filter(is_elsewhere)?;
        self.hosts.get(&asker).filter(is_here)?;
        let answer = Arp {
            operation: Operation::Reply,
            sender_lladdr: link.lladdr,
            sender: arp.target,
            target_lladdr: arp.sender_lladdr,
            target: arp.sender,
        };
        Some((asker, target, Frame { to: Some(arp.sender_lladdr), from: None, arp: answer }))
    }

    /// A frame comes in: its answer, if it has one.
    pub(crate) fn hears(&mut self, now: Time, interface: u32, heard: &Heard) -> Option<Answered> {
        let (asker, target, frame) = self.would_answer(interface, heard)?;
        let turn = |at: Time| at.since(Time::ZERO).as_nanos() / u128::from(TURN);
        let is_this_turn = |at: Option<Time>| at.is_some_and(|at| turn(at) == turn(now));
        self.hosts.get_mut(&asker)?.heard = Some(now);
        self.answered += 1;
        let wanted = self.hosts[&target];
        let is_heard = wanted.heard.is_some_and(|at| now.since(at) < SILENCE);
        let is_known =
            is_this_turn(self.hosts[&asker].passed_on) && (is_heard || is_this_turn(wanted.passed_on));
        if !is_known {
            self.hosts.get_mut(&asker)?.passed_on = Some(now);
            self.hosts.get_mut(&target)?.passed_on = Some(now);
        }
        let passed_on = (!is_known).then_some(Heard { mark: Some(Mark::Answered), ..*heard });
        Some(Answered { frame, passed_on })
    }

    /// All that it would answer, with its answers.
    pub(crate) fn questions(&self) -> Vec<(Question, Frame)> {
        let on_link = |(&interface, link): (&u32, &Link)| {
            let (domain, segment) = (link.domain, link.segment);
            let askers = self.hosts.iter().filter(move |((of, _), _)| *of == domain);
            let pairs = askers.flat_map(move |((_, sender), known)| {
                let targets = self.hosts.keys().filter(move |(of, _)| *of == domain);
                targets.map(move |(_, target)| (*sender, known.lladdr, *target))
            });
            let question = move |(sender, sender_lladdr, target)| {
                let arp = crate::stations::request(sender, sender_lladdr, target);
                let heard = Heard { arp, from: sender_lladdr, mark: None };
                let (_, _, frame) = self.would_answer(interface, &heard)?;
                Some((Question { segment, heard }, frame))
            };
            pairs.filter_map(question).collect::<Vec<_>>()
        };
        self.links.iter().flat_map(on_link).collect()
    }

    /// One of them, another one each time, every so many times.
    pub(crate) fn question(&mut self, one_in: usize) -> Option<(Question, Frame)> {
        self.moments += 1;
        let (all, at) = (self.questions(), self.moments / one_in);
        if !self.moments.is_multiple_of(one_in) || all.is_empty() {
            return None;
        }
        Some(all[at.wrapping_mul(7919) % all.len()])
    }
}

/// The answers among orders.
pub(crate) fn answers(orders: &[Order]) -> Vec<(SegmentId, Frame)> {
    let answer = |order: &Order| match order {
        Order::Transmit { segment, frame, purpose: Purpose::Answer } => Some((*segment, *frame)),
        _ => None,
    };
    orders.iter().filter_map(answer).collect()
}
