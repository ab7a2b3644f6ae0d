//! Probes each segment with ARP requests for addresses that no host has: a station that replies is a proxy that
//! answers for everything.

use std::io;
use std::net::Ipv4Addr;
use std::time::Duration;

use arpherd_actors::io::packet::{Medium, PacketPort};
use arpherd_actors::io::{FramePort, Tally, Wake};
use arpherd_core::plan::LinkKind;
use arpherd_core::{Arp, Frame, Heard, LinkAddr, Operation};
use tokio::time::{Instant, timeout_at};

use super::machine::{Machine, ProbeResult};
use super::scope::{CheckedSegment, Scope};

/// A kernel delays proxied replies by up to 0.8 s (`proxy_delay`).
const REPLY_TIMEOUT: Duration = Duration::from_millis(1_200);
/// Networks for documentation, which no host uses (RFC 5737).
const DOCUMENTATION: [[u8; 3]; 2] = [[192, 0, 2], [198, 51, 100]];

/// Probes all segments of the scope at the same time, in the calling thread's network namespace.
///
/// # Errors
/// If no event loop can be created, as when the process has no file descriptor left.
pub(super) fn probe(scope: &Scope, machine: &Machine) -> io::Result<Vec<ProbeResult>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Ok(runtime.block_on(probe_all(scope, machine)))
}

async fn probe_all(scope: &Scope, machine: &Machine) -> Vec<ProbeResult> {
    // All sockets first, so that a frame sent on one link is received on any other.
    let sockets: Vec<_> = scope.segments.iter().map(|segment| ProbeSocket::open(machine, segment)).collect();
    let mut probed: Vec<_> = sockets.into_iter().map(|socket| socket.and_then(ProbeSocket::send)).collect();
    let deadline = Instant::now() + REPLY_TIMEOUT;
    let mut results = Vec::new();
    for (segment, socket) in scope.segments.iter().zip(&mut probed) {
        // Frames for the later sockets are queued meanwhile.
        let received = match socket {
            Ok(socket) => socket.receive_until(deadline).await,
            Err(reason) => Err(reason.clone()),
        };
        let interface = segment.interface().to_owned();
        results.push(ProbeResult {
            sender: sender_of(machine, segment),
            bridged: bridged(received.as_deref().unwrap_or_default(), machine, &interface),
            replies: received.map(|received| replies(&received, &targets(segment))),
            interface,
        });
    }
    results
}

/// A socket on one segment, and the requests to send there.
struct ProbeSocket {
    port: PacketPort,
    wake: Wake,
    requests: Vec<Frame>,
}

impl ProbeSocket {
    fn open(machine: &Machine, segment: &CheckedSegment) -> Result<Self, String> {
        let link = machine.link(segment.interface()).ok_or("no such interface")?;
        let kind: LinkKind = segment.plan.kind.or(link.kind).ok_or("the link has no ARP")?;
        let medium = Medium { interface: link.info.index, kind, broadcast: link.info.broadcast };
        let port = PacketPort::open(medium).map_err(|error| error.to_string())?;
        let wake = port.wake().map_err(|error| error.to_string())?;
        let request = |target| Frame {
            to: None,
            from: None,
            arp: Arp {
                operation: Operation::Request,
                sender_lladdr: link.info.lladdr,
                sender: sender_of(machine, segment),
                target_lladdr: LinkAddr::UNKNOWN,
                target,
            },
        };
        Ok(Self { port, wake, requests: targets(segment).into_iter().map(request).collect() })
    }

    /// Sends the requests.
    fn send(mut self) -> Result<Self, String> {
        let mut tally = Tally::default();
        self.port.send(&self.requests, &mut tally).map_err(|error| error.to_string())?;
        if tally.unsent > 0 {
            return Err("the link does not accept frames".to_owned());
        }
        Ok(self)
    }

    /// All ARP received until the deadline.
    async fn receive_until(&mut self, deadline: Instant) -> Result<Vec<Heard>, String> {
        let (mut received, mut tally) = (Vec::new(), Tally::default());
        loop {
            while self.port.receive(&mut received, &mut tally).map_err(|error| error.to_string())? {}
            match timeout_at(deadline, self.wake.readable()).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => return Err(error.to_string()),
                Err(_) => break,
            }
        }
        Ok(received)
    }
}

/// The sender address for probes: one of this machine that the segment's hosts know, if there is one.
fn sender_of(machine: &Machine, segment: &CheckedSegment) -> Ipv4Addr {
    let inside =
        |address: Ipv4Addr| segment.plan.addresses.prefixes.iter().any(|prefix| prefix.contains(address));
    let own = machine.link(segment.interface()).map(|link| link.info.index);
    let mut addresses: Vec<_> =
        machine.addresses.iter().filter(|info| !info.network.ip().is_loopback()).collect();
    // Those of the subnet first, then those of the interface.
    addresses.sort_by_key(|info| (!inside(info.network.ip()), Some(info.interface) != own));
    let best = addresses.first().filter(|info| inside(info.network.ip()) || Some(info.interface) == own);
    let source = segment.plan.sources.iter().copied().find(|source| machine.owns(*source));
    source.or(best.map(|info| info.network.ip())).unwrap_or(Ipv4Addr::UNSPECIFIED)
}

/// Addresses that no host can have: two for documentation, different on each interface, and the networks' own.
fn targets(segment: &CheckedSegment) -> Vec<Ipv4Addr> {
    let sum = segment
        .interface()
        .bytes()
        .fold(0_u32, |sum, octet| sum.wrapping_mul(31).wrapping_add(u32::from(octet)));
    let last = u8::try_from(sum % 254).unwrap_or_default() + 1;
    let unused = DOCUMENTATION.iter().map(|[a, b, c]| Ipv4Addr::new(*a, *b, *c, last));
    // RFC 3021: a /31 and a /32 have no network address.
    let networks = segment
        .plan
        .addresses
        .prefixes
        .iter()
        .filter(|prefix| prefix.prefix() < 31)
        .map(|prefix| prefix.network());
    unused.chain(networks.take(4)).collect()
}

/// Other interfaces of the machine whose requests were received on this one.
fn bridged(received: &[Heard], machine: &Machine, interface: &str) -> Vec<String> {
    let here = machine.link(interface).map(|link| link.info.lladdr);
    let requests_from = |lladdr: LinkAddr| {
        received
            .iter()
            .any(|frame| frame.arp.operation == Operation::Request && frame.arp.sender_lladdr == lladdr)
    };
    // VLANs of one interface share its address, so their requests prove nothing.
    let others =
        machine.links.iter().filter(|link| Some(link.info.lladdr) != here && requests_from(link.info.lladdr));
    others.map(|link| link.info.name.clone()).collect()
}

/// The replies to the probes, each once.
fn replies(received: &[Heard], targets: &[Ipv4Addr]) -> Vec<(LinkAddr, Ipv4Addr)> {
    let to_probes =
        |frame: &&Heard| frame.arp.operation == Operation::Reply && targets.contains(&frame.arp.sender);
    let mut replies: Vec<_> =
        received.iter().filter(to_probes).map(|frame| (frame.arp.sender_lladdr, frame.arp.sender)).collect();
    replies.sort_unstable_by_key(|(lladdr, address)| (lladdr.to_string(), *address));
    replies.dedup();
    replies
}

#[cfg(test)]
mod tests {
    use super::super::scope::SysctlOwner;
    use super::super::testing::{machine, scope};
    use super::*;

    #[test]
    fn no_host_can_have_a_probed_address() {
        let scope = scope(SysctlOwner::Daemon);
        let probed = targets(&scope.segments[0]);
        assert!(probed[0].is_documentation() && probed[1].is_documentation(), "{probed:?}");
        assert_eq!(probed[2], Ipv4Addr::new(10, 9, 0, 0));
        assert_ne!(probed[0], targets(&scope.segments[1])[0], "each interface probes for another one");
    }

    #[test]
    fn the_sender_is_an_address_of_the_segment() {
        let scope = scope(SysctlOwner::Daemon);
        let segment = &scope.segments[0];
        assert_eq!(sender_of(&machine(), segment), Ipv4Addr::new(10, 9, 0, 1));
        let mut without = machine();
        without.addresses.clear();
        assert_eq!(sender_of(&without, segment), Ipv4Addr::UNSPECIFIED);
        let elsewhere = without.with_address("eth1", "192.168.7.1/24").with_address("eth0", "172.16.0.1/24");
        assert_eq!(sender_of(&elsewhere, segment), Ipv4Addr::new(172, 16, 0, 1));
    }

    #[test]
    fn an_own_interface_whose_request_is_received_elsewhere_is_on_the_same_link() {
        let machine = machine();
        let lladdr = machine.link("eth1").map(|link| link.info.lladdr).expect("it is there");
        let arp = Arp {
            operation: Operation::Request,
            sender_lladdr: lladdr,
            sender: [10, 9, 0, 1].into(),
            target_lladdr: LinkAddr::UNKNOWN,
            target: [192, 0, 2, 7].into(),
        };
        let received = [Heard { arp, from: lladdr, mark: None }];
        assert_eq!(bridged(&received, &machine, "eth0"), ["eth1"]);
        assert_eq!(bridged(&received, &machine, "eth1"), [""; 0], "its own address proves nothing");
    }

    #[test]
    fn only_replies_to_the_probes_count() {
        let lladdr = LinkAddr::ethernet([2, 0, 0, 0, 0, 9]);
        let frame = |operation, sender: [u8; 4]| Heard {
            arp: Arp {
                operation,
                sender_lladdr: lladdr,
                sender: sender.into(),
                target_lladdr: LinkAddr::UNKNOWN,
                target: [10, 9, 0, 1].into(),
            },
            from: lladdr,
            mark: None,
        };
        let received = [
            frame(Operation::Reply, [192, 0, 2, 7]),
            frame(Operation::Reply, [192, 0, 2, 7]),
            frame(Operation::Reply, [10, 9, 0, 20]),
            frame(Operation::Request, [192, 0, 2, 7]),
        ];
        let unused = Ipv4Addr::new(192, 0, 2, 7);
        assert_eq!(replies(&received, &[unused]), [(lladdr, unused)]);
    }
}
