//! What fillarpd did, done again.

use libtest_mimic::Trial;

pub(crate) fn tests() -> Vec<Trial> {
    Vec::new()
}
