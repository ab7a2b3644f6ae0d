//! Giving up access to files by Landlock (landlock(7)): what is not listed can neither be opened nor made any longer,
//! whoever the process is.
//!
//! It holds for the calling thread and those that it starts, so it is done while there is a single thread. What is open
//! stays open. Looking at names and metadata, sockets, and namespaces (`/run/netns`) are not restricted.

use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access as _, AccessFs, BitFlags, LandlockStatus, PathBeneath, PathFd, Ruleset, RulesetAttr,
    RulesetCreatedAttr, RulesetError, RulesetStatus, Scope,
};

/// The rights over files of Linux 6.10. Those of later ones would forbid what was never tried without them.
const RIGHTS: ABI = ABI::V5;
/// A rule is for an inode. Of these files the kernel makes a new one when nobody has used them for a while.
const MADE_ANEW: &str = "/proc";

/// What stays permitted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FileAccess {
    /// Files and folders that are read, with all that is in them.
    pub read: Vec<PathBuf>,
    /// Files that are there already, or folders of them, that are read and written, but not made or removed.
    pub write: Vec<PathBuf>,
    /// Folders in which files and sockets are made, replaced and removed.
    pub make: Vec<PathBuf>,
    /// Devices.
    pub devices: Vec<PathBuf>,
}

/// How far the kernel enforces it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Enforcement {
    /// All of it.
    Full,
    /// As far as its version of Landlock can: it is older than Linux 6.12.
    Partial,
    /// It has no Landlock (`ENOSYS`): it was built without.
    NotBuilt,
    /// It has Landlock, which is not among the security modules that it was started with (`EOPNOTSUPP`).
    NotStarted,
}

/// The restriction, which holds on after this value; but access to files of the kernel may end with it.
#[derive(Debug)]
pub struct Restriction {
    /// How far it is enforced.
    pub enforcement: Enforcement,
    _held: Vec<PathFd>,
}

impl Restriction {
    /// Whether there is any.
    pub fn is_enforced(&self) -> bool {
        matches!(self.enforcement, Enforcement::Full | Enforcement::Partial)
    }
}

impl FileAccess {
    /// Gives up all other access, for good, and with it sending signals to other processes. Paths that do not exist give
    /// no access, not even when they exist later.
    ///
    /// # Errors
    /// If the kernel refuses, as in a sandbox that forbids it.
    pub fn restrict(&self) -> Result<Restriction, RulesetError> {
        let mut held = Vec::new();
        let mut ruleset =
            Ruleset::default().handle_access(AccessFs::from_all(RIGHTS))?.scope(Scope::Signal)?.create()?;
        for (path, access) in self.rules() {
            let Ok(file) = PathFd::new(path) else { continue };
            let access = if path.is_dir() { access } else { access & AccessFs::from_file(RIGHTS) };
            ruleset = ruleset.add_rule(PathBeneath::new(&file, access))?;
            if path.starts_with(MADE_ANEW) {
                held.push(file);
            }
        }
        let status = ruleset.restrict_self()?;
        let enforcement = match (status.ruleset, status.landlock) {
            (RulesetStatus::FullyEnforced, _) => Enforcement::Full,
            (RulesetStatus::PartiallyEnforced, _) => Enforcement::Partial,
            (RulesetStatus::NotEnforced, LandlockStatus::NotEnabled) => Enforcement::NotStarted,
            (RulesetStatus::NotEnforced, _) => Enforcement::NotBuilt,
        };
        Ok(Restriction { enforcement, _held: held })
    }

    fn rules(&self) -> impl Iterator<Item = (&Path, BitFlags<AccessFs>)> {
        let read = AccessFs::ReadFile | AccessFs::ReadDir;
        let write = read | AccessFs::WriteFile | AccessFs::Truncate;
        let make = write | AccessFs::MakeReg | AccessFs::MakeSock | AccessFs::RemoveFile;
        let device = write | AccessFs::IoctlDev;
        let lists = [(&self.read, read), (&self.write, write), (&self.make, make), (&self.devices, device)];
        lists.into_iter().flat_map(|(paths, access)| paths.iter().map(move |path| (path.as_path(), access)))
    }
}
