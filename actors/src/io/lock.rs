//! One daemon a link: a lock that ends with the process that holds it.

use std::borrow::Cow;
use std::fmt;
use std::fs;
use std::io;

use socket2::{Domain, SockAddr, Socket, Type};

use super::sockopt;

/// How many attempts to take a held lock can learn who holds it, while that process lives.
const BACKLOG: i32 = 1024;

/// The right to serve one interface under one protocol number, in the calling thread's network namespace.
///
/// It is an abstract unix socket (unix(7)): its name belongs to the network namespace and is free again the
/// moment the holder ends, however it ends.
#[derive(Debug)]
pub struct Lock {
    _socket: Socket,
}

/// Why a lock was not taken.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process has it.
    #[error("{interface} is already served under routing protocol {protocol} by {holder}")]
    Held {
        /// The interface.
        interface: String,
        /// The protocol number.
        protocol: u8,
        /// Which.
        holder: Holder,
    },
    /// A system call failed.
    #[error("cannot lock {interface}: {cause}")]
    Failed {
        /// The interface.
        interface: String,
        /// What the kernel said.
        #[source]
        cause: io::Error,
    },
}

/// The process that has a lock, as far as it is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// Its number; `None` if it cannot be seen from here (another PID namespace).
    pub pid: Option<u32>,
    /// Its name (`/proc/PID/comm`).
    pub name: Option<String>,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.pid, &self.name) {
            (Some(pid), Some(name)) => write!(f, "process {pid} ({name})"),
            (Some(pid), None) => write!(f, "process {pid}"),
            (None, _) => f.write_str("a process that cannot be seen from here"),
        }
    }
}

impl Lock {
    /// Takes the lock, or returns who has it.
    ///
    /// # Errors
    /// [`LockError::Held`], and errors of the socket.
    pub fn take(protocol: u8, interface: &str) -> Result<Self, LockError> {
        let failed = |cause| LockError::Failed { interface: interface.to_owned(), cause };
        let name = SockAddr::unix(format!("\0arpherd/{protocol}/{}", fitted(interface))).map_err(failed)?;
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None).map_err(failed)?;
        match socket.bind(&name) {
            Ok(()) => {
                // The next that tries to take the lock connects, to learn who has it; see `holder`.
                socket.listen(BACKLOG).map_err(failed)?;
                Ok(Self { _socket: socket })
            }
            Err(cause) if cause.kind() == io::ErrorKind::AddrInUse => {
                let holder = holder(&name).unwrap_or(Holder { pid: None, name: None });
                Err(LockError::Held { interface: interface.to_owned(), protocol, holder })
            }
            Err(cause) => Err(failed(cause)),
        }
    }
}

/// Bytes of an interface's name that a socket's name has room for, beside the rest of it.
const LONGEST: usize = 80;

/// The name, or what stands for an alternative name that is too long: its beginning and its hash (FNV-1a), which is
/// the same in every build.
fn fitted(interface: &str) -> Cow<'_, str> {
    if interface.len() <= LONGEST {
        return interface.into();
    }
    let fold = |hash: u64, octet: u8| (hash ^ u64::from(octet)).wrapping_mul(0x100_0000_01b3);
    let hash = interface.bytes().fold(0xcbf2_9ce4_8422_2325, fold);
    let beginning = &interface[..interface.floor_char_boundary(LONGEST - 17)];
    format!("{beginning}~{hash:016x}").into()
}

/// Which interfaces are served under which protocol numbers, in the calling thread's network namespace. No lock is
/// taken or released by it.
///
/// # Errors
/// If `/proc` cannot be read.
pub fn served() -> io::Result<Vec<(u8, String)>> {
    let sockets = fs::read_to_string("/proc/thread-self/net/unix")?;
    let mut locks: Vec<_> = sockets.lines().filter_map(named).collect();
    locks.sort_unstable();
    locks.dedup();
    Ok(locks)
}

/// The lock in a line of the list of sockets, where `@` stands before an abstract name.
fn named(line: &str) -> Option<(u8, String)> {
    let (_, name) = line.split_once(" @arpherd/")?;
    let (protocol, interface) = name.split_once('/')?;
    Some((protocol.parse().ok()?, interface.to_owned()))
}

/// Asks the kernel whose socket it is. No connection is ever accepted, so after [`BACKLOG`] of them the queue is full,
/// and connecting fails instead of waiting.
fn holder(name: &SockAddr) -> io::Result<Holder> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    socket.connect(name)?;
    let pid = sockopt::peer_process(&socket)?;
    let name = pid.and_then(|pid| fs::read_to_string(format!("/proc/{pid}/comm")).ok());
    Ok(Holder { pid, name: name.map(|name| name.trim_end().escape_default().to_string()) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_had_once_and_says_by_whom() {
        let interface = format!("t{}", std::process::id());
        let lock = Lock::take(169, &interface).expect("free");
        let other = Lock::take(170, &interface).expect("another protocol is another lock");
        for _ in 0..3 {
            let error = Lock::take(169, &interface).expect_err("held");
            let LockError::Held { holder, .. } = &error else { panic!("{error}") };
            assert_eq!(holder.pid, Some(std::process::id()), "{error}");
        }
        let long = ["a", "b"].map(|last| format!("{}{last}", "x".repeat(126)));
        let long = long.each_ref().map(|name| Lock::take(169, name).expect("alternative names are long"));
        drop((lock, other, long));
        Lock::take(169, &interface).expect("free again");
    }
}
