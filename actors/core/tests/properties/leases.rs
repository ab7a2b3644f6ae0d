//! Leases, as anybody can tell who reads what was said of them.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use arpherd_core::dhcp::{ClientId, DhcpNews};
use arpherd_core::memory::leases_of;
use arpherd_core::order::Purpose;
use arpherd_core::plan::{DomainId, LinkKind, Plan};
use arpherd_core::{Fact, Ledger, LinkAddr, Order, SegmentId, Time};

type Key = (DomainId, Ipv4Addr);

/// What was said of leases.
#[derive(Debug, Default)]
pub(crate) struct Leases {
    /// Granted or remembered, and not ended since.
    allowed: BTreeSet<(Key, ClientId)>,
    /// The client of each lease that was granted last and not ended since, and until when it has it.
    clients: BTreeMap<Key, (LinkAddr, Option<Time>)>,
    /// Nothing counts any more.
    is_stopped: bool,
}

impl Leases {
    /// Something was said.
    pub(crate) fn note(&mut self, now: Time, plan: &Plan, fact: &Fact) {
        let domain = |segment: SegmentId| {
            plan.segments.get(segment.index()).filter(|it| !it.is_retired()).map(|it| it.domain)
        };
        match fact {
            Fact::Dhcp { segment, news: DhcpNews::Granted(lease) } => {
                let Some(domain) = domain(*segment) else { return };
                let key = (domain, lease.address);
                self.allowed.insert((key, lease.client.clone()));
                self.clients.insert(key, (lease.lladdr, lease.duration.map(|duration| now + duration)));
            }
            Fact::Dhcp { segment, news: DhcpNews::Ended { address, client, .. } } => {
                let Some(domain) = domain(*segment) else { return };
                self.allowed.remove(&((domain, *address), client.clone()));
                self.clients.remove(&(domain, *address));
            }
            Fact::LeasesRemembered { leases } => {
                for lease in leases {
                    let there = plan.segments.iter().find(|it| it.interface == lease.interface);
                    let Some(domain) = there.map(|it| it.domain) else { continue };
                    self.allowed.insert(((domain, lease.address), lease.client.clone()));
                }
            }
            Fact::Stopped { .. } | Fact::Replaced { .. } => self.is_stopped = true,
            _ => {}
        }
    }

    /// No lease is there that was not granted, or that was ended; and nobody is told that the address of its own lease is
    /// another's, unless another lives with it.
    pub(crate) fn check(&self, now: Time, plan: &Plan, ledger: &Ledger, orders: &[Order]) {
        if self.is_stopped {
            return;
        }
        for lease in leases_of(ledger, now) {
            let domain = plan.segments.iter().find(|it| it.interface == lease.interface).map(|it| it.domain);
            let key = (domain.expect("a segment of the plan"), lease.address);
            assert!(self.allowed.contains(&(key, lease.client)), "the lease of {key:?} came back");
        }
        let hosts = ledger.host_views(now);
        for order in orders {
            let Order::Transmit { segment, frame, purpose: Purpose::Answer } = order else { continue };
            let it = &plan.segments[segment.index()];
            let client = self.clients.get(&(it.domain, frame.arp.sender));
            if let Some((lladdr, until)) = client
                && frame.arp.target.is_unspecified()
                && until.is_none_or(|until| until > now)
                && it.kind != Some(LinkKind::Ipoib)
                && lladdr.is_station()
                && !hosts.iter().any(|host| host.address == frame.arp.sender && host.lladdr != *lladdr)
            {
                assert_ne!(frame.to, Some(*lladdr), "a client is told that its own address is another's");
            }
        }
    }
}
