//! nf_tables' base chains and rules, as values (linux/netfilter/nf_tables.h).
//!
//! A rule is a list of expressions. What a rule accepts that does anything else than compare interfaces' names
//! cannot be said without running it; such rules are left out.

use crate::io::netlink::decode::{Decoded, Malformed, text};
use crate::io::netlink::wire::attributes;
use crate::io::packet_filter::{AcceptRule, Hook, NamePattern};

/// Octets of `struct nfgenmsg`; its first is the family.
pub(super) const HEADER: usize = 4;

/// A base chain that IPv4 packets pass at a hook.
pub(super) struct BaseChain {
    /// `ip` or `inet`.
    pub(super) family: &'static str,
    /// Its table.
    pub(super) table: String,
    /// Its name.
    pub(super) name: String,
    /// Packets that no rule decides are dropped.
    pub(super) drops: bool,
    /// How many rules it has.
    pub(super) rules: u32,
}

/// A rule that accepts by the interfaces alone.
pub(super) struct FilterRule {
    /// `ip` or `inet`.
    pub(super) family: &'static str,
    /// Its table.
    pub(super) table: String,
    /// Its chain.
    pub(super) chain: String,
    /// What it accepts.
    pub(super) accepts: AcceptRule,
}

/// Reads `NFT_MSG_NEWCHAIN`, of chains at that hook.
pub(super) fn chain(bytes: &[u8], at: Hook) -> Decoded<BaseChain> {
    const TABLE: u16 = 1;
    const NAME: u16 = 3;
    const HOOK: u16 = 4;
    const POLICY: u16 = 5;
    const USE: u16 = 6;
    /// `NF_DROP`
    const DROP: u32 = 0;
    let Some((family, rest)) = split(bytes)? else { return Ok(None) };
    let mut chain = BaseChain { family, table: String::new(), name: String::new(), drops: false, rules: 0 };
    let mut hook = None;
    for (kind, payload) in attributes(rest) {
        match kind {
            TABLE => chain.table = text(payload),
            NAME => chain.name = text(payload),
            HOOK => hook = find(payload, 1).and_then(number), // NFTA_HOOK_HOOKNUM
            POLICY => chain.drops = number(payload) == Some(DROP),
            USE => chain.rules = number(payload).unwrap_or_default(),
            _ => {}
        }
    }
    Ok((hook == Some(at.number())).then_some(chain))
}

/// Reads `NFT_MSG_NEWRULE`.
pub(super) fn rule(bytes: &[u8]) -> Decoded<FilterRule> {
    const TABLE: u16 = 1;
    const CHAIN: u16 = 2;
    const EXPRESSIONS: u16 = 4;
    let Some((family, rest)) = split(bytes)? else { return Ok(None) };
    let (mut table, mut chain, mut accepts) = (String::new(), String::new(), None);
    for (kind, payload) in attributes(rest) {
        match kind {
            TABLE => table = text(payload),
            CHAIN => chain = text(payload),
            EXPRESSIONS => accepts = accepted_by(payload),
            _ => {}
        }
    }
    Ok(accepts.map(|accepts| FilterRule { family, table, chain, accepts }))
}

/// The family by its name in nft(8), if IPv4 packets pass its chains, and the attributes.
fn split(bytes: &[u8]) -> Result<Option<(&'static str, &[u8])>, Malformed> {
    let (header, rest) = bytes.split_first_chunk::<HEADER>().ok_or(Malformed)?;
    let family = match header[0] {
        1 => "inet", // NFPROTO_INET
        2 => "ip",   // NFPROTO_IPV4
        _ => return Ok(None),
    };
    Ok(Some((family, rest)))
}

/// What the expressions accept, if they compare nothing but the interfaces' names.
fn accepted_by(expressions: &[u8]) -> Option<AcceptRule> {
    /// `NFT_META_IIFNAME`
    const INPUT_NAME: u32 = 6;
    /// `NFT_META_OIFNAME`
    const OUTPUT_NAME: u32 = 7;
    let mut rule = AcceptRule { input: None, output: None };
    let mut loaded = None;
    for (_, expression) in attributes(expressions) {
        let data = find(expression, 2).unwrap_or_default();
        match text(find(expression, 1)?).as_str() {
            "counter" => {}
            "meta" => loaded = find(data, 2).and_then(number),
            "cmp" => {
                let pattern = Some(equal(data)?);
                match loaded.take()? {
                    INPUT_NAME => rule.input = pattern,
                    OUTPUT_NAME => rule.output = pattern,
                    _ => return None,
                }
            }
            "immediate" => return is_accept(data).then_some(rule),
            _ => return None,
        }
    }
    None
}

/// What a comparison for equality (`NFT_CMP_EQ`) compares with.
fn equal(data: &[u8]) -> Option<NamePattern> {
    const EQUAL: u32 = 0;
    let is_equal = find(data, 2).and_then(number) == Some(EQUAL);
    is_equal.then(|| NamePattern::from_compared(find(find(data, 3)?, 1)?)).flatten()
}

/// Whether an immediate is the verdict `NF_ACCEPT`, in `NFT_REG_VERDICT`.
fn is_accept(data: &[u8]) -> bool {
    const REGISTER: u32 = 0;
    const ACCEPT: u32 = 1;
    let code = || find(find(find(data, 2)?, 2)?, 1).and_then(number);
    find(data, 1).and_then(number) == Some(REGISTER) && code() == Some(ACCEPT)
}

/// The payload of the first attribute of this type.
fn find(bytes: &[u8], wanted: u16) -> Option<&[u8]> {
    attributes(bytes).find(|(kind, _)| *kind == wanted).map(|(_, payload)| payload)
}

/// Numbers of nf_tables are in network order.
fn number(bytes: &[u8]) -> Option<u32> {
    bytes.try_into().ok().map(u32::from_be_bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_bytes_can_make_it_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = accepted_by(&bytes);
            if let Some(family) = bytes.first_mut() {
                *family = 2;
            }
            let _ = chain(&bytes, Hook::Forward);
            let _ = rule(&bytes);
        }
    }
}
