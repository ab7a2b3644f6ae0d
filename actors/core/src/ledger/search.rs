//! Targets nobody is known to have: they are searched for while those who asked wait.

use std::net::Ipv4Addr;
use std::time::Duration;

use super::Ledger;
use super::host::Key;
use super::timer::Timer;
use crate::arp::Arp;
use crate::lladdr::LinkAddr;
use crate::order::{Order, Purpose};
use crate::plan::SegmentId;
use crate::time::Time;

/// One target is searched for on one segment at most this often.
const SEARCH_GAP: Duration = Duration::from_secs(1);
/// How long an asker waits for its answer; it asks again by itself after a second.
const HOLD: Duration = Duration::from_millis(1500);
/// Unknown targets searched for at the same time; more are shed.
const QUESTIONS: usize = 4096;
/// A question that comes so soon after our own search for the target may be an echo of it.
const ECHO: Duration = Duration::from_millis(100);
/// Askers held for one target.
const ASKERS: usize = 16;
/// Who waits for a target to prove itself. An unspecified address is that of an address probe.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asker {
    pub(super) segment: SegmentId,
    pub(super) lladdr: LinkAddr,
    pub(super) address: Ipv4Addr,
    at: Time,
    /// It is not answered yet; otherwise its question only had the target searched for.
    pub(super) waits: bool,
    /// It asked of its own accord since the last search of ours, or was the cause of it. Only then the target is
    /// searched for once more without another word from it: a proxy that repeats our search on its segment
    /// must not keep it going.
    began: bool,
}

impl Asker {
    pub(super) fn new(now: Time, segment: SegmentId, lladdr: LinkAddr, address: Ipv4Addr) -> Self {
        Self { segment, lladdr, address, at: now, waits: true, began: false }
    }

    pub(super) fn of(now: Time, segment: SegmentId, arp: &Arp) -> Self {
        Self::new(now, segment, arp.sender_lladdr, arp.sender)
    }
}

/// A target nobody is known to have.
#[derive(Debug)]
pub(crate) struct Question {
    pub(super) askers: Vec<Asker>,
    /// On whose behalf it was first searched for.
    first: (SegmentId, LinkAddr),
    /// Where it was searched for, and when last.
    searched: Vec<(SegmentId, Time)>,
    due: Time,
}

impl Ledger {
    /// Holds the question and asks wherever the target may be.
    pub(super) fn search(&mut self, now: Time, key: Key, mut asker: Asker, orders: &mut Vec<Order>) {
        let segment = asker.segment;
        let places = self.places_to_search(segment, asker.address, key.address);
        if places.is_empty() {
            return;
        }
        let is_held = |old: &Asker| (old.segment, old.lladdr) == (segment, asker.lladdr);
        let is_known = self.questions.contains_key(&key);
        // Only what is searched for anew counts against the station: it may ask as often as it likes.
        if !is_known
            && (self.questions.len() >= QUESTIONS || !self.segment_mut(segment).open_question(asker.lladdr))
        {
            self.segment_mut(segment).shed += 1;
            return;
        }
        let question = self.questions.entry(key).or_insert_with(|| {
            let due = now + SEARCH_GAP;
            self.timers.set(due, Timer::Question(key));
            Question { askers: Vec::new(), first: (segment, asker.lladdr), searched: Vec::new(), due }
        });
        let is_no_echo = question.searched.iter().all(|(_, at)| now.since(*at) >= ECHO);
        asker.began = is_no_echo || question.askers.iter().any(|old| is_held(old) && old.began);
        question.askers.retain(|old| !is_held(old));
        if question.askers.len() < ASKERS {
            question.askers.push(asker);
        }
        self.search_in(now, key, &places, orders);
    }

    /// Asks those of the places that were not asked for the target lately.
    fn search_in(&mut self, now: Time, key: Key, places: &[SegmentId], orders: &mut Vec<Order>) {
        for &place in places {
            let Some(question) = self.questions.get_mut(&key) else { return };
            let last = question.searched.iter_mut().find(|(segment, _)| *segment == place);
            if last.as_ref().is_some_and(|(_, at)| now.since(*at) < SEARCH_GAP) {
                continue;
            }
            if !self.segments[place.index()].searches.take(now) {
                self.segments[place.index()].shed += 1;
                continue;
            }
            match last {
                Some((_, at)) => *at = now,
                None => question.searched.push((place, now)),
            }
            self.ask(place, key.address, None, Purpose::Search, orders);
        }
    }
    /// A target is found, given up, or nobody's to search for.
    pub(super) fn close(&mut self, key: Key) -> Option<Question> {
        let question = self.questions.remove(&key)?;
        let (segment, lladdr) = question.first;
        self.segment_mut(segment).close_question(&lladdr);
        Some(question)
    }

    pub(super) fn question_due(&mut self, now: Time, at: Time, key: Key, orders: &mut Vec<Order>) {
        let Some(question) = self.questions.get_mut(&key).filter(|question| question.due == at) else {
            return;
        };
        question.askers.retain(|asker| now.since(asker.at) < HOLD);
        let lately = |(_, then): &(SegmentId, Time)| now.since(*then) < SEARCH_GAP;
        if question.askers.is_empty() && !question.searched.iter().any(lately) {
            self.close(key);
            return;
        }
        question.due = now + SEARCH_GAP;
        self.timers.set(question.due, Timer::Question(key));
        let again: Vec<Asker> = question.askers.iter().copied().filter(|asker| asker.began).collect();
        for asker in &mut question.askers {
            asker.began = false;
        }
        for asker in again {
            let places = self.places_to_search(asker.segment, asker.address, key.address);
            self.search_in(now, key, &places, orders);
        }
    }

    /// The target proved itself: those who wait for it are answered.
    pub(super) fn answer_held(&mut self, now: Time, key: Key, orders: &mut Vec<Order>) {
        let Some(host) = self.hosts.get(&key).filter(|host| host.is_live() && !host.lladdr.is_empty()) else {
            return;
        };
        if self.questions.is_empty() || !self.leads_there(host, key.address) {
            return;
        }
        let Some(question) = self.close(key) else { return };
        let Some(host) = self.hosts.get(&key).cloned() else { return };
        for asker in question.askers.iter().filter(|asker| asker.waits) {
            if asker.address.is_unspecified() {
                if self.may_defend(&host, key, asker.segment, &asker.lladdr) {
                    self.defend(now, key, asker.segment, asker.lladdr, orders);
                }
            } else if self.may_answer(&host, key, asker.segment, &asker.lladdr, asker.address) {
                self.answer(asker.segment, key.address, asker.lladdr, asker.address, orders);
            }
        }
    }
}
