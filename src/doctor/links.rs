//! The segments' interfaces: whether they exist, their state and their kind.

use arpherd_core::plan::LinkKind;
use arpherd_core::subnet::given_by;

use super::finding::{Finding, list_of};
use super::machine::{Machine, MachineLink};
use super::scope::{CheckedSegment, Scope};

pub(super) fn check(scope: &Scope, machine: &Machine) -> Vec<Finding> {
    let links = scope.segments.iter().flat_map(|segment| link_of(scope, machine, segment));
    links.chain(taken_twice(scope)).collect()
}

/// Interfaces of two segments of a domain, which name them differently: by the name and an alternative one.
fn taken_twice(scope: &Scope) -> Vec<Finding> {
    let mut findings = Vec::new();
    for segments in scope.domains().into_values() {
        for (place, segment) in segments.iter().enumerate() {
            let name = segment.interface();
            let Some(first) = segments.iter().take(place).find(|first| first.interface() == name) else {
                continue;
            };
            let found =
                format!("it is the interface of two segments, {} and {}", first.plan.name, segment.plan.name);
            findings.push(
                Finding::error(name, found)
                    .why("an interface serves one segment of a domain; the second is not served")
                    .fix("configure it once; its alternative names are listed by: ip link show"),
            );
        }
    }
    findings
}

fn link_of(scope: &Scope, machine: &Machine, segment: &CheckedSegment) -> Vec<Finding> {
    let name = segment.interface();
    let Some(link) = machine.link(name) else {
        let finding = Finding::error(name, format!("there is no interface {name}"))
            .why("the segment is not served until the interface appears; its hosts are not reached from the others")
            .fix("list the interfaces: ip -br link; and correct the segment's key interface");
        return vec![finding];
    };
    let mut findings = Vec::new();
    findings.extend(state(name, link));
    findings.extend(port(machine, link));
    findings.extend(source(scope, machine, segment, link));
    findings.extend(no_prefix(segment));
    findings.push(kind(machine, segment, link));
    findings.extend(stations_below(machine, link));
    findings
}

fn state(name: &str, link: &MachineLink) -> Option<Finding> {
    if !link.info.up {
        let finding = Finding::error(name, "it is set down")
            .why("no frame is received or sent on it, and the kernel keeps no routes through it")
            .fix(format!("ip link set dev {name} up"));
        return Some(finding);
    }
    if link.info.carrier {
        return None;
    }
    let fix = match link.kind {
        Some(LinkKind::Wifi) => "associate it with its access point; see: iw dev, wpa_cli status".to_owned(),
        Some(LinkKind::Ipoib) => "check the port and the subnet manager: ibstat".to_owned(),
        _ => format!("check the cable and the peer: ethtool {name}"),
    };
    let why = "the link is not established; its hosts are not reached until it is";
    Some(Finding::warning(name, "it has no carrier").why(why).fix(fix))
}

/// A port of a bridge or bond receives no frames of its own.
fn port(machine: &Machine, link: &MachineLink) -> Option<Finding> {
    let name = &link.info.name;
    let of = link.info.port_of.as_deref()?;
    let master = link.info.master.map_or("?", |index| machine.name_of(index));
    let why = match (of, link.kind) {
        ("vrf", _) => return None,
        ("bridge", Some(LinkKind::Wifi)) => {
            "received frames belong to the bridge; and a Wi-Fi station in a bridge passes on frames of its own \
                address only, unless 4addr (WDS) is on at both ends"
        }
        ("bridge", _) => "frames received on a port belong to the bridge, and so do addresses and routes",
        _ => "frames received on a port belong to its master interface, and so do addresses and routes",
    };
    let fix = match link.kind {
        Some(LinkKind::Wifi) if of == "bridge" => {
            format!(
                "for a station: ip link set dev {name} nomaster, and keep it as a segment; for an access point: \
                    interface: {master}"
            )
        }
        _ => format!("interface: {master}"),
    };
    Some(Finding::error(name, format!("it is a port of the {of} {master}")).why(why).fix(fix))
}

/// Wi-Fi ports of a bridge that is a segment: correct for an access point, useless for a station.
fn stations_below(machine: &Machine, link: &MachineLink) -> Vec<Finding> {
    let ports = machine
        .links
        .iter()
        .filter(|port| port.info.master == Some(link.info.index) && port.kind == Some(LinkKind::Wifi));
    let finding = |port: &MachineLink| {
        let name = &port.info.name;
        Finding::info(&link.info.name, format!("{name}, a port of this bridge, is Wi-Fi"))
            .why(
                "correct for an access point; a station passes on frames of its own address only, unless \
                    4addr (WDS) is on at both ends",
            )
            .fix(format!(
                "for a station: ip link set dev {name} nomaster, and configure it as a segment of its own"
            ))
    };
    ports.map(finding).collect()
}

fn source(scope: &Scope, machine: &Machine, segment: &CheckedSegment, link: &MachineLink) -> Option<Finding> {
    let name = segment.interface();
    if let [source, others @ ..] = &segment.plan.sources[..] {
        if machine.owns(*source) || others.iter().any(|source| machine.owns(*source)) {
            return None;
        }
        let found = match others {
            [] => format!("source {source} is not an address of this machine"),
            _ => format!(
                "none of the sources is an address of this machine: {}",
                list_of(&segment.plan.sources)
            ),
        };
        let finding = Finding::error(name, found)
            .why(
                "the kernel refuses routes with a preferred source that is not its own, so the segment is not \
                    served",
            )
            .fix(format!(
                "ip addr add {source}/32 dev {name}, or set another source:, or leave it out where addresses come \
                    by DHCP"
            ));
        return Some(finding);
    }
    let own = |info: &&arpherd_actors::io::netlink::AddressInfo| scope.concerns(info.network.ip());
    if machine.addresses_on(link.info.index).any(|info| own(&info)) {
        return None;
    }
    if let Some(other) = machine.addresses.iter().find(own) {
        let found = format!(
            "it has no address of the domain; {} has {}",
            machine.name_of(other.interface),
            other.network
        );
        let why = "without the key source, routes have no preferred source here and probes no sender address, \
            which some hosts do not answer";
        return Some(Finding::info(name, found).why(why).fix(format!("source: {}", other.network.ip())));
    }
    // Without any address it may be meant; with one of another network the machine is perhaps not where it was.
    let mut elsewhere =
        machine.addresses_on(link.info.index).filter(|info| !given_by(&[info.network], &[]).is_empty());
    if let Some(info) = elsewhere.next().filter(|_| !segment.plan.addresses.prefixes.is_empty()) {
        let found = format!("no interface has an address of the domain; this one has {}", info.network);
        let finding = Finding::warning(name, found)
            .why("the machine may be in another network, in which the domain's prefixes are of no use")
            .fix(format!(
                "ip addr add ADDRESS/32 dev {name}, or correct prefixes:, or have them follow the addresses with \
                    prefixes: auto"
            ));
        return Some(finding);
    }
    let finding = Finding::info(name, "no interface has an address of the domain")
        .why(
            "probes have no sender address, which some hosts do not answer, and the hosts cannot reach this \
                machine itself",
        )
        .fix(format!("ip addr add ADDRESS/32 dev {name} (the same address may be on all segments)"));
    Some(finding)
}

fn no_prefix(segment: &CheckedSegment) -> Option<Finding> {
    if !segment.plan.addresses.prefixes.is_empty() {
        return None;
    }
    let finding = Finding::info(segment.interface(), "no prefix is known")
        .why("routes and addresses were not checked against the subnet")
        .fix("set it with --prefix, such as --prefix 10.2.0.0/24, or use --config FILE");
    Some(finding)
}

/// The kind of the interface, and the restrictions of that kind.
fn kind(machine: &Machine, segment: &CheckedSegment, link: &MachineLink) -> Finding {
    let name = segment.interface();
    let created = link.info.created_as.as_deref().map_or(String::new(), |kind| format!(" ({kind})"));
    let Some(kind) = segment.plan.kind.or(link.kind).filter(|_| link.info.arp) else {
        return Finding::error(name, format!("{name}{created} is no link with ARP"))
            .why(
                "ARP is supported on Ethernet, Wi-Fi and IPoIB; a loopback, tunnel or point-to-point link \
                    has none",
            )
            .fix("set another interface; a tunnel needs a route and no ARP");
    };
    let found = format!("{}{created}, MTU {}", kind.as_str(), link.info.mtu);
    if link
        .kind
        .is_some_and(|detected| detected != kind && (detected == LinkKind::Ipoib || kind == LinkKind::Ipoib))
    {
        return Finding::error(
            name,
            format!("kind: {}, but its addresses are of another kind of link", kind.as_str()),
        )
        .why("frames would have link-layer addresses of the wrong length")
        .fix("kind: auto");
    }
    let why = match kind {
        LinkKind::Wifi if !machine.wireless => {
            "the kernel has no cfg80211, so nl80211 does not report stations that join and leave; it is served \
                as a link whose clients sleep"
        }
        LinkKind::Ethernet => "can also be bridged; where that is possible no proxy is needed",
        LinkKind::Wifi => {
            "a station sends frames of its own address only, so it cannot be bridged; clients sleep, so probes \
                wait longer for their replies"
        }
        LinkKind::Ipoib => {
            "has addresses of 20 octets and cannot be bridged, nor carry VLANs or macvlans; only a proxy can \
                connect it"
        }
    };
    Finding::info(name, found).why(why)
}

#[cfg(test)]
mod tests {
    use super::super::finding::Severity;
    use super::super::scope::SysctlOwner;
    use super::super::testing::{machine, scope};
    use super::*;

    /// Severity and fix of the worst finding about `eth0`.
    fn worst(machine: &Machine) -> (Severity, String) {
        let findings =
            check(&scope(SysctlOwner::Daemon), machine).into_iter().filter(|it| it.subject == "eth0");
        let worst = findings.max_by_key(|finding| finding.severity).expect("at least its kind");
        (worst.severity, worst.fix)
    }

    #[test]
    fn a_correct_interface_is_only_described() {
        assert_eq!(worst(&machine()), (Severity::Info, String::new()));
    }

    #[test]
    fn absent_down_and_without_carrier_are_distinguished() {
        let mut absent = machine();
        absent.links.retain(|link| link.info.name != "eth0");
        assert_eq!(worst(&absent).0, Severity::Error);
        let down = machine().change("eth0", |link| link.info.up = false);
        assert_eq!(worst(&down), (Severity::Error, "ip link set dev eth0 up".into()));
        let dark = machine().change("eth0", |link| link.info.carrier = false);
        assert_eq!(worst(&dark).0, Severity::Warning);
    }

    #[test]
    fn a_port_cannot_be_a_segment_but_its_master_can() {
        let machine = machine().with_link("br0");
        let bridge = machine.link("br0").map(|link| link.info.index);
        let port = |kind: &'static str| {
            machine.clone().change("eth0", |link| {
                link.info.master = bridge;
                link.info.port_of = Some(kind.into());
            })
        };
        assert_eq!(worst(&port("bridge")), (Severity::Error, "interface: br0".into()));
        assert_eq!(worst(&port("bond")), (Severity::Error, "interface: br0".into()));
        assert_eq!(worst(&port("vrf")).0, Severity::Info);
        let station = port("bridge").change("eth0", |link| link.kind = Some(LinkKind::Wifi));
        assert!(worst(&station).1.starts_with("for a station: ip link set dev eth0 nomaster"));
    }

    #[test]
    fn a_bridge_with_a_wifi_port_is_reported() {
        let machine = machine().with_link("wlan0");
        let bridge = machine.link("eth0").map(|link| link.info.index);
        let machine = machine.change("wlan0", |link| {
            link.info.master = bridge;
            link.kind = Some(LinkKind::Wifi);
        });
        assert!(check(&scope(SysctlOwner::Daemon), &machine).iter().any(|it| it.found.contains("wlan0")));
    }

    #[test]
    fn a_source_must_be_an_address_of_the_machine() {
        let mut scope = scope(SysctlOwner::Daemon);
        scope.segments[0].plan.sources = vec![[10, 9, 0, 7].into()];
        let findings = check(&scope, &machine());
        assert!(findings.iter().any(|it| it.severity == Severity::Error && it.found.contains("10.9.0.7")));
        assert!(
            check(&scope, &machine().with_address("lo", "10.9.0.7/32"))
                .iter()
                .all(|it| it.severity == Severity::Info)
        );
    }

    #[test]
    fn an_interface_named_twice_is_reported_and_goes_by_its_own_name() {
        let machine = machine().change("eth0", |link| link.info.alternative_names = vec!["uplink".into()]);
        let links: Vec<_> = machine.links.iter().map(|link| link.info.clone()).collect();
        let mut scope = scope(SysctlOwner::Daemon);
        scope.segments[0].plan.interface = "uplink".into();
        scope.use_kernel_names(&links);
        assert!(check(&scope, &machine).iter().all(|it| it.severity < Severity::Error));
        scope.segments[1].plan.interface = "uplink".into();
        scope.use_kernel_names(&links);
        let findings = check(&scope, &machine);
        let twice = findings.iter().find(|it| it.severity == Severity::Error).expect("a finding");
        assert!(twice.subject == "eth0" && twice.found.contains("two segments"), "{twice:?}");
    }

    #[test]
    fn a_link_without_arp_cannot_be_a_segment() {
        assert_eq!(worst(&machine().change("eth0", |link| link.kind = None)).0, Severity::Error);
        assert_eq!(worst(&machine().change("eth0", |link| link.info.arp = false)).0, Severity::Error);
    }

    #[test]
    fn a_kernel_without_cfg80211_is_reported_for_wifi_only() {
        let mut machine = machine();
        machine.wireless = false;
        let is_reported = |machine: &Machine| {
            check(&scope(SysctlOwner::Daemon), machine).iter().any(|it| it.why.contains("cfg80211"))
        };
        assert!(!is_reported(&machine));
        assert!(is_reported(&machine.change("eth0", |link| link.kind = Some(LinkKind::Wifi))));
    }

    #[test]
    fn addresses_of_the_wrong_length_are_reported() {
        let mut scope = scope(SysctlOwner::Daemon);
        scope.segments[0].plan.kind = Some(LinkKind::Ipoib);
        let findings = check(&scope, &machine());
        assert!(findings.iter().any(|it| it.severity == Severity::Error && it.fix == "kind: auto"));
    }
}
