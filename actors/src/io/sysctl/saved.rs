//! What settings were before they were changed, in a file that outlives the process.
//!
//! The file belongs to one network namespace of one boot: it names both, and one that names others is void.
//! What it holds is believed only as far as the kernel bears it out: a setting that is not as the earlier run
//! left it, or whose interface is another one of the same name, is somebody else's by now. Interfaces are known
//! by their numbers: one that was renamed is still the same.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use socket2::{Domain, Socket, Type};

use super::{Setting, Sysctls};
use crate::io::netlink::{NetlinkError, Reader};
use crate::io::sockopt;

/// A setting that was changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// Which.
    pub setting: Setting,
    /// The number of the interface it is of; 0 for `all`.
    pub index: u32,
    /// What it was before the first change.
    pub before: i32,
    /// What it was set to last.
    pub now: i32,
}

impl Change {
    /// With the name its interface has now; `None` if that is gone.
    pub(super) fn now_called(self, name: impl Fn(u32) -> Option<String>) -> Option<Self> {
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

/// A network namespace, for as long as the machine runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Place {
    /// `/proc/sys/kernel/random/boot_id`
    boot: String,
    /// The namespace's number, which can be another's after its end.
    inode: u64,
    /// `SO_NETNS_COOKIE`, which cannot; 0 on kernels before 5.14.
    cookie: u64,
}

/// What the file holds.
#[derive(Serialize, Deserialize)]
struct Page {
    place: Place,
    changes: Vec<Change>,
}

/// The changes, and the file they are written to.
#[derive(Debug, Default)]
pub struct SavedSysctls {
    changes: Vec<Change>,
    file: Option<(PathBuf, Place)>,
    trouble: Option<io::Error>,
}

impl SavedSysctls {
    /// Remembers in a file for the calling thread's network namespace, and begins with what an earlier run
    /// wrote there and the kernel bears out. The file is named like `path`, with the namespace's number
    /// behind its stem.
    ///
    /// # Errors
    /// If the namespace cannot be told from others, or its interfaces cannot be listed. A file that is not
    /// there or cannot be understood is none.
    pub fn at(path: &Path) -> Result<Self, SavedError> {
        let place = here()?;
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        let file = path.with_file_name(format!("{stem}-{}.json", place.inode));
        let page = fs::read(&file).ok().and_then(|bytes| serde_json::from_slice::<Page>(&bytes).ok());
        let mut changes =
            page.filter(|page| page.place == place).map(|page| page.changes).unwrap_or_default();
        if !changes.is_empty() {
            let links = Reader::open()?.links()?;
            let sysctls = Sysctls::new();
            let name = |index| links.iter().find(|link| link.index == index).map(|link| link.name.clone());
            changes = changes.into_iter().filter_map(|change| change.now_called(name)).collect();
            changes.retain(|change| sysctls.read(&change.setting).is_ok_and(|value| value == change.now));
        }
        Ok(Self { changes, file: Some((file, place)), trouble: None })
    }

    /// What was changed, in the order of the first changes.
    pub fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// Forgets an interface that was deleted.
    pub fn deleted(&mut self, index: u32) {
        self.keep(|change| change.index != index);
    }

    /// Forgets what was made of an interface that is not to be touched.
    pub fn leave(&mut self, interface: &str) {
        self.keep(|change| change.setting.interface() != interface);
    }

    fn keep(&mut self, which: impl Fn(&Change) -> bool) {
        let before = self.changes.len();
        self.changes.retain(which);
        if self.changes.len() != before {
            self.save();
        }
    }

    /// Why the file could not be written, the first time after it could.
    pub fn trouble(&mut self) -> Option<io::Error> {
        self.trouble.take()
    }

    /// Notes a change and gives what was remembered of the setting until now. What is again as it was first
    /// is no change.
    pub(super) fn note(&mut self, change: Change) -> Option<Change> {
        let place = self.changes.iter().position(|known| known.is_of(&change.setting, change.index));
        let former = place.map(|place| self.changes[place].clone());
        match place {
            Some(place) if self.changes[place].before == change.now => drop(self.changes.remove(place)),
            Some(place) => self.changes[place].now = change.now,
            None if change.before != change.now => self.changes.push(change),
            None => {}
        }
        self.save();
        former
    }

    /// Has the setting remembered as it was before [`SavedSysctls::note`].
    pub(super) fn take_back(&mut self, setting: &Setting, index: u32, former: Option<Change>) {
        let place = self.changes.iter().position(|known| known.is_of(setting, index));
        match (place, former) {
            (Some(place), Some(former)) => self.changes[place] = former,
            (Some(place), None) => drop(self.changes.remove(place)),
            (None, Some(former)) => self.changes.push(former),
            (None, None) => {}
        }
        self.save();
    }

    /// Forgets everything, and gives what it was.
    pub(super) fn clear(&mut self) -> Vec<Change> {
        let changes = std::mem::take(&mut self.changes);
        self.save();
        changes
    }

    /// Writes the file in one go, by renaming, or removes it when there is nothing to remember.
    fn save(&mut self) {
        let Some((file, place)) = &self.file else { return };
        let written = if self.changes.is_empty() {
            fs::remove_file(file).or_else(|error| match error.kind() {
                io::ErrorKind::NotFound => Ok(()),
                _ => Err(error),
            })
        } else {
            let page = Page { place: place.clone(), changes: self.changes.clone() };
            let new = file.with_extension("json.new");
            serde_json::to_vec(&page)
                .map_err(io::Error::other)
                .and_then(|bytes| fs::write(&new, bytes))
                .and_then(|()| fs::rename(&new, file))
        };
        if let Err(error) = written {
            // Once: the next attempts would fail alike.
            self.trouble = Some(error);
            self.file = None;
        }
    }
}

/// Why nothing can be remembered.
#[derive(Debug, thiserror::Error)]
pub enum SavedError {
    /// The network namespace cannot be told from others.
    #[error("cannot tell which network namespace this is: {0}")]
    Place(#[from] io::Error),
    /// Its interfaces cannot be listed.
    #[error(transparent)]
    Netlink(#[from] NetlinkError),
}

fn here() -> io::Result<Place> {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id")?.trim_end().to_owned();
    let inode = fs::metadata("/proc/thread-self/ns/net")?.ino();
    let socket = Socket::new(Domain::UNIX, Type::DGRAM, None)?;
    // A u64 in the machine's order.
    let halves = sockopt::get::<2>(&socket, libc::SOL_SOCKET, libc::SO_NETNS_COOKIE).unwrap_or_default();
    let octets: Vec<u8> = halves.iter().flat_map(|half| half.to_ne_bytes()).collect();
    let cookie = octets.first_chunk().map_or(0, |octets| u64::from_ne_bytes(*octets));
    Ok(Place { boot, inode, cookie })
}
