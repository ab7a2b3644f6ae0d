//! What is known of hosts, in a file from the end of one run to the start of the next.
//!
//! The file belongs to one network namespace of one boot, and says when it was written, on the clock that goes on while
//! the machine sleeps (`CLOCK_BOOTTIME`). It is read once: a run that ends without writing one leaves none behind, because
//! what an earlier one knew may be wrong by then.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use arpherd_core::memory::RememberedHost;
use rustix::process::geteuid;
use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

use super::netns::NetnsId;

/// The form of the file; one of another form is not read.
const VERSION: u32 = 1;
/// A file is used for so long. Those that knew a host's place have it in no neighbour cache any longer then, so that
/// nothing is lost if it is found anew.
const FRESH: Duration = Duration::from_secs(600);
/// Hosts that are written at the most, those heard last.
const HOSTS: usize = 131_072;
/// Octets of a file that is read: what so many hosts take, with names of interfaces of 127 octets.
const OCTETS: u64 = 64 << 20;

/// The file's content.
#[derive(Serialize, Deserialize)]
struct Content {
    version: u32,
    netns: NetnsId,
    /// Since the machine was started.
    written: Duration,
    hosts: Vec<RememberedHost>,
}

/// Its head, which is the same in every version.
#[derive(Deserialize)]
struct Head {
    version: u32,
}

/// Why a file is not used.
#[derive(Debug, thiserror::Error)]
pub enum SavedHostsError {
    /// It cannot be read.
    #[error("it cannot be read: {0}")]
    Io(#[from] io::Error),
    /// It is somebody else's, or is not a file.
    #[error("it is not a file of this user's")]
    NotOurs,
    /// It is larger than any that is written.
    #[error("it is too large")]
    TooLarge,
    /// It is of another version of arpherd, or damaged.
    #[error("it is damaged: {0}")]
    Damaged(#[from] serde_json::Error),
    /// It is of another version of arpherd.
    #[error("it has the form {0}, which this arpherd does not read")]
    Version(u32),
    /// It is of an earlier boot, or of another network namespace.
    #[error("it is of an earlier boot or another network namespace")]
    Elsewhere,
    /// Too much can have changed since.
    #[error("it is {} s old", .0.as_secs())]
    Old(Duration),
}

/// Reads the hosts that an earlier run saved for the calling thread's network namespace, with their ages now, and removes
/// the file. The file is named like `path`, with the namespace's inode number appended to its stem. None if there is no
/// file.
///
/// # Errors
/// If it cannot be used; it is removed all the same.
pub fn take(path: &Path) -> Result<Vec<RememberedHost>, SavedHostsError> {
    let netns = NetnsId::current()?;
    let file = netns.own_file(path);
    let outcome = read(&file, &netns, since_boot());
    match outcome {
        Err(SavedHostsError::Io(error)) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        outcome => {
            fs::remove_file(&file)?;
            outcome
        }
    }
}

/// Saves the hosts for the calling thread's network namespace: whole, or not at all.
///
/// # Errors
/// Of the system calls, such as a full disk.
pub fn save(path: &Path, hosts: &[RememberedHost]) -> io::Result<()> {
    let netns = NetnsId::current()?;
    let file = netns.own_file(path);
    let mut hosts = hosts.to_vec();
    if hosts.len() > HOSTS {
        hosts.sort_by_key(|host| host.age);
        hosts.truncate(HOSTS);
    }
    write(&file, &Content { version: VERSION, netns, written: since_boot(), hosts })
}

fn read(file: &Path, netns: &NetnsId, now: Duration) -> Result<Vec<RememberedHost>, SavedHostsError> {
    let octets = checked_octets(file, VERSION)?;
    let Content { netns: origin, written, mut hosts, .. } = serde_json::from_slice(&octets)?;
    if origin != *netns {
        return Err(SavedHostsError::Elsewhere);
    }
    let age = now.saturating_sub(written);
    if age > FRESH || written > now {
        return Err(SavedHostsError::Old(age));
    }
    for host in &mut hosts {
        host.age = host.age.saturating_add(age);
    }
    Ok(hosts)
}

/// The octets of a file of this user's of that version.
pub(super) fn checked_octets(file: &Path, version: u32) -> Result<Vec<u8>, SavedHostsError> {
    let file = OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(file)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() || metadata.uid() != geteuid().as_raw() {
        return Err(SavedHostsError::NotOurs);
    }
    let octets = octets_of(file)?;
    let head: Head = serde_json::from_slice(&octets)?;
    if head.version != version {
        return Err(SavedHostsError::Version(head.version));
    }
    Ok(octets)
}

fn octets_of(file: File) -> Result<Vec<u8>, SavedHostsError> {
    let mut octets = Vec::new();
    file.take(OCTETS + 1).read_to_end(&mut octets)?;
    if octets.len() as u64 > OCTETS { Err(SavedHostsError::TooLarge) } else { Ok(octets) }
}

/// Writes a file that only this user can read: whole, or not at all.
pub(super) fn write(file: &Path, content: &impl Serialize) -> io::Result<()> {
    let new = new_name(file);
    // A file of that name is one of a run that was killed while it wrote.
    let _ = fs::remove_file(&new);
    let target = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
    let mut target = BufWriter::new(target);
    let written = serde_json::to_writer(&mut target, content)
        .map_err(io::Error::from)
        .and_then(|()| target.flush())
        .and_then(|()| fs::rename(&new, file));
    if written.is_err() {
        let _ = fs::remove_file(&new);
    }
    written
}

fn new_name(file: &Path) -> PathBuf {
    file.with_extension("json.new")
}

/// Time since the machine was started, sleep included.
fn since_boot() -> Duration {
    let now = clock_gettime(ClockId::Boottime);
    Duration::new(u64::try_from(now.tv_sec).unwrap_or(0), u32::try_from(now.tv_nsec).unwrap_or(0))
}

#[cfg(test)]
mod tests;
