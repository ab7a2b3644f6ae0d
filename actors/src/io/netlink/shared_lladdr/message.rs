//! Transactions of nf_tables (linux/netfilter/nf_tables.h), which neli has no types for.

use super::{ARP, NETDEV};
use crate::io::netlink::decode::{Decoded, Malformed, text as text_of};
use crate::io::netlink::wire::attributes;

/// `NFNL_SUBSYS_NFTABLES`, in a message's type.
const SUBSYSTEM: u16 = 10 << 8;
/// `NFT_MSG_NEWTABLE` and `NFT_MSG_GETTABLE`
pub(super) const NEW_TABLE: u16 = SUBSYSTEM;
pub(super) const GET_TABLE: u16 = SUBSYSTEM | 1;
/// `NFT_MSG_DELTABLE`
const DELETE_TABLE: u16 = SUBSYSTEM | 2;
/// `NFT_MSG_NEWCHAIN`
const NEW_CHAIN: u16 = SUBSYSTEM | 3;
/// `NFT_MSG_NEWRULE`
const NEW_RULE: u16 = SUBSYSTEM | 6;
/// `NFNL_MSG_BATCH_BEGIN` and `NFNL_MSG_BATCH_END`
const BEGIN: u16 = 0x10;
const END: u16 = 0x11;
/// `NLM_F_REQUEST`, `NLM_F_CREATE`, `NLM_F_APPEND`
const REQUEST: u16 = 0x1;
const CREATE: u16 = 0x400;
const APPEND: u16 = 0x800;
/// `NLA_F_NESTED`
const NESTED: u16 = 0x8000;
/// Octets of `nfgenmsg`.
const HEADER: usize = 4;
/// The chain of either table.
const CHAIN: &str = "gateway";

/// `NF_NETDEV_INGRESS` and `NF_ARP_OUT`
const INGRESS: u32 = 0;
const ARP_OUT: u32 = 1;
/// `NFT_META_OIF` and `NFT_META_PKTTYPE`
const META_OIF: u32 = 5;
const META_PKTTYPE: u32 = 19;
/// `NFT_PAYLOAD_LL_HEADER` and `NFT_PAYLOAD_NETWORK_HEADER`
const LL_HEADER: u32 = 0;
const NETWORK_HEADER: u32 = 1;
/// Where `ar$sha` begins.
const SENDER: u32 = 8;
/// `NFT_REG_1`
const REGISTER: u32 = 1;

/// The header of a message about one family.
pub(super) fn of_family(family: u8) -> [u8; HEADER] {
    [family, 0, 0, 0]
}

/// The name of the table that a message is about: `NFTA_TABLE_NAME`.
pub(super) fn table_name(body: &[u8]) -> Decoded<String> {
    let rest = body.get(HEADER..).ok_or(Malformed)?;
    Ok(attributes(rest).find(|(kind, _)| *kind == 1).map(|(_, name)| text_of(name)))
}

/// A transaction: all of its messages are carried out, or none.
pub(super) struct Batch(Vec<u8>);

impl Batch {
    pub(super) fn new() -> Self {
        let mut batch = Self(Vec::new());
        batch.message(BEGIN, REQUEST, [0, 0, 0, 10], &[]);
        batch
    }

    pub(super) fn finish(mut self) -> Vec<u8> {
        self.message(END, REQUEST, [0, 0, 0, 10], &[]);
        self.0
    }

    /// Have a table.
    pub(super) fn table(&mut self, family: u8, name: &str) -> &mut Self {
        self.message(NEW_TABLE, REQUEST | CREATE, of_family(family), &text(1, name))
    }

    /// Have a table no longer, with all that is in it.
    pub(super) fn delete_table(&mut self, family: u8, name: &str) -> &mut Self {
        self.message(DELETE_TABLE, REQUEST, of_family(family), &text(1, name))
    }

    /// A chain that every packet passes as it comes in on the interface.
    pub(super) fn ingress_chain(&mut self, table: &str, interface: &str) -> &mut Self {
        let hook = [number(1, INGRESS), number(2, 0), text(3, interface)].concat();
        self.chain(NETDEV, table, &hook)
    }

    /// A chain that the kernel's own ARP packets pass on their way out.
    pub(super) fn arp_output_chain(&mut self, table: &str) -> &mut Self {
        let hook = [number(1, ARP_OUT), number(2, 0)].concat();
        self.chain(ARP, table, &hook)
    }

    fn chain(&mut self, family: u8, table: &str, hook: &[u8]) -> &mut Self {
        let body = [text(1, table), text(3, CHAIN), nest(4, hook), text(7, "filter")].concat();
        self.message(NEW_CHAIN, REQUEST | CREATE, of_family(family), &body)
    }

    /// A packet to the link-layer address is one to this station.
    pub(super) fn accept_as_ours(&mut self, table: &str, lladdr: &[u8]) -> &mut Self {
        let expressions = [
            load(LL_HEADER, 0, lladdr.len()),
            equals(lladdr),
            // PACKET_HOST is 0.
            immediate(&0_u32.to_ne_bytes()),
            expression("meta", &[number(2, META_PKTTYPE), number(3, REGISTER)].concat()),
        ];
        self.rule(NETDEV, table, &expressions.concat())
    }

    /// In ARP that leaves by the interface with one sender, have another.
    pub(super) fn rewrite_sender(
        &mut self,
        table: &str,
        interface: u32,
        from: &[u8],
        to: &[u8],
    ) -> &mut Self {
        let store = [number(5, REGISTER), place(NETWORK_HEADER, SENDER, to.len())].concat();
        let expressions = [
            expression("meta", &[number(1, REGISTER), number(2, META_OIF)].concat()),
            equals(&interface.to_ne_bytes()),
            load(NETWORK_HEADER, SENDER, from.len()),
            equals(from),
            immediate(to),
            expression("payload", &store),
        ];
        self.rule(ARP, table, &expressions.concat())
    }

    fn rule(&mut self, family: u8, table: &str, expressions: &[u8]) -> &mut Self {
        let body = [text(1, table), text(2, CHAIN), nest(4, expressions)].concat();
        self.message(NEW_RULE, REQUEST | CREATE | APPEND, of_family(family), &body)
    }

    fn message(&mut self, kind: u16, flags: u16, header: [u8; HEADER], attributes: &[u8]) -> &mut Self {
        let length = u32::try_from(16 + HEADER + attributes.len()).unwrap_or(0);
        self.0.extend(length.to_ne_bytes());
        self.0.extend(kind.to_ne_bytes());
        self.0.extend(flags.to_ne_bytes());
        self.0.extend([0; 8]);
        self.0.extend(header);
        self.0.extend(attributes);
        self
    }
}

/// Compares the register (`NFT_CMP_EQ`, 0): the rule ends here for other packets.
fn equals(value: &[u8]) -> Vec<u8> {
    expression("cmp", &[number(1, REGISTER), number(2, 0), nest(3, &attribute(1, value))].concat())
}

fn immediate(value: &[u8]) -> Vec<u8> {
    expression("immediate", &[number(1, REGISTER), nest(2, &attribute(1, value))].concat())
}

/// Loads octets of the packet into the register.
fn load(base: u32, offset: u32, length: usize) -> Vec<u8> {
    expression("payload", &[number(1, REGISTER), place(base, offset, length)].concat())
}

/// Octets of a packet, as `payload` names them.
fn place(base: u32, offset: u32, length: usize) -> Vec<u8> {
    let length = u32::try_from(length).unwrap_or(0);
    [number(2, base), number(3, offset), number(4, length)].concat()
}

/// An element of a list of expressions.
fn expression(name: &str, data: &[u8]) -> Vec<u8> {
    nest(1, &[text(1, name), nest(2, data)].concat())
}

fn number(kind: u16, value: u32) -> Vec<u8> {
    attribute(kind, &value.to_be_bytes())
}

fn text(kind: u16, value: &str) -> Vec<u8> {
    attribute(kind, &[value.as_bytes(), &[0]].concat())
}

fn nest(kind: u16, payload: &[u8]) -> Vec<u8> {
    attribute(kind | NESTED, payload)
}

fn attribute(kind: u16, payload: &[u8]) -> Vec<u8> {
    let mut octets = u16::try_from(4 + payload.len()).unwrap_or(0).to_ne_bytes().to_vec();
    octets.extend(kind.to_ne_bytes());
    octets.extend(payload);
    octets.resize(octets.len().next_multiple_of(4), 0);
    octets
}
