//! Writing routes and neighbour entries, in batches.

use std::io;
use std::net::Ipv4Addr;

use arpherd_core::fact::KernelRoute;
use arpherd_core::plan::{COVER_METRIC, RoutePlan};
use arpherd_core::{LinkAddr, Write};
use ipnetwork::Ipv4Network;
use neli::consts::rtnl::{RtScope, Rtm, Rtn};

use super::compose::{self, Route, Unwritable, Verb};
use super::forms::{Forms, HostRoute};
use super::route_lookup::RouteLookup;
use super::shared_lladdr::SharedLladdrs;
use super::socket::Channel;
use super::wire::{Messages, NetlinkAck};
use super::{NetlinkError, errno_text};
use crate::io::RouteTable;

/// Messages in one system call. Twice as many were measured to gain nothing.
const BATCH: usize = 256;
/// Bytes for the kernel's answers; a batch refused whole takes a quarter of it.
const RECEIVE_BUFFER: usize = 1 << 20;

/// A write the kernel did not accept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What was to be written.
    pub write: Write,
    /// The kernel's error number, positive.
    pub errno: i32,
    /// What the kernel said beside it, or the text of `errno`.
    pub reason: String,
}

/// Writes to the kernel's tables through a socket of its own.
pub struct RouteWriter {
    channel: Channel,
    routes: RoutePlan,
    forms: Forms,
    sequence: u32,
    batch: Vec<u8>,
    answers: Box<[u8; 8192]>,
    /// On a socket of its own: see [`RouteWriter::collect`].
    lookup: RouteLookup,
    /// Only where it is needed: it has the kernel load a module.
    shared_lladdrs: Option<SharedLladdrs>,
}

impl RouteWriter {
    /// Opens a socket in the calling thread's network namespace.
    ///
    /// # Errors
    /// If the socket cannot be opened; rights (`CAP_NET_ADMIN`) are asked only at the first write.
    pub fn open(routes: RoutePlan) -> Result<Self, NetlinkError> {
        let open = || {
            let channel = Channel::open(RECEIVE_BUFFER)?;
            channel.nonblock()?;
            Ok(channel)
        };
        let channel = open().map_err(NetlinkError::socket("open a netlink socket to write routes"))?;
        let forms = Forms::new(host_route(&routes, 0, Ipv4Addr::UNSPECIFIED, None))
            .map_err(|Unwritable| NetlinkError::Malformed { what: "a route to a host" })?;
        let (lookup, answers) = (RouteLookup::open()?, Box::new([0; 8192]));
        Ok(Self {
            channel,
            routes,
            forms,
            sequence: 1,
            batch: Vec::new(),
            answers,
            lookup,
            shared_lladdrs: None,
        })
    }

    /// Lets it write [`Write::PutSharedLladdr`], through sockets in the calling thread's network namespace. Otherwise
    /// such writes are refused.
    ///
    /// # Errors
    /// If the kernel has no nfnetlink.
    pub fn open_shared_lladdrs(&mut self) -> Result<(), NetlinkError> {
        let opened = SharedLladdrs::open();
        let doing = "open a netlink socket to nf_tables";
        self.shared_lladdrs = Some(opened.map_err(NetlinkError::socket(doing))?);
        Ok(())
    }

    /// The netlink port of the writer; a [`super::Monitor`] that knows it does not report what it wrote.
    pub fn port(&self) -> u32 {
        self.channel.port()
    }

    fn compose(&mut self, sequence: u32, write: &Write) -> Result<(), Unwritable> {
        let batch = &mut self.batch;
        match *write {
            Write::PutRoute { interface, address, source, replace } => {
                self.forms.route(batch, sequence, &HostRoute { interface, address, source, replace });
                Ok(())
            }
            Write::PutStandbyRoute { interface, address, source, metric, replace } => {
                let verb = if replace { Verb::put(Rtm::Newroute) } else { Verb::add(Rtm::Newroute) };
                let route = Route { metric, ..host_route(&self.routes, interface, address, source) };
                compose::route(batch, sequence, verb, &route)
            }
            Write::DeleteRoute { interface, address } => {
                let route = host_route(&self.routes, interface, address, None);
                compose::route(batch, sequence, Verb::delete(Rtm::Delroute), &route)
            }
            Write::DeleteStray(seen) => {
                let route = leftover(&self.routes, &seen);
                compose::route(batch, sequence, Verb::delete(Rtm::Delroute), &route)
            }
            Write::PutCover { prefix } => {
                compose::route(batch, sequence, Verb::put(Rtm::Newroute), &cover(&self.routes, prefix))
            }
            Write::DeleteCover { prefix } => {
                compose::route(batch, sequence, Verb::delete(Rtm::Delroute), &cover(&self.routes, prefix))
            }
            Write::PutSearchRoute { interface, prefix, source } => {
                let route = Route { source, ..search_route(&self.routes, interface, prefix) };
                compose::route(batch, sequence, Verb::put(Rtm::Newroute), &route)
            }
            Write::DeleteSearchRoute { interface, prefix } => {
                let route = search_route(&self.routes, interface, prefix);
                compose::route(batch, sequence, Verb::delete(Rtm::Delroute), &route)
            }
            Write::PutNeighbour { lladdr, .. } if lladdr.is_empty() => Err(Unwritable),
            Write::PutNeighbour { interface, address, lladdr } => {
                let interface = i32::try_from(interface).map_err(|_| Unwritable)?;
                if let Ok(octets) = lladdr.octets().try_into() {
                    self.forms.neighbour(batch, sequence, interface, address, octets);
                    return Ok(());
                }
                compose::neighbour(batch, sequence, Verb::put(Rtm::Newneigh), interface, address, &lladdr)
            }
            Write::DeleteNeighbour { interface, address } => {
                let interface = i32::try_from(interface).map_err(|_| Unwritable)?;
                let verb = Verb::delete(Rtm::Delneigh);
                compose::neighbour(batch, sequence, verb, interface, address, &LinkAddr::UNKNOWN)
            }
            Write::PutProxy { interface, address } | Write::DeleteProxy { interface, address } => {
                let interface = i32::try_from(interface).map_err(|_| Unwritable)?;
                let put = matches!(write, Write::PutProxy { .. });
                let verb = if put { Verb::put(Rtm::Newneigh) } else { Verb::delete(Rtm::Delneigh) };
                compose::proxy(batch, sequence, verb, interface, address, self.routes.protocol)
            }
            // Written by themselves: see [`RouteWriter::write_lladdr`].
            Write::PutSharedLladdr { .. } | Write::DeleteSharedLladdr { .. } => Err(Unwritable),
            // No table's, but a map's.
            Write::PutFastAnswer { .. }
            | Write::DeleteFastAnswer { .. }
            | Write::PutFastLink { .. }
            | Write::DeleteFastLink { .. } => Err(Unwritable),
        }
    }

    /// Sends one batch and reads its answers. The kernel goes on after an error, and each error comes
    /// with the number of its message (`netlink_rcv_skb`).
    fn write_batch(&mut self, writes: &[Write], refusals: &mut Vec<Refusal>) {
        self.batch.clear();
        let before = refusals.len();
        let first = self.sequence;
        let mut sequence = first;
        for write in writes {
            if self.write_lladdr(write, refusals) {
                // No message of the batch bears its number.
            } else if let Err(Unwritable) = self.compose(sequence, write) {
                refusals.push(refusal(write, libc::EINVAL, None));
            }
            sequence = sequence.wrapping_add(1);
        }
        self.sequence = sequence;
        if self.batch.is_empty() {
            return;
        }
        let outcome = self.channel.send(&self.batch).and_then(|()| self.collect(first, writes, refusals));
        if let Err(cause) = outcome {
            let errno = cause.raw_os_error().unwrap_or(libc::EIO);
            refusals.truncate(before);
            refusals.extend(writes.iter().map(|write| refusal(write, errno, None)));
        }
    }

    /// Carries out a write that is more than one message, and rare. False if it is none of those.
    fn write_lladdr(&mut self, write: &Write, refusals: &mut Vec<Refusal>) -> bool {
        if !matches!(write, Write::PutSharedLladdr { .. } | Write::DeleteSharedLladdr { .. }) {
            return false;
        }
        let Some(lladdrs) = &mut self.shared_lladdrs else {
            refusals.push(refusal(write, libc::EPROTONOSUPPORT, Some("the kernel has no nfnetlink")));
            return true;
        };
        let outcome = match write {
            Write::PutSharedLladdr { interface, lladdr, own } => lladdrs.put(*interface, lladdr, own),
            Write::DeleteSharedLladdr { interface, lladdr } => lladdrs.delete(*interface, lladdr),
            _ => Ok(()),
        };
        if let Err(failure) = outcome {
            let errno = failure.cause.raw_os_error().unwrap_or(libc::EIO);
            if !write.is_satisfied_by(errno) {
                refusals.push(refusal(write, errno, Some(&failure.to_string())));
            }
        }
        true
    }

    /// Reads the answers to the messages from number `first` on.
    ///
    /// rtnetlink works inside `send` and answers only what failed, since nothing asks for more: so all
    /// errors are in the socket by then, and an empty socket means that there were none. That saves
    /// the kernel an answer for each batch, a sixth of the cost of a single route.
    fn collect(&mut self, first: u32, writes: &[Write], refusals: &mut Vec<Refusal>) -> io::Result<()> {
        loop {
            let length = match self.channel.receive(&mut self.answers[..]) {
                Err(cause) if cause.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                other => other?,
            };
            for message in Messages::of(&self.answers[..length]) {
                let index = usize::try_from(message.sequence.wrapping_sub(first)).unwrap_or(usize::MAX);
                let (Some(write), Some(verdict)) = (writes.get(index), NetlinkAck::of(&message)) else {
                    continue;
                };
                if verdict.errno != 0 && !write.is_satisfied_by(verdict.errno) {
                    refusals.push(refusal(write, verdict.errno, verdict.text));
                }
            }
        }
    }
}

impl RouteTable for RouteWriter {
    fn write(&mut self, writes: &[Write], refusals: &mut Vec<Refusal>) {
        for batch in writes.chunks(BATCH) {
            self.write_batch(batch, refusals);
        }
    }

    fn lookup_route(&mut self, interface: u32, source: Ipv4Addr, target: Ipv4Addr) -> Option<u32> {
        self.lookup.lookup_route(interface, source, target)
    }
}

fn refusal(write: &Write, errno: i32, text: Option<&str>) -> Refusal {
    Refusal { write: *write, errno, reason: text.map_or_else(|| errno_text(errno), str::to_owned) }
}

fn host_route(plan: &RoutePlan, interface: u32, address: Ipv4Addr, source: Option<Ipv4Addr>) -> Route {
    Route {
        destination: address.into(),
        interface,
        source,
        kind: Rtn::Unicast,
        scope: RtScope::Link,
        protocol: plan.protocol,
        table: plan.table,
        metric: plan.metric,
    }
}

/// Type and scope left open match any (`fib_table_delete`).
fn leftover(plan: &RoutePlan, seen: &KernelRoute) -> Route {
    Route {
        destination: seen.address.into(),
        interface: seen.interface,
        source: None,
        kind: Rtn::Unspec,
        scope: RtScope::Nowhere,
        protocol: seen.protocol,
        table: plan.table,
        metric: seen.metric,
    }
}

fn cover(plan: &RoutePlan, prefix: Ipv4Network) -> Route {
    Route {
        destination: prefix,
        interface: 0,
        source: None,
        kind: Rtn::Unreachable,
        scope: RtScope::Universe,
        protocol: plan.protocol,
        table: plan.cover_table(),
        metric: COVER_METRIC,
    }
}

/// Preferred to the covering route, which is still there when the device is gone.
fn search_route(plan: &RoutePlan, interface: u32, prefix: Ipv4Network) -> Route {
    Route {
        interface,
        kind: Rtn::Unicast,
        scope: RtScope::Link,
        metric: COVER_METRIC - 1,
        ..cover(plan, prefix)
    }
}
