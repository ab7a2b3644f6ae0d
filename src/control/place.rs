//! The socket's place in the file system: taken by one daemon at a time, left clean.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_std::os::unix::net::UnixStream;

use crate::exit::Exit;
use crate::log::Escaped;

/// How long a process on the socket may take to accept a connection before it counts as alive but stuck.
const CONNECT_PATIENCE: Duration = Duration::from_secs(1);

/// Why the control socket cannot be had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ControlError {
    /// Another daemon has it.
    #[error("another arpherd answers on {}; stop it, or choose another daemon.control", shown(.0))]
    Live(PathBuf),
    /// Another daemon is about to have it, or has just had it.
    #[error("another arpherd is starting or stopping on {}; try again", shown(.0))]
    Held(PathBuf),
    /// The path cannot be that of a socket.
    #[error("daemon.control: {} is no path for a socket: expected 1 to 107 octets", shown(.0))]
    BadPath(PathBuf),
    /// Something else is there.
    #[error("daemon.control: {} exists and is not a socket; it is left alone", shown(.0))]
    NotASocket(PathBuf),
    /// The operating system says no.
    #[error("cannot {verb} {}: {source}", shown(.path))]
    Io {
        /// What was tried.
        verb: &'static str,
        /// With what.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
}

fn shown(path: &Path) -> String {
    Escaped(&path.to_string_lossy()).to_string()
}

impl ControlError {
    /// The exit code that fits, out of sysexits.
    pub(crate) fn exit_code(&self) -> Exit {
        match self {
            Self::Live(_) | Self::Held(_) => Exit::Unavailable,
            Self::BadPath(_) | Self::NotASocket(_) => Exit::Config,
            Self::Io { source, .. } if source.kind() == ErrorKind::PermissionDenied => Exit::NoPerm,
            Self::Io { .. } => Exit::CantCreat,
        }
    }
}

/// `Err` of a failed system call, with what was tried.
fn tried(verb: &'static str, path: &Path) -> impl FnOnce(io::Error) -> ControlError {
    move |source| ControlError::Io { verb, path: path.to_owned(), source }
}

/// A place that is ours: the lock until this is dropped, the socket until it is vacated.
#[derive(Debug)]
pub(super) struct Place {
    path: PathBuf,
    lock_path: PathBuf,
    /// Device and inode of our socket.
    identity: Option<(u64, u64)>,
    _lock: File,
}

impl Place {
    /// Where the socket is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Takes the place and listens there.
    pub(super) fn take(path: &Path) -> Result<(Self, UnixListener), ControlError> {
        if path.as_os_str().is_empty() || SocketAddr::from_pathname(path).is_err() {
            return Err(ControlError::BadPath(path.to_owned()));
        }
        if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            let made = DirBuilder::new().recursive(true).mode(0o755).create(parent);
            made.map_err(tried("create the directory", parent))?;
        }
        let (lock_path, lock) = lock(path)?;
        let mut place = Self { path: path.to_owned(), lock_path, identity: None, _lock: lock };
        place.clear_stale()?;
        let listener = UnixListener::bind(path).map_err(tried("listen on", path))?;
        place.identity = identity_of(path);
        fs::set_permissions(path, fs::Permissions::from_mode(0o660))
            .map_err(tried("set the mode of", path))?;
        listener.set_nonblocking(true).map_err(tried("listen on", path))?;
        // Whoever connected before the mode was set may lack the right to.
        while listener.accept().is_ok() {}
        Ok((place, listener))
    }

    /// Removes a socket nobody listens on; with the lock held, nobody else is doing the same.
    fn clear_stale(&self) -> Result<(), ControlError> {
        let path = &self.path;
        match fs::symlink_metadata(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            Err(error) => Err(tried("look at", path)(error)),
            Ok(found) if !found.file_type().is_socket() => Err(ControlError::NotASocket(path.clone())),
            Ok(_) if somebody_listens(path) => Err(ControlError::Live(path.clone())),
            Ok(_) => fs::remove_file(path).map_err(tried("replace", path)),
        }
    }

    /// Removes the socket, if the file there is still the one we made. The lock stays.
    pub(super) fn vacate(&mut self) {
        if let Some(ours) = self.identity.take()
            && identity_of(&self.path) == Some(ours)
        {
            // Nothing depends on it: the next start replaces what is left.
            let _ = fs::remove_file(&self.path);
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.vacate();
        // Before the lock goes, so that the file removed is the one that is locked.
        let _ = fs::remove_file(&self.lock_path);
    }
}

/// Takes the lock beside the socket, or says who has it.
fn lock(path: &Path) -> Result<(PathBuf, File), ControlError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let lock_path = PathBuf::from(name);
    loop {
        let opened = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&lock_path);
        let file = opened.map_err(tried("open", &lock_path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) if somebody_listens(path) => {
                return Err(ControlError::Live(path.to_owned()));
            }
            Err(TryLockError::WouldBlock) => return Err(ControlError::Held(path.to_owned())),
            Err(TryLockError::Error(error)) => return Err(tried("lock", &lock_path)(error)),
        }
        // The holder before us may have removed the file between our open and our lock.
        let locked = file.metadata().map_err(tried("look at", &lock_path))?;
        if identity_of(&lock_path) == Some((locked.dev(), locked.ino())) {
            return Ok((lock_path, file));
        }
    }
}

fn identity_of(path: &Path) -> Option<(u64, u64)> {
    fs::symlink_metadata(path).ok().map(|found| (found.dev(), found.ino()))
}

/// Whether a process has the socket open for listening. Only a refusal proves that none does.
fn somebody_listens(path: &Path) -> bool {
    let attempt = async_std::future::timeout(CONNECT_PATIENCE, UnixStream::connect(path));
    match async_std::task::block_on(attempt) {
        Ok(Err(error)) => !matches!(error.kind(), ErrorKind::ConnectionRefused | ErrorKind::NotFound),
        Ok(Ok(_)) | Err(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn somewhere() -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path().join("run/control.sock");
        (directory, path)
    }

    #[test]
    fn socket_is_for_owner_and_group_and_leaves_nothing_behind() {
        let (_directory, path) = somewhere();
        let (place, _listener) = Place::take(&path).expect("a free place");
        assert_eq!(fs::metadata(&path).expect("the socket").mode() & 0o777, 0o660);
        drop(place);
        assert_eq!(fs::read_dir(path.parent().expect("a parent")).expect("the directory").count(), 0);
    }

    #[test]
    fn stale_socket_is_replaced() {
        let (_directory, path) = somewhere();
        fs::create_dir_all(path.parent().expect("a parent")).expect("the directory");
        drop(UnixListener::bind(&path).expect("a socket that stays when its daemon dies"));
        let before = identity_of(&path);
        let (_place, _listener) = Place::take(&path).expect("nobody listens");
        assert!(before.is_some() && identity_of(&path).is_some());
        assert!(somebody_listens(&path));
    }

    #[test]
    fn live_socket_is_refused_and_stays() {
        let (_directory, path) = somewhere();
        let (_place, _listener) = Place::take(&path).expect("a free place");
        let refusal = Place::take(&path).expect_err("the place is taken");
        assert_eq!(refusal.exit_code(), Exit::Unavailable);
        assert!(refusal.to_string().starts_with("another arpherd answers on /"), "{refusal}");
        assert!(somebody_listens(&path));
    }

    #[test]
    fn socket_of_a_program_without_our_lock_is_refused_and_stays() {
        let (directory, _) = somewhere();
        let path = directory.path().join("c.sock");
        let _listener = UnixListener::bind(&path).expect("another program");
        assert!(matches!(Place::take(&path), Err(ControlError::Live(_))));
        assert!(somebody_listens(&path));
    }

    #[test]
    fn starter_that_holds_the_lock_wins() {
        let (directory, _) = somewhere();
        let path = directory.path().join("c.sock");
        let held = lock(&path).expect("a free lock");
        assert!(matches!(Place::take(&path), Err(ControlError::Held(_))));
        drop(held);
        assert!(Place::take(&path).is_ok());
    }

    #[test]
    fn socket_of_a_successor_is_not_removed() {
        let (_directory, path) = somewhere();
        let (place, _listener) = Place::take(&path).expect("a free place");
        // Kept open under another name, so that its inode is not used again.
        fs::rename(&path, path.with_extension("old")).expect("an operator's doing");
        let _successor = UnixListener::bind(&path).expect("another program");
        drop(place);
        assert!(somebody_listens(&path));
    }

    #[test]
    fn file_that_is_no_socket_is_left_alone() {
        let (directory, _) = somewhere();
        let path = directory.path().join("precious");
        fs::write(&path, "data").expect("a file");
        assert_eq!(Place::take(&path).expect_err("not a socket").exit_code(), Exit::Config);
        assert_eq!(fs::read(&path).expect("the file"), b"data");
    }

    #[test]
    fn impossible_paths_are_told_before_anything_is_made() {
        let (directory, _) = somewhere();
        let long = directory.path().join("deep").join("x".repeat(120));
        let refusal = Place::take(&long).expect_err("too long");
        assert_eq!(refusal.exit_code(), Exit::Config);
        assert!(refusal.to_string().contains("107"), "{refusal}");
        assert!(!directory.path().join("deep").exists());
        assert!(matches!(Place::take(Path::new("")), Err(ControlError::BadPath(_))));
    }
}
