//! A disk with little room, to be full.
#![expect(unsafe_code, reason = "unmounting is a system call")]

use std::ffi::CString;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use tempfile::TempDir;

use crate::Result;
use crate::enter::mount_with;
use crate::error::Tried;

/// Files that there can be on it.
const NAMES: usize = 32;

/// A file system of its own in a directory, for this process and those that it starts; gone with this value.
#[derive(Debug)]
pub struct SmallDisk {
    directory: TempDir,
}

impl SmallDisk {
    /// With room for so many octets, in whole pages.
    ///
    /// # Errors
    /// When nothing can be mounted; the process must have [entered](crate::enter()) namespaces of its own.
    pub fn new(octets: usize) -> Result<Self> {
        let make = || {
            let directory = tempfile::Builder::new().prefix("arpherd-disk-").tempdir()?;
            let target = CString::new(directory.path().as_os_str().as_bytes())?;
            let options = CString::new(format!("size={octets},nr_inodes={NAMES},mode=755"))?;
            mount_with(Some(c"lab"), &target, Some(c"tmpfs"), 0, Some(&options))?;
            Ok::<_, io::Error>(Self { directory })
        };
        make().tried(|| format!("mount a file system of {octets} octets"))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Takes all the room that is left.
    ///
    /// # Panics
    /// When it is not full after that.
    pub fn fill(&self) {
        let mut filler = File::create(self.filler()).expect("a name takes no room");
        let full = loop {
            if let Err(error) = filler.write_all(&[0]).and_then(|()| filler.write_all(&[0; 4095])) {
                break error;
            }
        };
        assert_eq!(full.kind(), io::ErrorKind::StorageFull);
    }

    /// Gives back what [`fill`](Self::fill) took.
    ///
    /// # Panics
    /// When it was not filled.
    pub fn clear(&self) {
        fs::remove_file(self.filler()).expect("it was filled");
    }

    /// Takes all the room for names of files.
    ///
    /// # Panics
    /// When there is still some after that.
    pub fn fill_names(&self) {
        let full = (0..=NAMES).find_map(|number| File::create(self.path().join(number.to_string())).err());
        assert_eq!(full.map(|error| error.kind()), Some(io::ErrorKind::StorageFull));
    }

    fn filler(&self) -> std::path::PathBuf {
        self.path().join("filler")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        if let Ok(target) = CString::new(self.directory.path().as_os_str().as_bytes()) {
            // SAFETY: a terminated string that outlives the call. What fails ends with the namespace.
            unsafe { libc::umount2(target.as_ptr(), libc::MNT_DETACH) };
        }
    }
}
