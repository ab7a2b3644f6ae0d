//! The locks of the interfaces that an instance serves.

use std::collections::{BTreeMap, BTreeSet};

use crate::io::lock::{Lock, LockError};
use crate::known_links::KnownLinks;

/// One lock for each interface, however many segments are reached through it, under its own name, and where the
/// configuration calls it otherwise under that name, too: another daemon may be configured with either.
#[derive(Default)]
pub(super) struct Locks {
    taken: BTreeMap<String, Lock>,
    /// By what the configuration calls an interface: its own name, where that is another one.
    own_names: BTreeMap<String, String>,
}

impl Locks {
    /// Locks these interfaces as well: all of them, or none.
    ///
    /// # Errors
    /// If another daemon has one of them.
    pub(super) fn take<'p>(
        &mut self,
        protocol: u8,
        interfaces: impl Iterator<Item = &'p str>,
        links: &KnownLinks,
    ) -> Result<(), LockError> {
        let mut more = Self::default();
        for interface in interfaces {
            let own = links.find(interface).map(|link| link.name.as_str()).filter(|own| *own != interface);
            // Always in the same order, so that of two daemons that start one gets both.
            let names: BTreeSet<&str> = std::iter::once(interface).chain(own).collect();
            for name in names {
                if !self.taken.contains_key(name) && !more.taken.contains_key(name) {
                    more.taken.insert(name.to_owned(), Lock::take(protocol, name)?);
                }
            }
            if let Some(own) = own {
                more.own_names.insert(interface.to_owned(), own.to_owned());
            }
        }
        self.taken.append(&mut more.taken);
        self.own_names.append(&mut more.own_names);
        Ok(())
    }

    /// Releases the locks of other interfaces than those that fit.
    pub(super) fn keep_where(&mut self, fits: impl Fn(&str) -> bool) {
        self.own_names.retain(|interface, _| fits(interface));
        let kept: BTreeSet<&String> = self.own_names.values().collect();
        self.taken.retain(|name, _| fits(name) || kept.contains(name));
    }
}
