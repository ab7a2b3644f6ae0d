//! The policies of nf_tables, asked by netlink (linux/netfilter/nf_tables.h).

mod decode;

use neli::consts::rtnl::Rtm;
use neli::consts::socket::NlFamily;

use super::{ChainPolicy, Hook};
use crate::io::netlink::{NetlinkError, Reader};
use decode::{BaseChain, FilterRule, HEADER};

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

/// Those of all base chains that IPv4 packets pass at the hook.
pub(super) fn policies(hook: Hook) -> Result<Vec<ChainPolicy>, NetlinkError> {
    let mut reader = Reader::open_to(NlFamily::Netfilter)?;
    // All families: the kernel has no request for two of them.
    let all = || Ok([0_u8; HEADER]);
    let (request, answer) = (Rtm::from(GET_CHAIN), Rtm::from(NEW_CHAIN));
    let chains =
        reader.list("packet filter chains", request, answer, |bytes| decode::chain(bytes, hook), all)?;
    // Few machines drop by policy; the others are spared the list of all rules.
    let rules = if chains.iter().any(|chain| chain.drops) {
        let (request, answer) = (Rtm::from(GET_RULE), Rtm::from(NEW_RULE));
        reader.list("packet filter rules", request, answer, decode::rule, all)?
    } else {
        Vec::new()
    };
    Ok(chains.iter().map(|chain| policy(chain, &rules)).collect())
}

fn policy(chain: &BaseChain, rules: &[FilterRule]) -> ChainPolicy {
    let own = rules.iter().filter(|rule| concerns(rule, chain));
    ChainPolicy {
        accepts: own.map(|rule| rule.accepts.clone()).collect(),
        chain: format!("{} {} {}", chain.family, chain.table, chain.name),
        drops: chain.drops,
        rules: chain.rules,
    }
}

/// Whether the rule is about packets that pass the chain: it stands there, or in the same table and names both
/// interfaces.
fn concerns(rule: &FilterRule, chain: &BaseChain) -> bool {
    let same_table = (rule.family, &rule.table) == (chain.family, &chain.table);
    same_table && (rule.chain == chain.name || rule.accepts.names_both())
}
