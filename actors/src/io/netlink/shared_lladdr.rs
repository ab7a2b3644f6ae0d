//! A second link-layer address of an Ethernet interface, that several interfaces share.
//!
//! Three objects in the kernel make it one that packets may be sent to:
//!
//! ```text
//! address filter   `bridge fdb add LLADDR dev IF self permanent`: the network card receives its frames
//!                  (`ndo_dflt_fdb_add`; on a bridge, `br_fdb_add` keeps it from flooding them)
//! netdev table     on ingress: destination LLADDR => packet type "for this station", which `eth_type_trans` gives
//!                  only to the interface's own address, and without which `ip_rcv` and `arp_rcv` drop the packet
//! arp table        on output: ARP of the kernel's own that bears the interface's address as sender bears LLADDR, so
//!                  that neighbours have this machine's own addresses at it, too
//! ```
//!
//! All three are the interface's: packets still come in on it, so its firewall rules, `rp_filter`, redirects, VRF and
//! routes are as before, which with a macvlan interface on top they are not. And all three outlive the daemon, so
//! neighbours that send to the address reach somebody while it restarts. The tables are named after the interface's
//! number and the address: that is how a later run finds what an earlier one left.
//!
//! Needs nf_tables with its families netdev and arp (`CONFIG_NF_TABLES_NETDEV`, `CONFIG_NF_TABLES_ARP`), as all
//! distributions have them since Linux 4.18 or so; the modules are loaded by the kernel as they are asked for.

mod message;

use std::io;
use std::path::Path;

use arpherd_core::LinkAddr;
use neli::consts::nl::NlmF;
use neli::consts::rtnl::{Nda, Ntf, Nud, RtAddrFamily, Rtm, Rtn};
use neli::consts::socket::NlFamily;
use neli::rtnl::NdmsgBuilder;
use neli::types::RtBuffer;

use super::compose::{Unwritable, Verb, append, attribute};
use super::socket::Channel;
use super::{NetlinkError, Reader};
use message::Batch;

/// First in the name of every table of ours.
const PREFIX: &str = "arpherd-";
/// Bytes for the kernel's answers.
const RECEIVE_BUFFER: usize = 1 << 16;
/// `AF_BRIDGE`, the family of address filters.
const AF_BRIDGE: u8 = 7;
/// `NFPROTO_NETDEV` and `NFPROTO_ARP`.
const NETDEV: u8 = 5;
const ARP: u8 = 3;

/// Why the kernel does not take a second address.
#[derive(Debug, thiserror::Error)]
#[error("cannot {doing}: {cause}")]
pub struct Failure {
    /// What was tried.
    pub doing: &'static str,
    /// What the kernel said.
    #[source]
    pub cause: io::Error,
}

/// Gives interfaces a second address, and takes it away.
pub(super) struct SharedLladdrs {
    filters: Channel,
    tables: Channel,
    room: Box<[u8; 8192]>,
}

impl SharedLladdrs {
    /// Opens its sockets in the calling thread's network namespace.
    pub(super) fn open() -> io::Result<Self> {
        let filters = Channel::open(RECEIVE_BUFFER)?;
        let tables = Channel::open_to(NlFamily::Netfilter, RECEIVE_BUFFER)?;
        filters.nonblock()?;
        tables.nonblock()?;
        Ok(Self { filters, tables, room: Box::new([0; 8192]) })
    }

    /// Has the interface receive what is sent to the address, and this machine speak with it instead of `own`. What
    /// is there of it already is replaced in one transaction.
    pub(super) fn put(&mut self, interface: u32, lladdr: &LinkAddr, own: &LinkAddr) -> Result<(), Failure> {
        let name = self.name_of(interface)?;
        self.filter(interface, lladdr, true)?;
        let table = table_name(interface, lladdr);
        let outcome =
            self.ingress(&table, &name, lladdr).and_then(|()| self.output(&table, interface, lladdr, own));
        if outcome.is_err() {
            let _ = self.delete(interface, lladdr);
        }
        outcome
    }

    /// Undoes it; what is not there is no error.
    pub(super) fn delete(&mut self, interface: u32, lladdr: &LinkAddr) -> Result<(), Failure> {
        let table = table_name(interface, lladdr);
        let mut batch = Batch::new();
        for family in [NETDEV, ARP] {
            // A table that is added and deleted in one transaction need not have been there.
            batch.table(family, &table).delete_table(family, &table);
        }
        self.commit(batch, "delete an nf_tables table")?;
        self.filter(interface, lladdr, false)
    }

    fn ingress(&mut self, table: &str, interface: &str, lladdr: &LinkAddr) -> Result<(), Failure> {
        let mut batch = Batch::new();
        batch.table(NETDEV, table).delete_table(NETDEV, table).table(NETDEV, table);
        batch.ingress_chain(table, interface);
        batch.accept_as_ours(table, lladdr.octets());
        self.commit(batch, "have nf_tables take packets to a second link-layer address (family netdev)")
    }

    fn output(
        &mut self,
        table: &str,
        interface: u32,
        lladdr: &LinkAddr,
        own: &LinkAddr,
    ) -> Result<(), Failure> {
        let mut batch = Batch::new();
        batch.table(ARP, table).delete_table(ARP, table).table(ARP, table);
        batch.arp_output_chain(table);
        batch.rewrite_sender(table, interface, own.octets(), lladdr.octets());
        self.commit(batch, "have nf_tables write a second link-layer address into ARP (family arp)")
    }

    fn name_of(&self, interface: u32) -> Result<String, Failure> {
        let failed = |cause| Failure { doing: "find the interface's name", cause };
        rustix::net::netdevice::index_to_name(&self.filters, interface).map_err(|errno| failed(errno.into()))
    }

    /// Adds the address to those that the interface receives, or removes it.
    fn filter(&mut self, interface: u32, lladdr: &LinkAddr, add: bool) -> Result<(), Failure> {
        let failed = |cause| Failure { doing: "add an address to those that the interface receives", cause };
        let mut message = Vec::new();
        compose_filter(&mut message, interface, lladdr, add)
            .map_err(|Unwritable| failed(io::ErrorKind::InvalidInput.into()))?;
        let absent = [libc::ENOENT, libc::ENODEV];
        match self.filters.exchange(&message, &mut self.room[..]) {
            Err(cause) if !add && cause.raw_os_error().is_some_and(|errno| absent.contains(&errno)) => Ok(()),
            outcome => outcome.map_err(failed),
        }
    }

    fn commit(&mut self, batch: Batch, doing: &'static str) -> Result<(), Failure> {
        self.tables.exchange(&batch.finish(), &mut self.room[..]).map_err(|cause| Failure { doing, cause })
    }
}

fn compose_filter(
    batch: &mut Vec<u8>,
    interface: u32,
    lladdr: &LinkAddr,
    add: bool,
) -> Result<(), Unwritable> {
    let mut attributes = RtBuffer::new();
    attributes.push(attribute(Nda::Lladdr, lladdr.octets())?);
    let body = NdmsgBuilder::default()
        .ndm_family(RtAddrFamily::from(AF_BRIDGE))
        .ndm_index(i32::try_from(interface).map_err(|_| Unwritable)?)
        .ndm_state(Nud::PERMANENT)
        .ndm_flags(Ntf::SELF)
        .ndm_type(Rtn::Unspec)
        .rtattrs(attributes)
        .build()
        .map_err(|_| Unwritable)?;
    // Without NLM_F_EXCL an address that is there already is no error (`ndo_dflt_fdb_add`).
    let put = Verb { kind: Rtm::Newneigh, flags: NlmF::REQUEST | NlmF::CREATE };
    append(batch, 1, if add { put } else { Verb::delete(Rtm::Delneigh) }, body)
}

/// The name of both tables of an address on an interface.
fn table_name(interface: u32, lladdr: &LinkAddr) -> String {
    let octets = lladdr.octets().iter().map(|octet| format!("{octet:02x}")).collect::<String>();
    format!("{PREFIX}{interface}-{octets}")
}

/// Reads such a name.
fn read_table_name(name: &str) -> Option<(u32, LinkAddr)> {
    let (interface, octets) = name.strip_prefix(PREFIX)?.split_once('-')?;
    let octet = |at: usize| u8::from_str_radix(octets.get(at..at + 2)?, 16).ok();
    let octets: Vec<u8> = (0..octets.len()).step_by(2).map(octet).collect::<Option<_>>()?;
    let lladdr = LinkAddr::try_new(&octets).filter(|lladdr| lladdr.len() == 6)?;
    Some((interface.parse().ok()?, lladdr))
}

/// Whether the kernel has nf_tables already, as a module or built in. Where it has not there is no second address, and
/// asking for them would have it load the module.
pub fn is_supported() -> bool {
    let is_module = Path::new("/sys/module/nf_tables").exists();
    let is_modular = Path::new("/proc/modules").exists();
    let is_built_in = || {
        let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        let list = Path::new("/lib/modules").join(release.trim()).join("modules.builtin");
        std::fs::read_to_string(list).is_ok_and(|list| list.contains("/nf_tables.ko"))
    };
    is_module || !is_modular || is_built_in()
}

/// The second addresses that there are, with the numbers of their interfaces, in the calling thread's network
/// namespace; of this run or an earlier one.
///
/// # Errors
/// If the kernel does not list its tables.
pub fn list() -> Result<Vec<(u32, LinkAddr)>, NetlinkError> {
    let mut reader = Reader::open_to(NlFamily::Netfilter)?;
    let (request, answer) = (Rtm::from(message::GET_TABLE), Rtm::from(message::NEW_TABLE));
    let all = || Ok(message::of_family(NETDEV));
    let names = reader.list("nf_tables tables", request, answer, message::table_name, all)?;
    Ok(names.iter().filter_map(|name| read_table_name(name)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_named_after_its_interface_and_address_and_nothing_else_is_taken_for_one() {
        let lladdr = LinkAddr::ethernet([2, 0xab, 0, 0, 0, 0xff]);
        let name = table_name(17, &lladdr);
        assert_eq!(name, "arpherd-17-02ab000000ff");
        assert_eq!(read_table_name(&name), Some((17, lladdr)));
        for other in [
            "filter",
            "arpherd",
            "arpherd-",
            "arpherd-x-02ab000000ff",
            "arpherd-1-02ab",
            "arpherd-1-02ab000000fé",
        ] {
            assert_eq!(read_table_name(other), None, "{other}");
        }
    }
}
