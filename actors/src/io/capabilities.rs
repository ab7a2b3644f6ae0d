//! Giving up capabilities (capabilities(7)), so that an error in the daemon is not an error of a program that may do
//! everything.
//!
//! They belong to threads: a thread begins with what the one has that starts it. So they are given up while there is
//! a single thread.

use std::io;
use std::path::Path;

use rustix::fs::{Access, AtFlags, CWD, accessat};
use rustix::thread::{
    CapabilitySet, CapabilitySets, capabilities, capability_is_in_bounding_set, clear_ambient_capability_set,
    remove_capability_from_bounding_set, set_capabilities, set_no_new_privs,
};

use super::process::Capability;

/// Rights over files whatever their modes are.
const FILES: CapabilitySet = CapabilitySet::DAC_OVERRIDE.union(CapabilitySet::DAC_READ_SEARCH);

/// Gives up all capabilities but these, for good: the calling thread, and all that it starts, cannot get others, not
/// even by executing a program. Returns those of them that it has.
///
/// # Errors
/// If the kernel refuses, which it does only in a sandbox.
pub fn keep_only(wanted: &[Capability]) -> io::Result<Vec<Capability>> {
    let wanted_set = wanted.iter().fold(CapabilitySet::empty(), |set, it| set | set_of(*it));
    // What is in neither set can come from nowhere then, so a bounding set that may not be changed (it takes
    // CAP_SETPCAP, which no unit gives) grants nothing.
    set_no_new_privs(true)?;
    for bit in 0..u64::BITS {
        let one = CapabilitySet::from_bits_retain(1 << bit);
        // Beyond the kernel's last capability all are unknown to it.
        let Ok(is_bound) = capability_is_in_bounding_set(one) else { break };
        if is_bound && !wanted_set.contains(one) && remove_capability_from_bounding_set(one).is_err() {
            break;
        }
    }
    // Kernels before 4.3 have none.
    let _ = clear_ambient_capability_set();
    let before = capabilities(None)?;
    let kept = before.permitted & wanted_set;
    let after = CapabilitySets { effective: kept, permitted: kept, inheritable: CapabilitySet::empty() };
    if after != before
        && let Err(error) = set_capabilities(None, after)
        && kept != before.permitted
    {
        // Where there is nothing to give up, as in our unit, the system call may be forbidden.
        return Err(error.into());
    }
    Ok(wanted.iter().copied().filter(|it| kept.contains(set_of(*it))).collect())
}

/// Does the work without the rights over files that capabilities give: as root it meets the modes of files then.
///
/// # Errors
/// If the kernel refuses to take them, or to give them back.
pub fn without_rights_over_files<T>(work: impl FnOnce() -> T) -> io::Result<T> {
    let before = capabilities(None)?;
    if !before.effective.intersects(FILES) {
        return Ok(work());
    }
    set_capabilities(None, CapabilitySets { effective: before.effective - FILES, ..before })?;
    let outcome = work();
    set_capabilities(None, before)?;
    Ok(outcome)
}

/// Whether the file or folder can be read by its mode and owner.
pub fn may_read(path: &Path) -> bool {
    let access = if path.is_dir() { Access::READ_OK | Access::EXEC_OK } else { Access::READ_OK };
    accessat(CWD, path, access, AtFlags::EACCESS).is_ok()
}

/// Whether files can be made in the folder by its mode and owner.
pub fn may_make_files_in(folder: &Path) -> bool {
    accessat(CWD, folder, Access::WRITE_OK | Access::EXEC_OK, AtFlags::EACCESS).is_ok()
}

fn set_of(capability: Capability) -> CapabilitySet {
    CapabilitySet::from_bits_retain(capability.bit())
}
