//! nf_tables' rules that accept packets by their interfaces alone (linux/netfilter/nf_tables.h).
//!
//! A rule is a list of expressions. Of those that do anything else than compare interfaces' names and accept,
//! nobody can say without running them what they accept; they are left out.

use super::chains::{HEADER, number};
use super::seen::{self, Decoded, Garbled};
use super::wire::attributes;
use crate::io::passage::{Passage, Pattern};

/// A rule that accepts.
pub(super) struct Accepting {
    /// `NFPROTO_…`
    pub(super) family: u8,
    /// Its table.
    pub(super) table: String,
    /// Its chain.
    pub(super) chain: String,
    /// What it accepts.
    pub(super) passage: Passage,
}

pub(super) fn accepting(bytes: &[u8]) -> Decoded<Accepting> {
    const TABLE: u16 = 1;
    const CHAIN: u16 = 2;
    const EXPRESSIONS: u16 = 4;
    let (header, rest) = bytes.split_first_chunk::<HEADER>().ok_or(Garbled)?;
    let (mut table, mut chain, mut passage) = (String::new(), String::new(), None);
    for (kind, payload) in attributes(rest) {
        match kind {
            TABLE => table = seen::text(payload),
            CHAIN => chain = seen::text(payload),
            EXPRESSIONS => passage = passage_of(payload),
            _ => {}
        }
    }
    Ok(passage.map(|passage| Accepting { family: header[0], table, chain, passage }))
}

fn find(bytes: &[u8], wanted: u16) -> Option<&[u8]> {
    attributes(bytes).find(|(kind, _)| *kind == wanted).map(|(_, payload)| payload)
}

/// What the expressions accept, if they say no more than by which interfaces.
fn passage_of(expressions: &[u8]) -> Option<Passage> {
    const IN_NAME: u32 = 6;
    const OUT_NAME: u32 = 7;
    let mut passage = Passage { from: None, to: None };
    let mut compared = None;
    for (_, expression) in attributes(expressions) {
        let data = find(expression, 2).unwrap_or_default();
        match seen::text(find(expression, 1)?).as_str() {
            "counter" => {}
            "meta" => compared = find(data, 2).and_then(number),
            "cmp" => {
                let pattern = Some(equal(data)?);
                match compared.take()? {
                    IN_NAME => passage.from = pattern,
                    OUT_NAME => passage.to = pattern,
                    _ => return None,
                }
            }
            "immediate" => return accepts(data).then_some(passage),
            _ => return None,
        }
    }
    None
}

/// What a comparison for equality compares with.
fn equal(data: &[u8]) -> Option<Pattern> {
    const EQUAL: u32 = 0;
    let is_equal = find(data, 2).and_then(number) == Some(EQUAL);
    is_equal.then(|| Pattern::compared(find(find(data, 3)?, 1)?)).flatten()
}

/// Whether an immediate is the verdict `NF_ACCEPT`.
fn accepts(data: &[u8]) -> bool {
    let code = || find(find(find(data, 2)?, 2)?, 1).and_then(number);
    // NFT_REG_VERDICT
    find(data, 1).and_then(number) == Some(0) && code() == Some(1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_bytes_can_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = accepting(&bytes);
            let _ = passage_of(&bytes);
        }
    }
}
