//! What the thread was given to write, and has not reported yet.

use std::collections::{BTreeMap, VecDeque};
use std::net::Ipv4Addr;

use arpherd_core::{Frame, Operation, Write};

/// Addresses whose routes are being written by the thread, each with the number of the last batch that does.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    last: BTreeMap<Ipv4Addr, u64>,
    /// What each batch writes, in their order.
    batches: VecDeque<(u64, Vec<Ipv4Addr>)>,
}

impl Pending {
    pub(crate) fn is_empty(&self) -> bool {
        self.last.is_empty()
    }

    pub(crate) fn contains(&self, address: Ipv4Addr) -> bool {
        self.last.contains_key(&address)
    }

    pub(super) fn addresses(&self) -> impl Iterator<Item = &Ipv4Addr> {
        self.last.keys()
    }

    /// The batch that has to be written before the frame is sent: one that speaks for an address, or says to its
    /// host who is to send packets for it to us, rests on the address's route.
    pub(crate) fn awaited_by(&self, frame: &Frame) -> Option<u64> {
        let receiver = (frame.arp.operation == Operation::Reply).then_some(frame.arp.target);
        let addresses = std::iter::once(frame.arp.sender).chain(receiver);
        addresses.filter_map(|address| self.last.get(&address).copied()).max()
    }

    pub(crate) fn add(&mut self, number: u64, writes: &[Write]) {
        let addresses: Vec<_> = writes.iter().filter_map(subject).collect();
        self.last.extend(addresses.iter().map(|address| (*address, number)));
        self.batches.push_back((number, addresses));
    }

    /// Returns what was written.
    pub(crate) fn remove_until(&mut self, number: u64) -> Vec<Ipv4Addr> {
        let mut removed = Vec::new();
        while let Some((written, addresses)) = self.batches.pop_front_if(|(written, _)| *written <= number) {
            for address in &addresses {
                if self.last.get(address) == Some(&written) {
                    self.last.remove(address);
                }
            }
            removed.extend(addresses);
        }
        removed
    }
}

/// The address on whose route frames may rest.
pub(super) fn subject(write: &Write) -> Option<Ipv4Addr> {
    match *write {
        Write::PutRoute { address, .. }
        | Write::PutStandbyRoute { address, .. }
        | Write::DeleteRoute { address, .. }
        | Write::PutProxy { address, .. }
        | Write::DeleteProxy { address, .. } => Some(address),
        Write::DeleteStray(ref route) => Some(route.address),
        _ => None,
    }
}
