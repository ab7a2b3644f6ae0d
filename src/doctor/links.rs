//! The segments' interfaces: whether they are there, and what they can and cannot do.

use arpherd_core::plan::LinkKind;

use super::finding::Finding;
use super::machine::{Machine, MachineLink};
use super::scope::{CheckedSegment, Scope};

pub(super) fn check(scope: &Scope, machine: &Machine) -> Vec<Finding> {
    scope.segments.iter().flat_map(|segment| link_of(scope, machine, segment)).collect()
}

fn link_of(scope: &Scope, machine: &Machine, segment: &CheckedSegment) -> Vec<Finding> {
    let name = segment.interface();
    let Some(link) = machine.link(name) else {
        let finding = Finding::error(name, format!("there is no interface {name}"))
            .why("the segment is not served until it appears; its hosts are not reached from the others")
            .fix("if the name is wrong: ip -br link, and the segment's key interface");
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
            .why("nothing is heard or sent on it, and the kernel keeps no routes through it")
            .fix(format!("ip link set dev {name} up"));
        return Some(finding);
    }
    if link.info.carrier {
        return None;
    }
    let fix = match link.kind {
        Some(LinkKind::Wifi) => "associate it with its access point: iw dev, wpa_cli status".to_owned(),
        Some(LinkKind::Ipoib) => "look at the port and the subnet manager: ibstat".to_owned(),
        _ => format!("cable, switch port, or whatever it leads to: ethtool {name}"),
    };
    let why = "there is no link to the other side; its hosts are not reached until there is";
    Some(Finding::warning(name, "it has no carrier").why(why).fix(fix))
}

/// A port of something else has no frames of its own.
fn port(machine: &Machine, link: &MachineLink) -> Option<Finding> {
    let name = &link.info.name;
    let of = link.info.port_of.as_deref()?;
    let above = link.info.master.map_or("?", |index| machine.name_of(index));
    let why = match (of, link.kind) {
        ("vrf", _) => return None,
        ("bridge", Some(LinkKind::Wifi)) => {
            "frames that come in belong to the bridge; and a Wi-Fi station in a bridge passes on frames of \
                its own address only, unless 4addr (WDS) is on at both ends"
        }
        ("bridge", _) => "frames that come in on a port belong to the bridge, and so do addresses and routes",
        _ => "frames that come in on a port belong to the interface above it, and so do addresses and routes",
    };
    let fix = match link.kind {
        Some(LinkKind::Wifi) if of == "bridge" => {
            format!(
                "a station: ip link set dev {name} nomaster, and keep it as a segment; an access point: \
                    interface: {above}"
            )
        }
        _ => format!("interface: {above}"),
    };
    Some(Finding::error(name, format!("it is a port of the {of} {above}")).why(why).fix(fix))
}

/// Wi-Fi ports of a bridge that is a segment: right for an access point, useless for a station.
fn stations_below(machine: &Machine, link: &MachineLink) -> Vec<Finding> {
    let ports = machine
        .links
        .iter()
        .filter(|port| port.info.master == Some(link.info.index) && port.kind == Some(LinkKind::Wifi));
    let finding = |port: &MachineLink| {
        let name = &port.info.name;
        Finding::info(&link.info.name, format!("{name}, a port of this bridge, is Wi-Fi"))
            .why(
                "right for an access point; a station passes on frames of its own address only, unless \
                    4addr (WDS) is on at both ends",
            )
            .fix(format!(
                "if it is a station: ip link set dev {name} nomaster, and make it a segment of its own"
            ))
    };
    ports.map(finding).collect()
}

fn source(scope: &Scope, machine: &Machine, segment: &CheckedSegment, link: &MachineLink) -> Option<Finding> {
    let name = segment.interface();
    if let Some(source) = segment.plan.source {
        if machine.owns(source) {
            return None;
        }
        let finding = Finding::error(name, format!("source {source} is not an address of this machine"))
            .why(
                "the kernel refuses routes with a preferred source that it does not have, so the segment \
                    is not served",
            )
            .fix(format!("ip addr add {source}/32 dev {name}, or another source:"));
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
        let why = "routes have no preferred source here and probes no sender, unless source: names one; \
            some hosts do not answer those";
        return Some(Finding::info(name, found).why(why).fix(format!("source: {}", other.network.ip())));
    }
    let finding = Finding::info(name, "no interface has an address of the domain")
        .why(
            "probes go out without a sender address, which some hosts do not answer, and this machine \
                itself is not reached by the hosts",
        )
        .fix(format!("ip addr add ADDRESS/32 dev {name} (the same address may be on all segments)"));
    Some(finding)
}

fn no_prefix(segment: &CheckedSegment) -> Option<Finding> {
    if !segment.plan.prefixes.is_empty() {
        return None;
    }
    let finding = Finding::info(segment.interface(), "no prefix is known")
        .why("routes, addresses and the default route were not compared with the subnet")
        .fix("name it: --prefix 10.2.0.0/24, or use --config FILE");
    Some(finding)
}

/// What the interface is, and what such links can and cannot do.
fn kind(machine: &Machine, segment: &CheckedSegment, link: &MachineLink) -> Finding {
    let name = segment.interface();
    let made = link.info.created_as.as_deref().map_or(String::new(), |kind| format!(" ({kind})"));
    let Some(kind) = segment.plan.kind.or(link.kind).filter(|_| link.info.arp) else {
        return Finding::error(name, format!("{name}{made} is no link with ARP"))
            .why(
                "ARP is understood on Ethernet, Wi-Fi and IPoIB; a loopback, tunnel or point-to-point link \
                    has none",
            )
            .fix("interface: another one; a tunnel needs a route and no ARP");
    };
    let found = format!("{}{made}, MTU {}", kind.as_str(), link.info.mtu);
    if link
        .kind
        .is_some_and(|detected| detected != kind && (detected == LinkKind::Ipoib || kind == LinkKind::Ipoib))
    {
        return Finding::error(
            name,
            format!("kind: {}, but its addresses are another link's", kind.as_str()),
        )
        .why("frames would be written and read with addresses of the wrong length")
        .fix("kind: auto");
    }
    let why = match kind {
        LinkKind::Wifi if !machine.wireless => {
            "the kernel has no cfg80211, so nl80211 does not tell who comes and goes; it is served as a \
                link whose clients sleep"
        }
        LinkKind::Ethernet => "can be bridged, too; where that is possible no proxy is needed",
        LinkKind::Wifi => {
            "a station sends frames of its own address only, so it cannot be bridged; its clients sleep, \
                and are asked with more patience"
        }
        LinkKind::Ipoib => {
            "has addresses of 20 octets and cannot be bridged, nor carry VLANs or macvlans; proxying is \
                the only way to join it"
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

    /// The worst that is said of `eth0`.
    fn worst(machine: &Machine) -> (Severity, String) {
        let findings =
            check(&scope(SysctlOwner::Daemon), machine).into_iter().filter(|it| it.subject == "eth0");
        let worst = findings.max_by_key(|finding| finding.severity).expect("at least what it is");
        (worst.severity, worst.fix)
    }

    #[test]
    fn an_interface_in_order_is_only_described() {
        assert_eq!(worst(&machine()), (Severity::Info, String::new()));
    }

    #[test]
    fn absent_down_and_without_carrier_are_told_apart() {
        let mut absent = machine();
        absent.links.retain(|link| link.info.name != "eth0");
        assert_eq!(worst(&absent).0, Severity::Error);
        let down = machine().change("eth0", |link| link.info.up = false);
        assert_eq!(worst(&down), (Severity::Error, "ip link set dev eth0 up".into()));
        let dark = machine().change("eth0", |link| link.info.carrier = false);
        assert_eq!(worst(&dark).0, Severity::Warning);
    }

    #[test]
    fn a_port_is_no_segment_but_what_is_above_it_is() {
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
        assert!(worst(&station).1.starts_with("a station: ip link set dev eth0 nomaster"));
    }

    #[test]
    fn a_bridge_with_a_station_in_it_is_told() {
        let machine = machine().with_link("wlan0");
        let bridge = machine.link("eth0").map(|link| link.info.index);
        let machine = machine.change("wlan0", |link| {
            link.info.master = bridge;
            link.kind = Some(LinkKind::Wifi);
        });
        assert!(check(&scope(SysctlOwner::Daemon), &machine).iter().any(|it| it.found.contains("wlan0")));
    }

    #[test]
    fn a_source_has_to_be_an_address_of_the_machine() {
        let mut scope = scope(SysctlOwner::Daemon);
        scope.segments[0].plan.source = Some([10, 9, 0, 7].into());
        let findings = check(&scope, &machine());
        assert!(findings.iter().any(|it| it.severity == Severity::Error && it.found.contains("10.9.0.7")));
        assert!(
            check(&scope, &machine().with_address("lo", "10.9.0.7/32"))
                .iter()
                .all(|it| it.severity == Severity::Info)
        );
    }

    #[test]
    fn a_link_without_arp_is_no_segment() {
        assert_eq!(worst(&machine().change("eth0", |link| link.kind = None)).0, Severity::Error);
        assert_eq!(worst(&machine().change("eth0", |link| link.info.arp = false)).0, Severity::Error);
    }

    #[test]
    fn wireless_is_asked_of_the_kernel_only_for_a_wireless_segment() {
        let mut machine = machine();
        machine.wireless = false;
        let tells = |machine: &Machine| {
            check(&scope(SysctlOwner::Daemon), machine).iter().any(|it| it.why.contains("cfg80211"))
        };
        assert!(!tells(&machine));
        assert!(tells(&machine.change("eth0", |link| link.kind = Some(LinkKind::Wifi))));
    }

    #[test]
    fn addresses_of_the_wrong_length_are_noticed() {
        let mut scope = scope(SysctlOwner::Daemon);
        scope.segments[0].plan.kind = Some(LinkKind::Ipoib);
        let findings = check(&scope, &machine());
        assert!(findings.iter().any(|it| it.severity == Severity::Error && it.fix == "kind: auto"));
    }
}
