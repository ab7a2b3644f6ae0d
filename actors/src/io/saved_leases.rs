//! Leases of DHCP, in a file that goes with them: what a run that is killed knew is as good as what one knew that was
//! stopped.
//!
//! The file belongs to one network namespace of one boot, and says when each lease was granted, on the wall clock: that is
//! the one by which clients and servers go, whoever runs meanwhile. A clock that was set back lets leases live longer, and
//! one that was set forward ends them; clients then ask anew.

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use arpherd_core::memory::RememberedLease;
use serde::{Deserialize, Serialize};

use super::netns::NetnsId;
use super::saved_hosts::{SavedHostsError, checked_octets, write};

/// The form of the file; one of another form is not read.
const VERSION: u32 = 1;

/// A lease, and when it was granted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedLease {
    /// Since 1970, on the wall clock.
    granted: Duration,
    /// The rest; its age is 0.
    #[serde(flatten)]
    lease: RememberedLease,
}

impl SavedLease {
    /// As it is known now.
    pub fn of(lease: RememberedLease) -> Self {
        Self::at(lease, since_1970())
    }

    fn at(lease: RememberedLease, now: Duration) -> Self {
        let granted = now.saturating_sub(lease.age);
        Self { granted, lease: RememberedLease { age: Duration::ZERO, ..lease } }
    }

    /// With its age; `None` if it is over.
    fn at_age(self, now: Duration) -> Option<RememberedLease> {
        let age = now.saturating_sub(self.granted);
        let is_over = self.lease.duration.is_some_and(|duration| duration <= age);
        (!is_over).then_some(RememberedLease { age, ..self.lease })
    }
}

/// The file's content.
#[derive(Serialize, Deserialize)]
struct Content<T> {
    version: u32,
    netns: NetnsId,
    leases: T,
}

/// The file of one network namespace.
#[derive(Debug, Clone)]
pub struct LeaseFile {
    file: PathBuf,
    netns: NetnsId,
}

impl LeaseFile {
    /// That of the calling thread's network namespace. It is named like `path`, with the namespace's inode number appended
    /// to its stem.
    ///
    /// # Errors
    /// If the namespace cannot be identified.
    pub fn of_current(path: &Path) -> io::Result<Self> {
        let netns = NetnsId::current()?;
        Ok(Self { file: netns.own_file(path), netns })
    }

    /// The leases that are not over, with their ages now. None if there is no file.
    ///
    /// # Errors
    /// If it cannot be used.
    pub fn read(&self) -> Result<Vec<RememberedLease>, SavedHostsError> {
        let octets = match checked_octets(&self.file, VERSION) {
            Err(SavedHostsError::Io(error)) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(Vec::new());
            }
            octets => octets?,
        };
        let Content::<Vec<SavedLease>> { netns, leases, .. } = serde_json::from_slice(&octets)?;
        if netns != self.netns {
            return Err(SavedHostsError::Elsewhere);
        }
        let now = since_1970();
        Ok(leases.into_iter().filter_map(|lease| lease.at_age(now)).collect())
    }

    /// Writes them: whole, or not at all.
    ///
    /// # Errors
    /// Of the system calls, such as a full disk.
    pub fn write<'a>(&self, leases: impl Iterator<Item = &'a SavedLease>) -> io::Result<()> {
        let leases: Vec<&SavedLease> = leases.collect();
        write(&self.file, &Content { version: VERSION, netns: self.netns.clone(), leases })
    }
}

fn since_1970() -> Duration {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use arpherd_core::LinkAddr;
    use arpherd_core::dhcp::ClientId;

    use super::*;

    fn lease(last: u8, seconds: Option<u64>) -> RememberedLease {
        RememberedLease {
            address: [10, 2, 0, last].into(),
            interface: "eth0".to_owned(),
            client: ClientId::Identifier(vec![255, last]),
            lladdr: LinkAddr::ethernet([2, 0, 0, 0, 0, last]),
            server: [10, 2, 0, 2].into(),
            duration: seconds.map(Duration::from_secs),
            age: Duration::ZERO,
        }
    }

    fn temporary(name: &str) -> LeaseFile {
        let path = std::env::temp_dir().join(format!("arpherd-leases-{name}-{}.json", std::process::id()));
        LeaseFile::of_current(&path).expect("a network namespace")
    }

    #[test]
    fn the_time_of_a_lease_goes_on_while_nobody_runs() {
        let at = Duration::from_secs(1_700_000_000);
        let aged = RememberedLease { age: Duration::from_secs(100), ..lease(9, Some(3600)) };
        let saved = SavedLease::at(aged, at);
        let left = |later: u64| saved.clone().at_age(at + Duration::from_secs(later)).map(|lease| lease.age);
        assert_eq!(left(0), Some(Duration::from_secs(100)));
        assert_eq!(left(3499), Some(Duration::from_secs(3599)));
        assert_eq!(left(3500), None, "it is over");
        assert!(SavedLease::at(lease(9, None), at).at_age(at * 2).is_some(), "one for ever is never");
    }

    #[test]
    fn what_was_written_is_read() {
        let file = temporary("read");
        assert_eq!(file.read().expect("none"), []);
        let leases = [lease(9, Some(3600)), lease(10, None)];
        let saved: Vec<SavedLease> = leases.iter().cloned().map(SavedLease::of).collect();
        for _ in 0..2 {
            file.write(saved.iter()).expect("a temporary file");
        }
        let read = file.read().expect("it was written");
        let aged: Vec<_> =
            read.iter().map(|it| RememberedLease { age: Duration::ZERO, ..it.clone() }).collect();
        assert_eq!(aged, leases);
        assert!(read.iter().all(|it| it.age < Duration::from_secs(60)));
        fs::remove_file(&file.file).expect("it is there");
    }

    #[test]
    fn what_is_damaged_or_anothers_is_an_error() {
        let file = temporary("damaged");
        fs::write(&file.file, "{\"version\":1").expect("a temporary file");
        assert!(matches!(file.read(), Err(SavedHostsError::Damaged(_))));
        fs::write(&file.file, "{\"version\":7}").expect("a temporary file");
        assert!(matches!(file.read(), Err(SavedHostsError::Version(7))));
        fs::remove_file(&file.file).expect("it is there");
    }
}
