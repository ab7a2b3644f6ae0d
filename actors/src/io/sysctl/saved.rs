//! The original values of settings that were changed, in a file that outlives the process.
//!
//! The file belongs to one network namespace of one boot. It names both, and a file that names others is ignored. An
//! entry is used only if the kernel's value is still the one that the earlier run set: otherwise somebody else has set
//! it since. Interfaces are identified by their numbers: a renamed one is the same, a new one of the same name is not.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Setting, Sysctls};
use crate::io::netlink::{NetlinkError, Reader};
use crate::io::netns::NetnsId;

/// A setting that was changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// Which.
    pub setting: Setting,
    /// The number of the interface it is of; 0 for `all`.
    pub index: u32,
    /// Its value before the first change.
    pub before: i32,
    /// The value it was set to last.
    pub now: i32,
}

impl Change {
    /// With the name its interface has now; `None` if that is gone.
    pub(super) fn renamed(self, name: impl Fn(u32) -> Option<String>) -> Option<Self> {
        if self.index == 0 {
            return Some(self);
        }
        let setting = self.setting.of(name(self.index)?);
        Some(Self { setting, ..self })
    }

    fn is_of(&self, setting: &Setting, index: u32) -> bool {
        self.index == index && self.setting == *setting
    }
}

/// The file's content.
#[derive(Serialize, Deserialize)]
struct Content {
    #[serde(rename = "place")]
    netns: NetnsId,
    changes: Vec<Change>,
}

/// The changes, and the file they are written to.
#[derive(Debug, Default)]
pub struct SavedSysctls {
    changes: Vec<Change>,
    file: Option<(PathBuf, NetnsId)>,
    error: Option<io::Error>,
    /// The last attempt to save failed.
    is_unsaved: bool,
}

impl SavedSysctls {
    /// Saves to a file for the calling thread's network namespace, and begins with what an earlier run saved there and
    /// nobody has changed since. The file is named like `path`, with the namespace's inode number appended to its
    /// stem.
    ///
    /// # Errors
    /// If the namespace cannot be identified, or its interfaces cannot be listed. A file that is missing or cannot be
    /// parsed is no error: nothing is saved yet.
    pub fn at(path: &Path) -> Result<Self, SavedError> {
        let netns = NetnsId::current()?;
        let file = netns.own_file(path);
        let content = fs::read(&file).ok().and_then(|bytes| serde_json::from_slice::<Content>(&bytes).ok());
        let mut changes = content
            .filter(|content| content.netns == netns)
            .map(|content| content.changes)
            .unwrap_or_default();
        if !changes.is_empty() {
            let links = Reader::open()?.links()?;
            let sysctls = Sysctls::new();
            let name = |index| links.iter().find(|link| link.index == index).map(|link| link.name.clone());
            changes = changes.into_iter().filter_map(|change| change.renamed(name)).collect();
            changes.retain(|change| sysctls.read(&change.setting).is_ok_and(|value| value == change.now));
        }
        Ok(Self { changes, file: Some((file, netns)), error: None, is_unsaved: false })
    }

    /// What was changed, in the order of the first changes.
    pub fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// Drops what is saved of the interface of this number, which was deleted.
    pub fn forget_index(&mut self, index: u32) {
        self.keep(|change| change.index != index);
    }

    /// Drops what is saved of the interface of this name, which is not to be touched.
    pub fn forget_interface(&mut self, interface: &str) {
        self.keep(|change| change.setting.interface() != interface);
    }

    fn keep(&mut self, which: impl Fn(&Change) -> bool) {
        let before = self.changes.len();
        self.changes.retain(which);
        if self.changes.len() != before {
            self.save();
        }
    }

    /// Tries again to save what could not be saved; whether that has succeeded now.
    pub fn retry(&mut self) -> bool {
        if self.is_unsaved {
            self.save();
            return !self.is_unsaved;
        }
        false
    }

    /// Why the file could not be written; once, until it could.
    pub fn take_error(&mut self) -> Option<io::Error> {
        self.error.take()
    }

    /// Records a change and returns what was saved of the setting until now. A setting that is back at its original
    /// value is no longer saved.
    pub(super) fn record(&mut self, change: Change) -> Option<Change> {
        let known_at = self.changes.iter().position(|known| known.is_of(&change.setting, change.index));
        let former = known_at.map(|at| self.changes[at].clone());
        match known_at {
            Some(at) if self.changes[at].before == change.now => drop(self.changes.remove(at)),
            Some(at) => self.changes[at].now = change.now,
            None if change.before != change.now => self.changes.push(change),
            None => {}
        }
        self.save();
        former
    }

    /// Undoes [`SavedSysctls::record`] with what that returned.
    pub(super) fn revert(&mut self, setting: &Setting, index: u32, former: Option<Change>) {
        let known_at = self.changes.iter().position(|known| known.is_of(setting, index));
        match (known_at, former) {
            (Some(at), Some(former)) => self.changes[at] = former,
            (Some(at), None) => drop(self.changes.remove(at)),
            (None, Some(former)) => self.changes.push(former),
            (None, None) => {}
        }
        self.save();
    }

    /// Drops the changes that fit, and returns them in their order.
    pub(super) fn take(&mut self, fits: impl Fn(&Change) -> bool) -> Vec<Change> {
        let (taken, kept) = std::mem::take(&mut self.changes).into_iter().partition(fits);
        self.changes = kept;
        self.save();
        taken
    }

    /// Writes the file atomically, by renaming, or removes it when there is nothing to save. Where that fails, what was
    /// saved before stays.
    fn save(&mut self) {
        let Some((file, netns)) = &self.file else { return };
        let written = if self.changes.is_empty() {
            fs::remove_file(file).or_else(|error| match error.kind() {
                io::ErrorKind::NotFound => Ok(()),
                _ => Err(error),
            })
        } else {
            let content = Content { netns: netns.clone(), changes: self.changes.clone() };
            let new = file.with_extension("json.new");
            let written = serde_json::to_vec(&content)
                .map_err(io::Error::other)
                .and_then(|bytes| fs::write(&new, bytes))
                .and_then(|()| fs::rename(&new, file));
            if written.is_err() {
                // Half a file takes room that the next attempt needs.
                let _ = fs::remove_file(&new);
            }
            written
        };
        let was_unsaved = std::mem::replace(&mut self.is_unsaved, written.is_err());
        if let (Err(error), false) = (written, was_unsaved) {
            self.error = Some(error);
        }
    }
}

/// Why nothing can be saved.
#[derive(Debug, thiserror::Error)]
pub enum SavedError {
    /// The network namespace cannot be identified.
    #[error("cannot identify the network namespace: {0}")]
    Netns(#[from] io::Error),
    /// Its interfaces cannot be listed.
    #[error(transparent)]
    Netlink(#[from] NetlinkError),
}
