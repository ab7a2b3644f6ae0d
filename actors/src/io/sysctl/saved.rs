//! The original values of settings that were changed, in a file that outlives the process.
//!
//! The file belongs to one network namespace of one boot. It names both, and a file that names others is ignored. An
//! entry is used only if the kernel's value is still the one that the earlier run set: otherwise somebody else has set
//! it since. Interfaces are identified by their numbers: a renamed one is the same, a new one of the same name is not.
//!
//! ```text
//! {"place": …, "changes": […]}      what was saved when the file was last written as a whole
//! {"setting": …, "before": …, …}    then a line for each change since: one that ends at its value before is over,
//! {"gone": 7}                       and so are all of an interface that was deleted
//! ```
//!
//! A change is a line and not the whole file, which with a thousand interfaces would be written five thousand times.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Setting, Sysctls};
use crate::io::netlink::{NetlinkError, Reader};
use crate::io::netns::NetnsId;

/// Lines behind the first that are written before the file is written as a whole, however few changes there are.
const SPARE_LINES: usize = 64;

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
}

/// The file's first line.
#[derive(Serialize, Deserialize)]
struct Content {
    #[serde(rename = "place")]
    netns: NetnsId,
    changes: Vec<Change>,
}

/// A later line.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Line {
    /// A setting has this value now.
    Changed(Change),
    /// The interface of this number was deleted.
    Gone { gone: u32 },
}

/// The changes, and the file they are written to.
#[derive(Debug, Default)]
pub struct SavedSysctls {
    changes: Changes,
    file: Option<(PathBuf, NetnsId)>,
    /// Lines behind the first; `None`: the file is not there, or not as it should be.
    lines: Option<usize>,
    error: Option<io::Error>,
    /// The last attempt to save failed.
    is_unsaved: bool,
}

/// The changes by the interface's number, each with its place in the order of the first changes. Of an interface they are a
/// handful.
#[derive(Debug, Default)]
struct Changes {
    known: BTreeMap<u32, Vec<(u64, Change)>>,
    count: usize,
    next: u64,
}

impl Changes {
    /// A setting has another value now; one that is back at its original value is changed no longer. Returns what was
    /// known of it until now.
    fn put(&mut self, change: Change) -> Option<Change> {
        let former = self.take(change.index, &change.setting);
        let (place, before) = former.as_ref().map_or((self.next, change.before), |(at, it)| (*at, it.before));
        if before != change.now {
            self.set(place, Change { before, ..change });
        }
        former.map(|(_, former)| former)
    }

    /// Drops what is known of a setting, and returns it with its place.
    fn take(&mut self, index: u32, setting: &Setting) -> Option<(u64, Change)> {
        let of_interface = self.known.get_mut(&index)?;
        let at = of_interface.iter().position(|(_, known)| known.setting == *setting)?;
        let taken = of_interface.remove(at);
        if of_interface.is_empty() {
            self.known.remove(&index);
        }
        self.count -= 1;
        Some(taken)
    }

    /// Adds what is known of a setting, of which nothing is.
    fn set(&mut self, place: u64, change: Change) {
        let of_interface = self.known.entry(change.index).or_default();
        of_interface.reserve_exact(1);
        of_interface.push((place, change));
        self.count += 1;
        self.next = self.next.max(place + 1);
    }

    /// Drops those that do not fit; whether there were any.
    fn keep(&mut self, fits: impl Fn(&Change) -> bool) -> bool {
        let before = self.count;
        self.known.retain(|_, of_interface| {
            of_interface.retain(|(_, change)| fits(change));
            !of_interface.is_empty()
        });
        self.count = self.known.values().map(Vec::len).sum();
        self.count != before
    }

    fn is_empty(&self) -> bool {
        self.count == 0
    }

    fn in_order(&self) -> Vec<Change> {
        let mut changes: Vec<_> = self.known.values().flatten().collect();
        changes.sort_unstable_by_key(|(place, _)| *place);
        changes.into_iter().map(|(_, change)| change.clone()).collect()
    }
}

impl FromIterator<Change> for Changes {
    fn from_iter<C: IntoIterator<Item = Change>>(list: C) -> Self {
        let mut changes = Self::default();
        for change in list {
            changes.put(change);
        }
        changes
    }
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
        let mut changes = fs::read(&file).ok().and_then(|bytes| parse(&bytes, &netns)).unwrap_or_default();
        if !changes.is_empty() {
            let links = Reader::open()?.links()?;
            let names: BTreeMap<u32, String> =
                links.into_iter().map(|link| (link.index, link.name)).collect();
            let sysctls = Sysctls::new();
            let name = |index| names.get(&index).cloned();
            let renamed = changes.in_order().into_iter().filter_map(|change| change.renamed(name));
            let stands =
                |change: &Change| sysctls.read(&change.setting).is_ok_and(|value| value == change.now);
            changes = renamed.filter(stands).collect();
        }
        // The next change writes the file as a whole, for what is no longer true is to go.
        Ok(Self { changes, file: Some((file, netns)), ..Self::default() })
    }

    /// What was changed, in the order of the first changes.
    pub fn changes(&self) -> Vec<Change> {
        self.changes.in_order()
    }

    /// Drops what is saved of the interface of this number, which was deleted.
    pub fn forget_index(&mut self, index: u32) {
        if self.changes.keep(|change| change.index != index) {
            self.append(&Line::Gone { gone: index });
        }
    }

    /// Drops what is saved of the interface of this name, which is not to be touched.
    pub fn forget_interface(&mut self, interface: &str) {
        if self.changes.keep(|change| change.setting.interface() != interface) {
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
        let former = self.changes.put(change.clone());
        self.append(&Line::Changed(change));
        former
    }

    /// Undoes [`SavedSysctls::record`] with what that returned.
    pub(super) fn revert(&mut self, setting: &Setting, index: u32, former: Option<Change>) {
        let place = self.changes.take(index, setting).map(|(place, _)| place);
        if let Some(former) = former {
            self.changes.set(place.unwrap_or(self.changes.next), former);
        }
        self.save();
    }

    /// Drops the changes that fit, and returns them in their order.
    pub(super) fn take(&mut self, fits: impl Fn(&Change) -> bool) -> Vec<Change> {
        let (taken, kept) = self.changes.in_order().into_iter().partition(fits);
        self.changes = Vec::into_iter(kept).collect();
        self.save();
        taken
    }

    /// Adds a line to the file; where that cannot be done, nothing is changed any more, or there are many more lines than
    /// changes, the file is written as a whole.
    fn append(&mut self, line: &Line) {
        let room = 2 * self.changes.count + SPARE_LINES;
        let file = self.file.as_ref().map(|(file, _)| file);
        let is_fit = |lines: &usize| *lines < room && !self.changes.is_empty();
        let appended = file.zip(self.lines.filter(is_fit)).and_then(|(file, lines)| {
            let mut line = serde_json::to_vec(line).ok()?;
            line.push(b'\n');
            OpenOptions::new().append(true).open(file).and_then(|mut file| file.write_all(&line)).ok()?;
            Some(lines + 1)
        });
        self.lines = appended;
        if appended.is_none() {
            self.save();
        }
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
            let content = Content { netns: netns.clone(), changes: self.changes.in_order() };
            let new = file.with_extension("json.new");
            let written = serde_json::to_vec(&content)
                .map_err(io::Error::other)
                .and_then(|bytes| fs::write(&new, [bytes.as_slice(), b"\n"].concat()))
                .and_then(|()| fs::rename(&new, file));
            if written.is_err() {
                // Half a file takes room that the next attempt needs.
                let _ = fs::remove_file(&new);
            }
            written
        };
        self.lines = (written.is_ok() && !self.changes.is_empty()).then_some(0);
        let was_unsaved = std::mem::replace(&mut self.is_unsaved, written.is_err());
        if let (Err(error), false) = (written, was_unsaved) {
            self.error = Some(error);
        }
    }
}

/// What a file says of this namespace; `None` if it is of another, or none of ours. Half a line at its end is one that
/// was never finished, and its setting was not changed.
fn parse(bytes: &[u8], netns: &NetnsId) -> Option<Changes> {
    let mut lines = bytes.split(|octet| *octet == b'\n');
    let content: Content = serde_json::from_slice(lines.next()?).ok()?;
    if content.netns != *netns {
        return None;
    }
    let mut changes: Changes = content.changes.into_iter().collect();
    for line in lines.map_while(|line| serde_json::from_slice::<Line>(line).ok()) {
        match line {
            Line::Changed(change) => drop(changes.put(change)),
            Line::Gone { gone } => drop(changes.keep(|change| change.index != gone)),
        }
    }
    Some(changes)
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

#[cfg(test)]
mod tests;
