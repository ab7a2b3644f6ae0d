//! nf_tables' base chains that forwarded packets pass (linux/netfilter/nf_tables.h).

use neli::consts::rtnl::Rtm;
use neli::consts::socket::NlFamily;

use super::NetlinkError;
use super::read::Reader;
use super::rules::{Accepting, accepting};
use super::seen::{self, Decoded, Garbled};
use super::wire::attributes;
use crate::io::passage::Passage;

/// `NFNL_SUBSYS_NFTABLES`, in a message's type.
const SUBSYSTEM: u16 = 10 << 8;
/// `NFT_MSG_GETCHAIN`
const GET_CHAIN: u16 = SUBSYSTEM | 4;
/// `NFT_MSG_NEWCHAIN`
const NEW_CHAIN: u16 = SUBSYSTEM | 3;
/// `NFT_MSG_GETRULE`
const GET_RULE: u16 = SUBSYSTEM | 7;
/// `NFT_MSG_NEWRULE`
const NEW_RULE: u16 = SUBSYSTEM | 6;
/// Octets of `struct nfgenmsg`.
pub(super) const HEADER: usize = 4;
/// `NFPROTO_INET`
const INET: u8 = 1;
/// `NFPROTO_IPV4`
const IPV4: u8 = 2;
/// `NF_INET_FORWARD`
const FORWARD: u32 = 2;
/// `NF_DROP`
const DROP: u32 = 0;

/// A base chain that forwarded IPv4 packets pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForwardChain {
    /// `ip` or `inet`.
    pub family: &'static str,
    /// Its table.
    pub table: String,
    /// Its name.
    pub name: String,
    /// What no rule decides is dropped.
    pub drops: bool,
    /// How many rules it has.
    pub rules: u32,
    /// What rules of it, or of other chains of its table, let pass by the interfaces alone.
    pub passes: Vec<Passage>,
}

/// The chains of the calling thread's network namespace.
///
/// # Errors
/// Without `CAP_NET_ADMIN`, and on a kernel without nf_tables.
pub fn forward_chains() -> Result<Vec<ForwardChain>, NetlinkError> {
    let mut reader = Reader::open_to(NlFamily::Netfilter)?;
    // All families: the kernel knows no question for two of them.
    let all = || Ok([0_u8; HEADER]);
    let (question, answer) = (Rtm::from(GET_CHAIN), Rtm::from(NEW_CHAIN));
    let mut chains = reader.list("packet filter chains", question, answer, chain, all)?;
    // Few machines drop by policy; the others are spared the list of all rules.
    if chains.iter().any(|chain| chain.drops) {
        let (question, answer) = (Rtm::from(GET_RULE), Rtm::from(NEW_RULE));
        let rules = reader.list("packet filter rules", question, answer, accepting, all)?;
        for chain in &mut chains {
            let own = rules.iter().filter(|rule| is_for(chain, rule)).map(|rule| rule.passage.clone());
            chain.passes = own.collect();
        }
    }
    Ok(chains)
}

/// Whether the rule is about packets that pass the chain: it stands there, or in the same table and says both
/// where they come from and where they go.
fn is_for(chain: &ForwardChain, rule: &Accepting) -> bool {
    let same_table = (family(rule.family), &rule.table) == (Some(chain.family), &chain.table);
    same_table && (rule.chain == chain.name || rule.passage.is_whole())
}

fn family(number: u8) -> Option<&'static str> {
    match number {
        INET => Some("inet"),
        IPV4 => Some("ip"),
        _ => None,
    }
}

fn chain(bytes: &[u8]) -> Decoded<ForwardChain> {
    const TABLE: u16 = 1;
    const NAME: u16 = 3;
    const HOOK: u16 = 4;
    const POLICY: u16 = 5;
    const USE: u16 = 6;
    let (header, rest) = bytes.split_first_chunk::<HEADER>().ok_or(Garbled)?;
    let Some(family) = family(header[0]) else { return Ok(None) };
    let mut chain = ForwardChain {
        family,
        table: String::new(),
        name: String::new(),
        drops: false,
        rules: 0,
        passes: Vec::new(),
    };
    let mut hook = None;
    for (kind, payload) in attributes(rest) {
        match kind {
            TABLE => chain.table = seen::text(payload),
            NAME => chain.name = seen::text(payload),
            HOOK => hook = hook_of(payload),
            POLICY => chain.drops = number(payload) == Some(DROP),
            USE => chain.rules = number(payload).unwrap_or_default(),
            _ => {}
        }
    }
    Ok((hook == Some(FORWARD)).then_some(chain))
}

/// `NFTA_HOOK_HOOKNUM`
fn hook_of(bytes: &[u8]) -> Option<u32> {
    attributes(bytes).find(|(kind, _)| *kind == 1).and_then(|(_, payload)| number(payload))
}

/// Numbers of nf_tables are in network order.
pub(super) fn number(bytes: &[u8]) -> Option<u32> {
    bytes.try_into().ok().map(u32::from_be_bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_bytes_can_make_it_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Some(family) = bytes.first_mut() {
                *family = IPV4;
            }
            let _ = chain(&bytes);
        }
    }
}
