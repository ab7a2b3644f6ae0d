//! The socket's file and its lock: owned by one daemon at a time, removed at the end.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt, chown};
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::{Path, PathBuf};

use arpherd_actors::io::process::listener;

use super::access::{Group, GroupError};
use crate::exit::Exit;
use crate::log::Escaped;

/// Why the control socket cannot be created.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ControlError {
    /// Another daemon listens on it.
    #[error("another arpherd listens on {}; stop it, or set another daemon.control", escaped(.0))]
    InUse(PathBuf),
    /// Another daemon holds the lock: it is starting or stopping.
    #[error("another arpherd is starting or stopping on {}; try again", escaped(.0))]
    Locked(PathBuf),
    /// The path is not valid for a socket.
    #[error("daemon.control: {} is not a valid socket path; expected 1 to 107 bytes", escaped(.0))]
    BadPath(PathBuf),
    /// The path is that of another file.
    #[error("daemon.control: {} exists and is not a socket; remove it, or set another path", escaped(.0))]
    NotASocket(PathBuf),
    /// A group that is configured is not known.
    #[error(transparent)]
    NoGroup(#[from] GroupError),
    /// The socket cannot be given to its group.
    #[error(
        "cannot give {} to group {group}: {source}; the daemon has to be a member (SupplementaryGroups={group} in its \
         unit), or have CAP_CHOWN", escaped(.path)
    )]
    Group {
        /// The socket.
        path: PathBuf,
        /// The group's name.
        group: String,
        /// The error.
        source: io::Error,
    },
    /// A system call failed.
    #[error("cannot {verb} {}: {source}{}", escaped(.path), hint(.source))]
    Io {
        /// The operation.
        verb: &'static str,
        /// Its object.
        path: PathBuf,
        /// Its error.
        source: io::Error,
    },
}

/// What to do about it.
fn hint(error: &io::Error) -> &'static str {
    match error.kind() {
        ErrorKind::StorageFull => "; make room there, or set another path (daemon.control)",
        ErrorKind::ReadOnlyFilesystem => "; set a path that can be written (daemon.control)",
        _ => "",
    }
}

fn escaped(path: &Path) -> String {
    Escaped(&path.to_string_lossy()).to_string()
}

impl ControlError {
    /// The exit code that fits, out of sysexits.
    pub(crate) fn exit_code(&self) -> Exit {
        match self {
            Self::InUse(_) | Self::Locked(_) => Exit::Unavailable,
            Self::BadPath(_) | Self::NotASocket(_) | Self::NoGroup(_) | Self::Group { .. } => Exit::Config,
            Self::Io { source, .. } if source.kind() == ErrorKind::PermissionDenied => Exit::NoPerm,
            Self::Io { .. } => Exit::CantCreat,
        }
    }
}

/// The error of a failed operation on `path`.
fn failed(verb: &'static str, path: &Path) -> impl FnOnce(io::Error) -> ControlError {
    move |source| ControlError::Io { verb, path: path.to_owned(), source }
}

/// The socket's file and its lock. The lock is held until this is dropped, the socket exists until it is removed.
#[derive(Debug)]
pub(crate) struct SocketFile {
    path: PathBuf,
    lock_path: PathBuf,
    /// Device and inode of the socket that was created.
    identity: Option<(u64, u64)>,
    _lock: File,
}

impl SocketFile {
    /// The socket's path.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Takes the lock, replaces a stale socket and listens. The daemon's own user and group may connect.
    pub(crate) fn create(path: &Path) -> Result<(Self, UnixListener), ControlError> {
        Self::create_for(path, None)
    }

    /// The same for the daemon's own user and this group.
    pub(super) fn create_for(
        path: &Path,
        group: Option<&Group>,
    ) -> Result<(Self, UnixListener), ControlError> {
        if path.as_os_str().is_empty() || SocketAddr::from_pathname(path).is_err() {
            return Err(ControlError::BadPath(path.to_owned()));
        }
        if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            let made = DirBuilder::new().recursive(true).mode(0o755).create(parent);
            made.map_err(failed("create the directory", parent))?;
        }
        let (lock_path, lock) = lock(path)?;
        let mut file = Self { path: path.to_owned(), lock_path, identity: None, _lock: lock };
        file.clear_stale()?;
        let listener = UnixListener::bind(path).map_err(failed("listen on", path))?;
        file.identity = identity_of(path);
        if let Some(Group { name, number }) = group {
            chown(path, None, Some(*number)).map_err(|source| ControlError::Group {
                path: path.to_owned(),
                group: name.clone(),
                source,
            })?;
        }
        fs::set_permissions(path, fs::Permissions::from_mode(0o660))
            .map_err(failed("set the mode of", path))?;
        listener.set_nonblocking(true).map_err(failed("listen on", path))?;
        // Drop connections made before group and mode were set: those clients may lack the permission.
        while listener.accept().is_ok() {}
        Ok((file, listener))
    }

    /// Removes a socket on which no process listens. The lock keeps other daemons from doing the same.
    fn clear_stale(&self) -> Result<(), ControlError> {
        let path = &self.path;
        match fs::symlink_metadata(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            Err(error) => Err(failed("read the metadata of", path)(error)),
            Ok(found) if !found.file_type().is_socket() => Err(ControlError::NotASocket(path.clone())),
            Ok(_) if has_listener(path) => Err(ControlError::InUse(path.clone())),
            Ok(_) => fs::remove_file(path).map_err(failed("replace", path)),
        }
    }

    /// Removes the socket, if it is still the one that was created. The lock stays.
    pub(super) fn remove(&mut self) {
        if let Some(ours) = self.identity.take()
            && identity_of(&self.path) == Some(ours)
        {
            // A failure does no harm: the next start replaces a stale socket.
            let _ = fs::remove_file(&self.path);
        }
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        self.remove();
        // Before the lock is released, so that the removed file is the locked one.
        let _ = fs::remove_file(&self.lock_path);
    }
}

/// Takes the lock beside the socket.
///
/// # Errors
/// If another daemon has it, or a system call fails.
fn lock(path: &Path) -> Result<(PathBuf, File), ControlError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let lock_path = PathBuf::from(name);
    loop {
        let opened = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&lock_path);
        let file = opened.map_err(failed("open", &lock_path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) if has_listener(path) => {
                return Err(ControlError::InUse(path.to_owned()));
            }
            Err(TryLockError::WouldBlock) => return Err(ControlError::Locked(path.to_owned())),
            Err(TryLockError::Error(error)) => return Err(failed("lock", &lock_path)(error)),
        }
        // The previous holder may have removed the file between this open and this lock.
        let locked = file.metadata().map_err(failed("read the metadata of", &lock_path))?;
        if identity_of(&lock_path) == Some((locked.dev(), locked.ino())) {
            return Ok((lock_path, file));
        }
    }
}

fn identity_of(path: &Path) -> Option<(u64, u64)> {
    fs::symlink_metadata(path).ok().map(|found| (found.dev(), found.ino()))
}

/// Whether a process listens on the socket. Only a refused connection proves that none does. It waits for nobody: if
/// there is no place in the queue of connections, a process listens that does not accept.
fn has_listener(path: &Path) -> bool {
    match listener(path) {
        Err(error) => !matches!(error.kind(), ErrorKind::ConnectionRefused | ErrorKind::NotFound),
        Ok(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn socket_path() -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path().join("run/control.sock");
        (directory, path)
    }

    #[test]
    fn socket_is_for_owner_and_group_and_leaves_nothing_behind() {
        let (_directory, path) = socket_path();
        let (file, _listener) = SocketFile::create(&path).expect("a free path");
        assert_eq!(fs::metadata(&path).expect("the socket").mode() & 0o777, 0o660);
        drop(file);
        assert_eq!(fs::read_dir(path.parent().expect("a parent")).expect("the directory").count(), 0);
    }

    #[test]
    fn stale_socket_is_replaced() {
        let (_directory, path) = socket_path();
        fs::create_dir_all(path.parent().expect("a parent")).expect("the directory");
        drop(UnixListener::bind(&path).expect("a socket that stays when its daemon dies"));
        let before = identity_of(&path);
        let (_file, _listener) = SocketFile::create(&path).expect("no listener");
        assert!(before.is_some() && identity_of(&path).is_some());
        assert!(has_listener(&path));
    }

    #[test]
    fn live_socket_is_refused_and_stays() {
        let (_directory, path) = socket_path();
        let (_file, _listener) = SocketFile::create(&path).expect("a free path");
        let refusal = SocketFile::create(&path).expect_err("in use");
        assert_eq!(refusal.exit_code(), Exit::Unavailable);
        assert!(refusal.to_string().starts_with("another arpherd listens on /"), "{refusal}");
        assert!(has_listener(&path));
    }

    #[test]
    fn socket_of_a_program_without_our_lock_is_refused_and_stays() {
        let (directory, _) = socket_path();
        let path = directory.path().join("c.sock");
        let _listener = UnixListener::bind(&path).expect("another program");
        assert!(matches!(SocketFile::create(&path), Err(ControlError::InUse(_))));
        assert!(has_listener(&path));
    }

    #[test]
    fn daemon_that_holds_the_lock_wins() {
        let (directory, _) = socket_path();
        let path = directory.path().join("c.sock");
        let held = lock(&path).expect("a free lock");
        assert!(matches!(SocketFile::create(&path), Err(ControlError::Locked(_))));
        drop(held);
        assert!(SocketFile::create(&path).is_ok());
    }

    #[test]
    fn socket_of_a_successor_is_not_removed() {
        let (_directory, path) = socket_path();
        let (file, _listener) = SocketFile::create(&path).expect("a free path");
        // Kept open under another name, so that its inode is not used again.
        fs::rename(&path, path.with_extension("old")).expect("renamed");
        let _successor = UnixListener::bind(&path).expect("another program");
        drop(file);
        assert!(has_listener(&path));
    }

    #[test]
    fn file_that_is_not_a_socket_is_kept() {
        let (directory, _) = socket_path();
        let path = directory.path().join("precious");
        fs::write(&path, "data").expect("a file");
        assert_eq!(SocketFile::create(&path).expect_err("not a socket").exit_code(), Exit::Config);
        assert_eq!(fs::read(&path).expect("the file"), b"data");
    }

    #[test]
    fn invalid_paths_are_refused_before_anything_is_created() {
        let (directory, _) = socket_path();
        let long = directory.path().join("deep").join("x".repeat(120));
        let refusal = SocketFile::create(&long).expect_err("too long");
        assert_eq!(refusal.exit_code(), Exit::Config);
        assert!(refusal.to_string().contains("107"), "{refusal}");
        assert!(!directory.path().join("deep").exists());
        assert!(matches!(SocketFile::create(Path::new("")), Err(ControlError::BadPath(_))));
    }
}
