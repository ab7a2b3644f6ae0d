//! Asking each segment for addresses that nobody has: whoever answers is a proxy that claims everything.

use std::io;
use std::net::Ipv4Addr;
use std::time::Duration;

use arpherd_actors::io::packet::{Medium, PacketPort};
use arpherd_actors::io::{FramePort, Tally, Wake};
use arpherd_core::plan::LinkKind;
use arpherd_core::{Arp, Frame, Heard, LinkAddr, Operation};
use tokio::time::{Instant, timeout_at};

use super::machine::Machine;
use super::scope::{CheckedSegment, Scope};

/// A kernel holds its proxied answers back for up to 0.8 s (`proxy_delay`).
const PATIENCE: Duration = Duration::from_millis(1_200);
/// Networks for documentation, which are nobody's (RFC 5737).
const NOBODYS: [[u8; 3]; 2] = [[192, 0, 2], [198, 51, 100]];

/// What came of the questions on one segment.
#[derive(Debug, Clone)]
pub(crate) struct ProbeResult {
    /// The segment's interface.
    pub(crate) interface: String,
    /// Who asked; without a sender address a kernel's proxy does not answer.
    pub(crate) sender: Ipv4Addr,
    /// Interfaces of this machine whose questions were heard here: their links are one.
    pub(crate) joined: Vec<String>,
    /// Who answered for which address; or why nobody could be asked.
    pub(crate) answers: Result<Vec<(LinkAddr, Ipv4Addr)>, String>,
}

/// Asks on all segments of the scope at the same time, in the calling thread's network namespace.
///
/// # Errors
/// If the process has no descriptor left to wait with.
pub(super) fn probe(scope: &Scope, machine: &Machine) -> io::Result<Vec<ProbeResult>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Ok(runtime.block_on(ask_all(scope, machine)))
}

async fn ask_all(scope: &Scope, machine: &Machine) -> Vec<ProbeResult> {
    // All ears first, so that what is sent on one link is heard on any other.
    let ears: Vec<_> = scope.segments.iter().map(|segment| ProbeSocket::open(machine, segment)).collect();
    let mut asked: Vec<_> = ears.into_iter().map(|ear| ear.and_then(ProbeSocket::ask)).collect();
    let deadline = Instant::now() + PATIENCE;
    let mut outcomes = Vec::new();
    for (segment, ear) in scope.segments.iter().zip(&mut asked) {
        // What the later ones hear meanwhile waits in their sockets.
        let heard = match ear {
            Ok(ear) => ear.listen(deadline).await,
            Err(reason) => Err(reason.clone()),
        };
        let interface = segment.interface().to_owned();
        outcomes.push(ProbeResult {
            sender: sender_of(machine, segment),
            joined: joined(heard.as_deref().unwrap_or_default(), machine, &interface),
            answers: heard.map(|heard| answers(&heard, &targets(segment))),
            interface,
        });
    }
    outcomes
}

/// A socket on one segment, and what is to be asked there.
struct ProbeSocket {
    port: PacketPort,
    wake: Wake,
    questions: Vec<Frame>,
}

impl ProbeSocket {
    fn open(machine: &Machine, segment: &CheckedSegment) -> Result<Self, String> {
        let link = machine.link(segment.interface()).ok_or("there is no such interface")?;
        let kind: LinkKind = segment.plan.kind.or(link.kind).ok_or("there is no ARP on such links")?;
        let medium = Medium { interface: link.info.index, kind, broadcast: link.info.broadcast };
        let port = PacketPort::open(medium).map_err(|error| error.to_string())?;
        let wake = Wake::on(&port).map_err(|error| error.to_string())?;
        let question = |target| Frame {
            to: None,
            arp: Arp {
                operation: Operation::Request,
                sender_lladdr: link.info.lladdr,
                sender: sender_of(machine, segment),
                target_lladdr: LinkAddr::UNKNOWN,
                target,
            },
        };
        Ok(Self { port, wake, questions: targets(segment).into_iter().map(question).collect() })
    }

    /// Sends the questions.
    fn ask(mut self) -> Result<Self, String> {
        let mut tally = Tally::default();
        self.port.send(&self.questions, &mut tally).map_err(|error| error.to_string())?;
        if tally.unsent > 0 {
            return Err("the link takes no frames".to_owned());
        }
        Ok(self)
    }

    /// All that is said until then.
    async fn listen(&mut self, deadline: Instant) -> Result<Vec<Heard>, String> {
        let (mut heard, mut tally) = (Vec::new(), Tally::default());
        loop {
            while self.port.receive(&mut heard, &mut tally).map_err(|error| error.to_string())? {}
            match timeout_at(deadline, self.wake.readable()).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => return Err(error.to_string()),
                Err(_) => break,
            }
        }
        Ok(heard)
    }
}

/// An address of the machine that the segment's stations know, as far as there is one.
fn sender_of(machine: &Machine, segment: &CheckedSegment) -> Ipv4Addr {
    let inside = |address: Ipv4Addr| segment.plan.prefixes.iter().any(|prefix| prefix.contains(address));
    let own = machine.link(segment.interface()).map(|link| link.info.index);
    let mut addresses: Vec<_> =
        machine.addresses.iter().filter(|info| !info.network.ip().is_loopback()).collect();
    // Those of the subnet first, then those of the interface.
    addresses.sort_by_key(|info| (!inside(info.network.ip()), Some(info.interface) != own));
    let best = addresses.first().filter(|info| inside(info.network.ip()) || Some(info.interface) == own);
    segment.plan.source.or(best.map(|info| info.network.ip())).unwrap_or(Ipv4Addr::UNSPECIFIED)
}

/// Addresses that nobody can have: two for documentation, other ones on each interface, and the networks' own.
fn targets(segment: &CheckedSegment) -> Vec<Ipv4Addr> {
    let sum = segment
        .interface()
        .bytes()
        .fold(0_u32, |sum, octet| sum.wrapping_mul(31).wrapping_add(u32::from(octet)));
    let last = u8::try_from(sum % 254).unwrap_or_default() + 1;
    let nobodys = NOBODYS.iter().map(|[a, b, c]| Ipv4Addr::new(*a, *b, *c, last));
    // RFC 3021: a /31 and a /32 have no network address.
    let networks =
        segment.plan.prefixes.iter().filter(|prefix| prefix.prefix() < 31).map(|prefix| prefix.network());
    nobodys.chain(networks.take(4)).collect()
}

/// Other interfaces of the machine that were heard asking on this one.
fn joined(heard: &[Heard], machine: &Machine, interface: &str) -> Vec<String> {
    let here = machine.link(interface).map(|link| link.info.lladdr);
    let asks = |lladdr: LinkAddr| {
        heard
            .iter()
            .any(|heard| heard.arp.operation == Operation::Request && heard.arp.sender_lladdr == lladdr)
    };
    // VLANs of one interface have its address, and so say nothing.
    let others = machine.links.iter().filter(|link| Some(link.info.lladdr) != here && asks(link.info.lladdr));
    others.map(|link| link.info.name.clone()).collect()
}

/// Each answer to our questions once.
fn answers(heard: &[Heard], targets: &[Ipv4Addr]) -> Vec<(LinkAddr, Ipv4Addr)> {
    let ours =
        |heard: &&Heard| heard.arp.operation == Operation::Reply && targets.contains(&heard.arp.sender);
    let mut answers: Vec<_> =
        heard.iter().filter(ours).map(|heard| (heard.arp.sender_lladdr, heard.arp.sender)).collect();
    answers.sort_unstable_by_key(|(lladdr, address)| (lladdr.to_string(), *address));
    answers.dedup();
    answers
}

#[cfg(test)]
mod tests {
    use super::super::scope::SysctlOwner;
    use super::super::testing::{machine, scope};
    use super::*;

    #[test]
    fn nobody_can_have_what_is_asked_for() {
        let scope = scope(SysctlOwner::Daemon);
        let asked = targets(&scope.segments[0]);
        assert!(asked[0].is_documentation() && asked[1].is_documentation(), "{asked:?}");
        assert_eq!(asked[2], Ipv4Addr::new(10, 9, 0, 0));
        assert_ne!(asked[0], targets(&scope.segments[1])[0], "each interface asks for another one");
    }

    #[test]
    fn the_sender_is_an_address_the_segment_knows() {
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
    fn an_own_interface_that_is_heard_elsewhere_is_on_the_same_link() {
        let machine = machine();
        let lladdr = machine.link("eth1").map(|link| link.info.lladdr).expect("it is there");
        let arp = Arp {
            operation: Operation::Request,
            sender_lladdr: lladdr,
            sender: [10, 9, 0, 1].into(),
            target_lladdr: LinkAddr::UNKNOWN,
            target: [192, 0, 2, 7].into(),
        };
        let heard = [Heard { arp, from: lladdr, mark: None }];
        assert_eq!(joined(&heard, &machine, "eth0"), ["eth1"]);
        assert_eq!(joined(&heard, &machine, "eth1"), [""; 0], "its own address says nothing");
    }

    #[test]
    fn only_answers_to_the_questions_count() {
        let lladdr = LinkAddr::ethernet([2, 0, 0, 0, 0, 9]);
        let said = |operation, sender: [u8; 4]| Heard {
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
        let heard = [
            said(Operation::Reply, [192, 0, 2, 7]),
            said(Operation::Reply, [192, 0, 2, 7]),
            said(Operation::Reply, [10, 9, 0, 20]),
            said(Operation::Request, [192, 0, 2, 7]),
        ];
        let nobody = Ipv4Addr::new(192, 0, 2, 7);
        assert_eq!(answers(&heard, &[nobody]), [(lladdr, nobody)]);
    }
}
