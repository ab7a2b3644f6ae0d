//! Sub-subnets by proxy ARP.

use libtest_mimic::Trial;

pub(crate) fn tests() -> Vec<Trial> {
    Vec::new()
}
