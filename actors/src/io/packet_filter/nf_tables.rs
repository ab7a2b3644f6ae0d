//! The policies of nf_tables, asked by netlink (linux/netfilter/nf_tables.h).

mod decode;

use neli::consts::rtnl::Rtm;
use neli::consts::socket::NlFamily;

use super::ForwardPolicy;
use crate::io::netlink::{NetlinkError, Reader};
use decode::{FilterRule, ForwardChain, HEADER};

/// `NFNL_SUBSYS_NFTABLES`, in a message's type.
const SUBSYSTEM: u16 = 10 << 8;
/// `NFT_MSG_NEWCHAIN`
const NEW_CHAIN: u16 = SUBSYSTEM | 3;
/// `NFT_MSG_GETCHAIN`
const GET_CHAIN: u16 = SUBSYSTEM | 4;
/// `NFT_MSG_NEWRULE`
const NEW_RULE: u16 = SUBSYSTEM | 6;
/// `NFT_MSG_GETRULE`
const GET_RULE: u16 = SUBSYSTEM | 7;

/// Those of all base chains that forwarded IPv4 packets pass.
pub(super) fn forward_policies() -> Result<Vec<ForwardPolicy>, NetlinkError> {
    let mut reader = Reader::open_to(NlFamily::Netfilter)?;
    // All families: the kernel has no request for two of them.
    let all = || Ok([0_u8; HEADER]);
    let (request, answer) = (Rtm::from(GET_CHAIN), Rtm::from(NEW_CHAIN));
    let chains = reader.list("packet filter chains", request, answer, decode::chain, all)?;
    // Few machines drop by policy; the others are spared the list of all rules.
    let rules = if chains.iter().any(|chain| chain.drops) {
        let (request, answer) = (Rtm::from(GET_RULE), Rtm::from(NEW_RULE));
        reader.list("packet filter rules", request, answer, decode::rule, all)?
    } else {
        Vec::new()
    };
    Ok(chains.iter().map(|chain| policy(chain, &rules)).collect())
}

fn policy(chain: &ForwardChain, rules: &[FilterRule]) -> ForwardPolicy {
    let own = rules.iter().filter(|rule| concerns(rule, chain));
    ForwardPolicy {
        accepts: own.map(|rule| rule.accepts.clone()).collect(),
        chain: format!("{} {} {}", chain.family, chain.table, chain.name),
        drops: chain.drops,
        rules: chain.rules,
    }
}

/// Whether the rule is about packets that pass the chain: it stands there, or in the same table and names both
/// interfaces.
fn concerns(rule: &FilterRule, chain: &ForwardChain) -> bool {
    let same_table = (rule.family, &rule.table) == (chain.family, &chain.table);
    same_table && (rule.chain == chain.name || rule.accepts.names_both())
}
