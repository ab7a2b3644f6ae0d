//! Virtual machines behind a Wi-Fi station.

use libtest_mimic::Trial;

pub(crate) fn tests() -> Vec<Trial> {
    Vec::new()
}
