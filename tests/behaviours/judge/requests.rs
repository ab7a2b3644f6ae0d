//! The requests that are compared, and what is known of the answers.

use std::net::Ipv4Addr;
use std::time::Duration;

use arpherd_lab::{ArpFrame, Capture, Host, Mac, Result};

use super::proxies::{Kind, ProxyRig, proxy_delay};
use super::{Reaction, Verdict};
use crate::b_private::redirects;
use crate::b_routed::{BACK, HOLE, LINK_LOCAL, NOWHERE, ONES, WAN};
use crate::rig::{ROUTER, ip};

/// A request.
pub(super) struct Comparison {
    pub(super) kind: Kind,
    pub(super) what: &'static str,
    pub(super) ask: fn(&ProxyRig) -> Result<Reaction>,
    pub(super) verdict: Verdict,
}

/// What comes later is no answer to the request, for nobody delays on purpose but where that is judged.
const LATEST: Duration = Duration::from_millis(300);
/// How long the kernel waits by default, at most.
const DELAY: Duration = Duration::from_millis(800);
/// So soon comes what is not delayed on purpose, on a machine with other work.
const PROMPT: Duration = Duration::from_millis(50);
const STRANGER: Mac = Mac([2, 0, 0, 0, 0, 0xdd]);
const SECOND: Duration = Duration::from_secs(1);

use Reaction::Answers;
use Verdict::{Intended, Same};

const fn routed(what: &'static str, ask: fn(&ProxyRig) -> Result<Reaction>, verdict: Verdict) -> Comparison {
    Comparison { kind: Kind::Routed, what, ask, verdict }
}

const fn private(what: &'static str, ask: fn(&ProxyRig) -> Result<Reaction>, verdict: Verdict) -> Comparison {
    Comparison { kind: Kind::Private, what, ask, verdict }
}

const fn differ(kernel: usize, arpherd: usize, why: &'static str) -> Verdict {
    Intended { kernel: Answers(kernel), arpherd: Answers(arpherd), why }
}

const NO: Verdict = Same(Answers(0));
const YES: Verdict = Same(Answers(1));

/// `proxy_arp` and `answer: routed`.
pub(super) const ROUTED: &[Comparison] = &[
    routed("a host of the other segment", |it| by_a(it, it.b.ip()), YES),
    routed("the same by unicast", |it| unicast(it, it.b.ip()), YES),
    routed("a host of the requester's segment", |it| by_a(it, it.c.ip()), NO),
    routed("what the default route leads to", |it| by_a(it, ONES), YES),
    routed("a link-local address the default route leads to", |it| by_a(it, LINK_LOCAL), YES),
    routed("the router's own address", |it| by_a(it, ROUTER), YES),
    routed("the router's address on another link", |it| by_a(it, WAN), YES),
    routed("what a route leads back", |it| by_a(it, BACK), NO),
    routed("what a route calls unreachable", |it| by_a(it, NOWHERE), NO),
    routed("what a route swallows", |it| by_a(it, HOLE), NO),
    routed("the broadcast address of another link", |it| by_a(it, Ipv4Addr::new(203, 0, 113, 255)), NO),
    routed("a multicast address", |it| by_a(it, Ipv4Addr::new(224, 0, 0, 1)), NO),
    routed("a loopback address", |it| by_a(it, Ipv4Addr::new(127, 0, 0, 1)), NO),
    routed("everybody's address", |it| by_a(it, Ipv4Addr::BROADCAST), NO),
    routed("a host's announcement on its own segment", |it| of(it, own_announcement(it)), NO),
    routed("a probe for an address nobody has", |it| of(it, ArpFrame::probe(STRANGER, ip(77))), NO),
    routed(
        "a probe for an address of the same segment",
        |it| of(it, ArpFrame::probe(STRANGER, it.c.ip())),
        NO,
    ),
    routed(
        "a requester of another subnet",
        |it| of(it, ArpFrame::request(STRANGER, Ipv4Addr::new(172, 16, 9, 9), ONES)),
        YES,
    ),
    routed(
        "a requester that claims to be the router",
        |it| of(it, ArpFrame::request(STRANGER, ROUTER, ONES)),
        NO,
    ),
    routed(
        "an unknown address of the subnet",
        |it| by_a(it, ip(77)),
        differ(
            1,
            0,
            "That no host is known does not mean that the default route leads to one; it may be alive beside the requester.",
        ),
    ),
    routed(
        "the network address",
        |it| by_a(it, ip(0)),
        differ(1, 0, "No host has it, so nobody is to be sent to it."),
    ),
    routed(
        "the broadcast address",
        |it| by_a(it, ip(255)),
        differ(1, 0, "No host has it, so nobody is to be sent to it."),
    ),
    routed(
        "a reserved address (0/8)",
        |it| by_a(it, Ipv4Addr::new(0, 1, 2, 3)),
        differ(1, 0, "Nobody has one; a request for it is a mistake that an answer would hide."),
    ),
    routed(
        "a reserved address (240/4)",
        |it| by_a(it, Ipv4Addr::new(240, 0, 0, 1)),
        differ(1, 0, "Nobody has one; a request for it is a mistake that an answer would hide."),
    ),
    routed(
        "a host that died",
        |it| by_a(it, it.dead.ip()),
        differ(
            1,
            0,
            "Its route is withdrawn, and what is sent for it goes nowhere; the requester learns so by the silence.",
        ),
    ),
    routed(
        "a probe for an address of another segment",
        |it| of(it, ArpFrame::probe(STRANGER, it.b.ip())),
        differ(
            0,
            1,
            "The prober cannot hear the holder, so without a defence both would have it (RFC 5227).",
        ),
    ),
    routed(
        "the announcement of a host that moved",
        |it| of(it, moved(it)),
        differ(1, 0, "An answer would tell a host that its own address is taken."),
    ),
    routed("the same in reply form", |it| of(it, ArpFrame::gratuitous_reply(it.b.mac(), it.b.ip())), NO),
    routed(
        "how soon an answer comes",
        how_soon,
        Intended {
            kernel: Reaction::Late,
            arpherd: Answers(1),
            why: "A host that is known to live there needs no time to answer by itself.",
        },
    ),
];

/// `proxy_arp_pvlan` and `private_vlan: open`. The router's subnet is on the link, no other segment is proxied.
pub(super) const PRIVATE: &[Comparison] = &[
    private("a neighbour behind another isolated port", |it| by_a(it, it.c.ip()), YES),
    private("the same by unicast", |it| unicast(it, it.c.ip()), YES),
    private("a neighbour that never spoke", |it| by_a(it, it.mute.ip()), YES),
    private("the requester itself", |it| of(it, own_announcement(it)), NO),
    private(
        "a probe for the requester's own address",
        |it| of(it, ArpFrame::probe(it.a.mac(), it.a.ip())),
        NO,
    ),
    private("a probe for an address nobody has", |it| of(it, ArpFrame::probe(STRANGER, ip(77))), NO),
    private("what the default route leads to", |it| by_a(it, ONES), NO),
    private("a host of another segment", |it| by_a(it, it.b.ip()), NO),
    private("the router's own address", |it| by_a(it, ROUTER), YES),
    private("the broadcast address", |it| by_a(it, ip(255)), NO),
    private("what a route calls unreachable", |it| by_a(it, NOWHERE), NO),
    private(
        "the network address",
        |it| by_a(it, ip(0)),
        differ(1, 0, "No host has it, so nobody is to be sent to it."),
    ),
    private(
        "a neighbour that does not exist",
        |it| by_a(it, ip(99)),
        differ(
            1,
            0,
            "An answer for nobody hides that nobody is there, and costs the router a search for every packet.",
        ),
    ),
    private(
        "a subnet the router leads back to the link",
        |it| by_a(it, BACK),
        differ(
            1,
            0,
            "Of a private VLAN only live hosts of the domain are answered for; the rest is not known to live.",
        ),
    ),
    private(
        "a probe for a neighbour's address",
        |it| of(it, ArpFrame::probe(STRANGER, it.c.ip())),
        differ(
            0,
            1,
            "Behind isolated ports the prober cannot hear the holder, so without a defence both would have it.",
        ),
    ),
    private(
        "how soon an answer comes",
        how_soon_on_link,
        Intended {
            kernel: Reaction::Late,
            arpherd: Answers(1),
            why: "A host that is known to live there needs no time to answer by itself.",
        },
    ),
    private(
        "packets between neighbours",
        twenty_packets,
        Intended {
            kernel: Reaction::Redirects,
            arpherd: Reaction::NoRedirects,
            why: "A redirect tells the sender to go straight to a neighbour it cannot reach.",
        },
    ),
];

/// Answers of the router to the frame, sent by `A`.
fn of(it: &ProxyRig, request: ArpFrame) -> Result<Reaction> {
    let router = it.rig.mac("eth0");
    let answers = it.a.wire()?.ask(&request, LATEST);
    Ok(Answers(answers.iter().filter(|answer| answer.sha == router).count()))
}

fn by_a(it: &ProxyRig, target: Ipv4Addr) -> Result<Reaction> {
    of(it, it.a.request(target))
}

fn unicast(it: &ProxyRig, target: Ipv4Addr) -> Result<Reaction> {
    of(it, it.a.request(target).unicast_to(it.rig.mac("eth0")))
}

fn own_announcement(it: &ProxyRig) -> ArpFrame {
    ArpFrame::gratuitous(it.a.mac(), it.a.ip())
}

/// `B` was carried over to where `A` is, and says so.
fn moved(it: &ProxyRig) -> ArpFrame {
    ArpFrame::gratuitous(it.b.mac(), it.b.ip())
}

fn how_soon(it: &ProxyRig) -> Result<Reaction> {
    soon(it, &it.b)
}

fn how_soon_on_link(it: &ProxyRig) -> Result<Reaction> {
    soon(it, &it.c)
}

/// The median of nine answers: the kernel waits for a random time, which may be short once.
fn soon(it: &ProxyRig, target: &Host) -> Result<Reaction> {
    proxy_delay(&it.rig, "eth0", DELAY)?;
    let (wire, request) = (it.a.wire()?, it.a.request(target.ip()));
    let answers = (0..9).filter_map(|_| wire.ask_one(&request, 2 * DELAY));
    let mut times: Vec<_> = answers.map(|(_, time)| time).collect();
    times.sort_unstable();
    assert!(times.len() >= 7, "{times:?}");
    Ok(if times[times.len() / 2] > PROMPT { Reaction::Late } else { Answers(1) })
}

fn twenty_packets(it: &ProxyRig) -> Result<Reaction> {
    let capture = Capture::start(&it.a.ns, "eth0")?;
    let pings = it.a.ns.ping(it.c.ip(), 20, SECOND / 20, 2 * SECOND);
    assert!(pings.received >= 18, "{pings:?}");
    Ok(if redirects(&capture) > 0 { Reaction::Redirects } else { Reaction::NoRedirects })
}
