//! Writes to the program that answers inside the kernel, in the order that its answers need.
//!
//! What it is to forget it forgets before the kernel's tables change; what it is to know waits until those have, and is
//! left out where they would not.

use std::collections::BTreeMap;
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
    /// The last word on each.
    hosts: BTreeMap<(Ipv4Addr, DomainId), Write>,
}

impl FastBatch {
    /// Collects one that [is fast](Write::is_fast).
    pub(crate) fn collect(&mut self, write: Write) {
        match write {
            Write::PutFastAnswer { domain, address, .. } => {
                self.hosts.insert((address, domain), write);
            }
            Write::PutFastLink { interface, .. } => {
                self.links.insert(interface, write);
            }
            Write::DeleteFastAnswer { domain, address } => {
                self.hosts.remove(&(address, domain));
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
        for refusal in refusals {
            let Write::PutRoute { address, .. } = refusal.write else { continue };
            let range = (address, DomainId(0))..=(address, DomainId(u16::MAX));
            let refused: Vec<_> = self.hosts.range(range).map(|(key, _)| *key).collect();
            refused.iter().for_each(|key| {
                self.hosts.remove(key);
            });
        }
    }

    /// What is to be known from now on, links first; hosts whose routes are still being written stay.
    pub(crate) fn take_puts(&mut self, pending: &Pending) -> Vec<Write> {
        let links = std::mem::take(&mut self.links).into_values();
        let is_ready = |(address, _): &(Ipv4Addr, DomainId), _: &mut Write| !pending.contains(*address);
        let hosts = if pending.is_empty() {
            std::mem::take(&mut self.hosts)
        } else {
            self.hosts.extract_if(.., is_ready).collect()
        };
        links.chain(hosts.into_values()).collect()
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
        assert_eq!(moved.take_puts(&Pending::default()), [put(7, 1), put(8, 1)]);
        assert_eq!(moved.take_puts(&Pending::default()), []);
        let gone = Write::DeleteFastLink { interface: 4 };
        let mut links = batch(&[put(7, 0), link(4), gone, link(5)]);
        assert_eq!(links.withdrawals, [gone]);
        assert_eq!(links.take_puts(&Pending::default()), [link(5), put(7, 0)]);
    }

    #[test]
    fn a_host_whose_route_is_refused_is_left_out() {
        let mut batch = batch(&[put(7, 0), put(8, 0)]);
        let route = |last| Write::PutRoute {
            interface: 3,
            address: Ipv4Addr::new(10, 0, 0, last),
            source: None,
            replace: false,
        };
        let refusal = |write| Refusal { write, errno: 17, reason: String::new() };
        batch.cancel(&[refusal(route(7)), refusal(delete(8))]);
        assert_eq!(batch.take_puts(&Pending::default()), [put(8, 0)]);
    }
}
