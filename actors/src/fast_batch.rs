//! Writes to the program that answers inside the kernel, in the order that its answers need.
//!
//! What it is to forget it forgets before the kernel's tables change; what it is to know waits until those have, and is
//! left out where they would not.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::Ipv4Addr;

use arpherd_core::{DomainId, Write};

use crate::io::Refusal;
use crate::table_writer::Pending;

/// What is collected until it is carried out.
#[derive(Debug, Default)]
pub(crate) struct FastBatch {
    /// What is to be forgotten first.
    pub(crate) withdrawals: Vec<Write>,
    links: BTreeMap<u32, Write>,
    /// Hosts to be known, in their order: of two for one host the later one counts in the map, too.
    hosts: Vec<Write>,
    /// Hosts that were withdrawn while there were `hosts`, with the number of those that it concerns. Rare.
    withdrawn: HashMap<(Ipv4Addr, DomainId), usize>,
}

impl FastBatch {
    /// Collects one that [is fast](Write::is_fast).
    pub(crate) fn collect(&mut self, write: Write) {
        match write {
            Write::PutFastAnswer { .. } => self.hosts.push(write),
            Write::PutFastLink { interface, .. } => {
                self.links.insert(interface, write);
            }
            Write::DeleteFastAnswer { domain, address } => {
                if !self.hosts.is_empty() {
                    self.withdrawn.insert((address, domain), self.hosts.len());
                }
                self.withdrawals.push(write);
            }
            Write::DeleteFastLink { interface } => {
                self.links.remove(&interface);
                self.withdrawals.push(write);
            }
            _ => {}
        }
    }

    /// Leaves out hosts whose route the kernel has just refused.
    pub(crate) fn cancel(&mut self, refusals: &[Refusal]) {
        let refused = refusals.iter().filter_map(|refusal| match refusal.write {
            Write::PutRoute { address, .. } => Some(address),
            _ => None,
        });
        let refused: HashSet<_> = refused.collect();
        if !refused.is_empty() {
            self.leave_out_withdrawn();
            self.hosts.retain(|host| subject(host).is_none_or(|(address, _)| !refused.contains(&address)));
        }
    }

    /// What is to be known from now on, links first; hosts whose routes are still being written stay.
    pub(crate) fn take_puts(&mut self, pending: &Pending) -> Vec<Write> {
        self.leave_out_withdrawn();
        if self.links.is_empty() && pending.is_empty() {
            return std::mem::take(&mut self.hosts);
        }
        let is_ready = |host: &mut Write| subject(host).is_none_or(|(address, _)| !pending.contains(address));
        let links = std::mem::take(&mut self.links).into_values();
        links.chain(self.hosts.extract_if(.., is_ready)).collect()
    }

    fn leave_out_withdrawn(&mut self) {
        if self.withdrawn.is_empty() {
            return;
        }
        let withdrawn = std::mem::take(&mut self.withdrawn);
        let mut at = 0..;
        self.hosts.retain(|host| {
            let until = subject(host).and_then(|subject| withdrawn.get(&subject));
            at.next().zip(until).is_none_or(|(at, until)| at >= *until)
        });
    }
}

fn subject(write: &Write) -> Option<(Ipv4Addr, DomainId)> {
    match *write {
        Write::PutFastAnswer { domain, address, .. } => Some((address, domain)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use arpherd_core::{LinkAddr, SegmentId};

    use super::*;

    fn put(last: u8, segment: u16) -> Write {
        let (address, lladdr) = (Ipv4Addr::new(10, 0, 0, last), LinkAddr::ethernet([2, 0, 0, 0, 0, last]));
        let segment = SegmentId(segment);
        Write::PutFastAnswer { domain: DomainId(1), address, segment, lladdr, answered_for: true }
    }

    fn delete(last: u8) -> Write {
        Write::DeleteFastAnswer { domain: DomainId(1), address: Ipv4Addr::new(10, 0, 0, last) }
    }

    fn link(interface: u32) -> Write {
        let lladdr = LinkAddr::ethernet([2, 0, 0, 0, 0, 1]);
        Write::PutFastLink { interface, domain: DomainId(1), segment: SegmentId(0), lladdr }
    }

    fn batch(writes: &[Write]) -> FastBatch {
        let mut batch = FastBatch::default();
        writes.iter().for_each(|write| batch.collect(*write));
        batch
    }

    #[test]
    fn the_last_word_on_a_host_counts() {
        let mut moved = batch(&[put(7, 0), delete(7), put(7, 1), put(8, 0), put(8, 1), put(9, 0), delete(9)]);
        assert_eq!(moved.withdrawals, [delete(7), delete(9)]);
        let puts = [put(7, 1), put(8, 0), put(8, 1)];
        assert_eq!(moved.take_puts(&Pending::default()), puts, "in their order, for the map keeps the last");
        assert_eq!(moved.take_puts(&Pending::default()), []);
        let gone = Write::DeleteFastLink { interface: 4 };
        let mut links = batch(&[put(7, 0), link(4), gone, link(5)]);
        assert_eq!(links.withdrawals, [gone]);
        assert_eq!(links.take_puts(&Pending::default()), [link(5), put(7, 0)]);
    }

    fn route(last: u8) -> Write {
        let address = Ipv4Addr::new(10, 0, 0, last);
        Write::PutRoute { interface: 3, address, source: None, replace: false }
    }

    #[test]
    fn a_host_waits_for_its_route_and_is_left_out_if_it_is_withdrawn_meanwhile() {
        let mut pending = Pending::default();
        pending.add(1, &[route(7), route(9)]);
        let mut batch = batch(&[put(7, 0), put(8, 0), put(9, 0)]);
        assert_eq!(batch.take_puts(&pending), [put(8, 0)]);
        [delete(9), put(9, 1), delete(7)].into_iter().for_each(|write| batch.collect(write));
        assert_eq!(batch.take_puts(&pending), []);
        batch.collect(put(7, 1));
        pending.remove_until(1);
        assert_eq!(batch.take_puts(&pending), [put(9, 1), put(7, 1)]);
    }

    #[test]
    fn a_host_whose_route_is_refused_is_left_out() {
        let mut batch = batch(&[put(6, 0), delete(6), put(7, 0), put(8, 0), put(6, 1)]);
        let refusal = |write| Refusal { write, errno: 17, reason: String::new() };
        batch.cancel(&[refusal(route(7)), refusal(delete(8))]);
        assert_eq!(batch.take_puts(&Pending::default()), [put(8, 0), put(6, 1)]);
    }
}
