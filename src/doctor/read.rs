//! Reads the state of the machine that the checks need, in the network namespace of the calling thread.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use arpherd_actors::io::bpf::count_programs;
use arpherd_actors::io::dhcp::SERVER_PORT;
use arpherd_actors::io::lock::served;
use arpherd_actors::io::netlink::{LinkInfo, NetlinkError, Reader, find_link};
use arpherd_actors::io::netns::Netns;
use arpherd_actors::io::packet_filter::{Hook, policies};
use arpherd_actors::io::port_holders::udp_port_holders;
use arpherd_actors::io::process::{Rights, is_in_initial_user_namespace};
use arpherd_actors::io::sysctl::{Setting, Sysctls};
use arpherd_actors::required_sysctls::{RequiredSysctl, SysctlDir, SysctlMode, required_sysctls};

use super::dhcp::kea;
use super::fabric::announced;
use super::machine::{DhcpState, Filters, KernelBuild, Machine, MachineLink, Process};
use super::scope::{CheckedSegment, Scope};
use super::standby::keepalived;

/// Reads the state of `netns`, which must be the namespace of the calling thread. The scope's interfaces go by the
/// kernel's names from then on, as its sysctls do.
///
/// # Errors
/// If the interfaces, addresses, routes or neighbours cannot be read. Other failures are reported by the checks.
pub(super) fn machine(scope: &mut Scope, netns: &Netns) -> Result<Machine, NetlinkError> {
    let mut reader = Reader::open()?;
    let links = reader.links()?;
    scope.use_kernel_names(&links);
    let addresses = reader.addresses()?;
    scope.follow_addresses(&links, &addresses);
    let count = |link: &LinkInfo| Some((link.name.clone(), count_programs(link.index).ok()?));
    let programs = links.iter().filter_map(count).collect();
    let mut filters_of = |segment: &CheckedSegment| {
        let link = find_link(links.iter(), segment.interface())?;
        Some((link.name.clone(), reader.ingress_filters(link.index).ok()?))
    };
    let ingress = scope.segments.iter().filter_map(&mut filters_of).collect();
    let links = links.into_iter().map(|info| MachineLink { kind: info.kind_in(netns), info }).collect();
    let mut rules = reader.rules().map_err(|error| error.to_string());
    if let Ok(rules) = &mut rules {
        rules.sort_by_key(|rule| rule.priority);
    }
    Ok(Machine {
        links,
        addresses,
        routes: reader.routes()?,
        rules,
        neighbours: reader.neighbours()?,
        proxies: reader.proxies()?,
        settings: settings(scope),
        filters: filters(Hook::Forward),
        wireless: Path::new("/sys/class/ieee80211").exists(),
        served: served().map_err(|error| error.to_string()),
        probed: None,
        programs,
        ingress,
        dhcp: scope.has_dhcp().then(|| dhcp(netns)),
        keepalived: if scope.segments.iter().any(|it| it.ha.is_some()) {
            keepalived::find(netns.name().is_none())
        } else {
            None
        },
        announced: if netns.name().is_none() && scope.has_fabric() { announced::ask() } else { Vec::new() },
    })
}

fn filters(hook: Hook) -> Filters {
    let policies = policies(hook);
    Filters {
        chains: policies.nf_tables.map_err(|error| error.to_string()),
        iptables: policies.ip_tables.map_err(|error| error.to_string()),
    }
}

/// What DHCP meets here.
fn dhcp(netns: &Netns) -> DhcpState {
    let holders = udp_port_holders(SERVER_PORT).map_err(|error| error.to_string());
    // Of a Kea in another namespace the file is known only if it runs there.
    let kea = kea::file_of(holders.as_deref().unwrap_or_default(), netns.name().is_none());
    DhcpState { kea: kea.map(|path| kea::read(&path)), holders, input: filters(Hook::Input), probed: None }
}

/// The sysctls that any answer mode requires.
fn requirements() -> Vec<RequiredSysctl> {
    let all = [
        SysctlMode::default(),
        SysctlMode { proxies: true, answers_on_link: true, hairpins: true, ..SysctlMode::default() },
        SysctlMode { entries: true, ..SysctlMode::default() },
    ];
    all.into_iter().flat_map(required_sysctls).collect()
}

/// The values for the segments' interfaces, for `all`, and for the neighbour table. Those that cannot be read are
/// absent, which the checks report.
fn settings(scope: &Scope) -> BTreeMap<String, i32> {
    let sysctls = Sysctls::new();
    let mut wanted: Vec<Setting> =
        ["gc_thresh1", "gc_thresh2", "gc_thresh3"].map(|key| Setting::neigh("default", key)).into();
    for need in requirements() {
        let names = scope.segments.iter().map(CheckedSegment::interface);
        wanted.extend(names.map(|name| need.setting(name)));
        if need.dir == SysctlDir::Conf {
            wanted.push(need.setting("all"));
        }
    }
    let value = |setting: &Setting| sysctls.read(setting).ok();
    wanted.iter().filter_map(|setting| Some((setting.to_string(), value(setting)?))).collect()
}

/// Reads the state that all network namespaces share.
pub(super) fn process() -> Process {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let kernel = KernelBuild {
        release: release.trim().to_owned(),
        packet_sockets: Path::new("/proc/net/packet").exists(),
    };
    let rights = Rights::own().map_err(|error| error.to_string());
    Process { rights, is_confined: !is_in_initial_user_namespace(), kernel }
}
