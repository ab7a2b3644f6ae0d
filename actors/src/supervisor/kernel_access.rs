//! What an instance needs of the kernel before its actors start: capabilities, locks, and clean proxy entries.

use std::net::Ipv4Addr;

use arpherd_core::plan::{LinkKind, SegmentPlan};
use arpherd_core::{LinkAddr, Plan, Write};
use slog::{Logger, info, warn};

use super::StartError;
use super::locks::Locks;
use crate::io::netlink::leftovers::{clear_proxies, clear_shared_lladdrs};
use crate::io::netlink::shared_lladdr;
use crate::io::netlink::{NetlinkError, Reader, RouteWriter};
use crate::io::packet::{Medium, PacketPort};
use crate::io::{PortError, RouteTable};
use crate::known_links::KnownLinks;

/// The loopback interface's index in every network namespace.
const LOOPBACK: u32 = 1;
const EPERM: i32 = 1;

/// Opens the kernel's tables and locks the interfaces. Called in the instance's network namespace, whose links are
/// returned, too.
pub(super) fn acquire(plan: &Plan) -> Result<(RouteWriter, Locks, KnownLinks), StartError> {
    let mut table = RouteWriter::open(plan.routes)?;
    check_capabilities(&mut table)?;
    let mut locks = Locks::default();
    let links = links()?;
    locks.take(plan.routes.protocol, interfaces(plan), &links)?;
    Ok((table, locks, links))
}

/// Clears what a run that crashed left on the plan's interfaces, and opens what the tables need besides routes. The locks
/// must be held. Called in the instance's network namespace.
pub(super) fn clean(table: &mut RouteWriter, plan: &Plan, log: &Logger) {
    clear_proxy_entries(table, &interfaces(plan).collect::<Vec<_>>(), plan, log);
    prepare_shared_lladdrs(table, plan, log);
}

fn interfaces(plan: &Plan) -> impl Iterator<Item = &str> {
    plan.segments.iter().map(|segment| segment.interface.as_str())
}

/// Locks more interfaces, of which all are locked or none, and clears what a run that crashed left there. Called in the
/// instance's network namespace.
pub(super) fn acquire_more(
    plan: &Plan,
    interfaces: &[String],
    locks: &mut Locks,
    log: &Logger,
) -> Result<(), StartError> {
    let names: Vec<&str> = interfaces.iter().map(String::as_str).collect();
    if names.is_empty() {
        return Ok(());
    }
    locks.take(plan.routes.protocol, names.iter().copied(), &links()?)?;
    clear_proxy_entries(&mut RouteWriter::open(plan.routes)?, &names, plan, log);
    Ok(())
}

/// The links of the namespace.
fn links() -> Result<KnownLinks, NetlinkError> {
    Ok(Reader::open()?.links()?.into_iter().collect())
}

/// Tries operations without effect on the loopback interface: a daemon that lacks a capability says so at the
/// start, even if its interfaces do not exist yet.
fn check_capabilities(table: &mut RouteWriter) -> Result<(), StartError> {
    let no_route = Write::DeleteRoute { interface: LOOPBACK, address: Ipv4Addr::BROADCAST };
    let mut refusals = Vec::new();
    table.write(&[no_route], &mut refusals);
    if refusals.iter().any(|refusal| refusal.errno == EPERM) {
        return Err(StartError::Rights { right: "CAP_NET_ADMIN" });
    }
    let medium = Medium { interface: LOOPBACK, kind: LinkKind::Ethernet, broadcast: LinkAddr::UNKNOWN };
    // It is closed elsewhere: see `io::packet::closing`.
    match PacketPort::open_send_only(medium, false) {
        Err(PortError::Failed { cause, .. }) if cause.raw_os_error() == Some(EPERM) => {
            Err(StartError::Rights { right: "CAP_NET_RAW" })
        }
        Err(error) => Err(error.into()),
        Ok(_) => Ok(()),
    }
}

/// Opens what second link-layer addresses need, where some are configured, and deletes those of an earlier run that are
/// not. What cannot be opened shows when the first of them is written, and its segment goes on without.
fn prepare_shared_lladdrs(table: &mut RouteWriter, plan: &Plan, log: &Logger) {
    let is_wanted = plan.domains.iter().any(|domain| domain.gateway_lladdr.is_some());
    if !is_wanted && !shared_lladdr::is_supported() {
        return;
    }
    let lladdr_of = |segment: &SegmentPlan| {
        plan.domains.get(usize::from(segment.domain.0)).and_then(|domain| domain.gateway_lladdr)
    };
    let interfaces: Vec<_> =
        plan.segments.iter().map(|segment| (segment.interface.as_str(), lladdr_of(segment))).collect();
    match table.open_shared_lladdrs().and_then(|()| clear_shared_lladdrs(table, &interfaces)) {
        Ok(0) => {}
        Ok(count) => info!(log, "shared_lladdrs_cleared"; "count" => count),
        Err(error) if is_wanted => warn!(log, "kernel_unreadable"; "error" => %error),
        Err(_) => {}
    }
}

/// Deletes proxy entries of a run that crashed: the kernel would answer for hosts that are long gone. Routes of
/// such a run are adopted instead. The locks must be held, so that no other daemon uses the entries.
fn clear_proxy_entries(table: &mut RouteWriter, interfaces: &[&str], plan: &Plan, log: &Logger) {
    match clear_proxies(table, interfaces, plan.routes.protocol) {
        Ok(0) => {}
        Ok(count) => info!(log, "proxy_entries_cleared"; "count" => count),
        Err(error) => warn!(log, "kernel_unreadable"; "error" => %error),
    }
}
