//! Entries that an earlier run left in the kernel.

use arpherd_core::Write;

use super::{NetlinkError, ProxyInfo, Reader};
use crate::io::RouteTable;

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
