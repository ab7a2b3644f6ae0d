//! Processes of an ordinary user, without capabilities.
#![expect(unsafe_code, reason = "what a child does before it execs is said with system calls")]

use std::ffi::{CStr, CString};
use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::error::check;
use crate::wait::pause;

/// The user and group the child becomes, by custom `nobody` and `nogroup`.
const NOBODY: u32 = 65534;

/// Lets the command run as an ordinary user who has no rights over anything, whoever the caller is. Files
/// are still read and written as the caller's.
pub fn as_ordinary_user(command: &mut Command) {
    // SAFETY: these calls take and give plain numbers.
    let (uid, gid) = unsafe { (libc::geteuid(), libc::getegid()) };
    let map = |id: u32| CString::new(format!("{NOBODY} {id} 1")).expect("numbers hold no zero octet");
    let files = [
        (c"/proc/self/setgroups", c"deny".to_owned()),
        (c"/proc/self/uid_map", map(uid)),
        (c"/proc/self/gid_map", map(gid)),
    ];
    // SAFETY: between fork and exec it only makes system calls on data that exists already.
    unsafe {
        // A user namespace where it is not root: the exec takes away what rights the unshare gave.
        command.pre_exec(move || {
            check(libc::unshare(libc::CLONE_NEWUSER))?;
            files.iter().try_for_each(|(path, text)| write(path, text))
        });
    }
}

/// Lets the command run as this user, with this group and these supplementary ones, and without capabilities; only where
/// there is more than one user, see [`can_be_others`].
pub fn as_user(command: &mut Command, user: u32, group: u32, groups: &[u32]) {
    let groups = groups.to_vec();
    // SAFETY: between fork and exec it only makes system calls on data that exists already.
    unsafe {
        command.pre_exec(move || {
            check(libc::setgroups(groups.len(), groups.as_ptr()))?;
            check(libc::setresgid(group, group, group))?;
            check(libc::setresuid(user, user, user)).map(drop)
        });
    }
}

/// Makes the calling thread another user's, with this group and these supplementary ones, and without capabilities; only
/// where there is more than one user, see [`can_be_others`]. Other threads stay as they are, which the C library's calls
/// would not leave them.
///
/// # Errors
/// If the thread may not.
pub fn become_user(user: u32, group: u32, groups: &[u32]) -> io::Result<()> {
    let made = |outcome: libc::c_long| if outcome == 0 { Ok(()) } else { Err(io::Error::last_os_error()) };
    // SAFETY: the list is as long as is stated; the other calls take plain numbers.
    unsafe {
        made(libc::syscall(libc::SYS_setgroups, groups.len(), groups.as_ptr()))?;
        made(libc::syscall(libc::SYS_setresgid, group, group, group))?;
        made(libc::syscall(libc::SYS_setresuid, user, user, user))
    }
}

/// Starts a program that was written a moment ago. Another thread may have forked meanwhile, whose child has the file open for
/// writing until it executes a program of its own; until then the kernel refuses (`ETXTBSY`).
///
/// # Errors
/// If it cannot be started otherwise, or not within five seconds.
pub fn start_written<T>(mut start: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    let begun = Instant::now();
    loop {
        match start() {
            Err(error)
                if error.raw_os_error() == Some(libc::ETXTBSY)
                    && begun.elapsed() < Duration::from_secs(5) =>
            {
                pause(Duration::from_millis(5));
            }
            outcome => return outcome,
        }
    }
}

/// Whether processes can be those of other users: a namespace made by an ordinary user has one user only.
pub fn can_be_others() -> bool {
    let map = std::fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    map.split_whitespace().nth(2).and_then(|count| count.parse().ok()).is_some_and(|count: u32| count > 5000)
}

fn write(path: &CStr, text: &CStr) -> io::Result<()> {
    let octets = text.to_bytes();
    // SAFETY: terminated strings, and as many readable octets as are stated; the descriptor ends with the exec.
    unsafe {
        let file = check(libc::open(path.as_ptr(), libc::O_WRONLY | libc::O_CLOEXEC))?;
        let written = libc::write(file, octets.as_ptr().cast(), octets.len());
        if written < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }
}
