//! Entries that an earlier run left behind.

use super::{NetlinkError, Reader};
use crate::io::{RouteTable, Write};

/// Takes away every proxy entry on these interfaces that bears the protocol number, and says how many there
/// were. Whoever starts anew does so before it writes its own: of an earlier run's it knows nothing.
///
/// On kernels before 5.0 entries bear no number, and none is found.
///
/// # Errors
/// If the kernel will not list them.
pub fn clear_proxies(
    table: &mut dyn RouteTable,
    interfaces: &[&str],
    protocol: u8,
) -> Result<usize, NetlinkError> {
    let mut reader = Reader::open()?;
    let mut proxies = reader.proxies()?;
    proxies.retain(|seen| seen.protocol == protocol);
    if proxies.is_empty() {
        return Ok(0);
    }
    let links = reader.links()?;
    let ours = |index| links.iter().any(|link| link.index == index && interfaces.contains(&&*link.name));
    let strays = proxies.iter().filter(|seen| ours(seen.interface));
    let writes: Vec<_> =
        strays.map(|seen| Write::DeleteProxy { interface: seen.interface, address: seen.address }).collect();
    let mut refusals = Vec::new();
    table.write(&writes, &mut refusals);
    Ok(writes.len() - refusals.len())
}
