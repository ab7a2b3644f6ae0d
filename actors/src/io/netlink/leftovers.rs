//! Entries that an earlier run left in the kernel.

use arpherd_core::{LinkAddr, Write};

use super::{NetlinkError, ProxyInfo, Reader, shared_lladdr};
use crate::io::RouteTable;

/// Deletes every second link-layer address on these interfaces but those given with them, and returns how many were
/// deleted; also those of interfaces that are no more. To be called before a run writes its own.
///
/// # Errors
/// If the kernel does not list them.
pub fn clear_shared_lladdrs(
    table: &mut dyn RouteTable,
    interfaces: &[(&str, Option<LinkAddr>)],
) -> Result<usize, NetlinkError> {
    let there = shared_lladdr::list()?;
    if there.is_empty() {
        return Ok(0);
    }
    let links = Reader::open()?.links()?;
    let is_left = |index: u32, lladdr: &LinkAddr| {
        let Some(link) = links.iter().find(|link| link.index == index) else { return true };
        let mut ours = interfaces.iter().filter(|(name, _)| link.is_called(name)).peekable();
        ours.peek().is_some() && ours.all(|(_, wanted)| wanted.as_ref() != Some(lladdr))
    };
    let left = there.into_iter().filter(|(index, lladdr)| is_left(*index, lladdr));
    let writes: Vec<_> =
        left.map(|(interface, lladdr)| Write::DeleteSharedLladdr { interface, lladdr }).collect();
    let mut refusals = Vec::new();
    table.write(&writes, &mut refusals);
    Ok(writes.len() - refusals.len())
}

/// Deletes every proxy entry on these interfaces that bears the protocol number, and returns how many were deleted. To be
/// called before a run writes entries of its own.
///
/// On kernels before 5.0 entries bear no number, and none is found.
///
/// # Errors
/// If the kernel does not list them.
pub fn clear_proxies(
    table: &mut dyn RouteTable,
    interfaces: &[&str],
    protocol: u8,
) -> Result<usize, NetlinkError> {
    let mut reader = Reader::open()?;
    let mut proxies = reader.proxies()?;
    proxies.retain(|entry| entry.protocol == protocol);
    if proxies.is_empty() {
        return Ok(0);
    }
    let links = reader.links()?;
    let ours = |index| {
        links.iter().any(|link| link.index == index && interfaces.iter().any(|name| link.is_called(name)))
    };
    let leftovers = proxies.iter().filter(|entry| ours(entry.interface));
    let delete =
        |entry: &ProxyInfo| Write::DeleteProxy { interface: entry.interface, address: entry.address };
    let writes: Vec<_> = leftovers.map(delete).collect();
    let mut refusals = Vec::new();
    table.write(&writes, &mut refusals);
    Ok(writes.len() - refusals.len())
}
