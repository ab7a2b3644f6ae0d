//! Socket options that neither socket2 nor neli nor rustix offers.
#![expect(unsafe_code, reason = "these options have no safe wrapper in the crates we use")]

use std::io;
use std::mem::size_of;
use std::os::fd::{AsFd, AsRawFd};

use libc::{c_int, socklen_t};
use rustix::net::sockopt::{set_socket_recv_buffer_size, set_socket_recv_buffer_size_force};

/// Sets an option whose value is one integer.
pub(super) fn set(socket: &impl AsFd, level: c_int, name: c_int, value: c_int) -> io::Result<()> {
    let length = socklen_t::try_from(size_of::<c_int>()).unwrap_or(0);
    // SAFETY: the pointer and the length describe `value`, which outlives the call.
    let outcome = unsafe {
        libc::setsockopt(socket.as_fd().as_raw_fd(), level, name, (&raw const value).cast(), length)
    };
    if outcome == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Reads an option whose value is `N` native integers: `int`, or a C struct of nothing else. What the kernel does
/// not fill stays 0.
pub(super) fn get<const N: usize>(socket: &impl AsFd, level: c_int, name: c_int) -> io::Result<[c_int; N]> {
    let mut value = [[0; size_of::<c_int>()]; N];
    get_bytes(socket, level, name, value.as_flattened_mut())?;
    Ok(value.map(c_int::from_ne_bytes))
}

/// Reads an option whose value is of any layout. The kernel may read `value` first and fills as much of it as it
/// has.
pub(super) fn get_bytes(socket: &impl AsFd, level: c_int, name: c_int, value: &mut [u8]) -> io::Result<()> {
    let mut length = socklen_t::try_from(value.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
    // SAFETY: the pointer and the length describe `value`, which outlives the call; any octets are valid there.
    let outcome = unsafe {
        libc::getsockopt(
            socket.as_fd().as_raw_fd(),
            level,
            name,
            value.as_mut_ptr().cast::<libc::c_void>(),
            &raw mut length,
        )
    };
    if outcome == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Sets the receive buffer in bytes, past the system's limit with `CAP_NET_ADMIN`, else up to it.
pub(super) fn receive_buffer(socket: &impl AsFd, bytes: usize) -> io::Result<()> {
    set_socket_recv_buffer_size_force(socket, bytes)
        .or_else(|_| set_socket_recv_buffer_size(socket, bytes))
        .map_err(io::Error::from)
}

/// The process at the other end of a connected unix socket (`SO_PEERCRED`); `None` if it is in a PID namespace
/// that cannot be seen from here.
///
/// The kernel reports such a process as number 0. That is why this is not `rustix::net::sockopt::socket_peercred`:
/// its process number is a type that cannot be 0 and is not checked.
pub(super) fn peer_process(socket: &impl AsFd) -> io::Result<Option<u32>> {
    // struct ucred: pid, uid, gid.
    let [pid, _uid, _gid] = get::<3>(socket, libc::SOL_SOCKET, libc::SO_PEERCRED)?;
    Ok(u32::try_from(pid).ok().filter(|pid| *pid != 0))
}

/// The user at the other end of a connected unix socket.
pub(super) fn peer_user(socket: &impl AsFd) -> io::Result<u32> {
    let [_pid, uid, _gid] = get::<3>(socket, libc::SOL_SOCKET, libc::SO_PEERCRED)?;
    Ok(uid.cast_unsigned())
}

/// The groups at the other end of a connected unix socket: the effective one, and the supplementary ones
/// (`SO_PEERGROUPS`).
pub(super) fn peer_groups(socket: &impl AsFd) -> io::Result<Vec<u32>> {
    /// include/uapi/linux/limits.h
    const NGROUPS_MAX: usize = 65_536;
    let [_pid, _uid, gid] = get::<3>(socket, libc::SOL_SOCKET, libc::SO_PEERCRED)?;
    let read = |most: usize| -> io::Result<Vec<u32>> {
        // What the kernel does not fill stays the number that no group has.
        let mut numbers = vec![[0xff; size_of::<u32>()]; most];
        get_bytes(socket, libc::SOL_SOCKET, libc::SO_PEERGROUPS, numbers.as_flattened_mut())?;
        Ok(numbers.into_iter().map(u32::from_ne_bytes).filter(|number| *number != u32::MAX).collect())
    };
    let supplementary = match read(64) {
        Err(error) if error.raw_os_error() == Some(libc::ERANGE) => read(NGROUPS_MAX)?,
        outcome => outcome?,
    };
    Ok(std::iter::once(gid.cast_unsigned()).chain(supplementary).collect())
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn the_process_at_the_other_end_is_known() {
        let (near, _far) = UnixStream::pair().expect("a pair of sockets");
        assert_eq!(peer_process(&near).expect("a unix socket"), Some(std::process::id()));
    }

    #[test]
    fn the_groups_at_the_other_end_are_those_of_this_process() {
        let (near, _far) = UnixStream::pair().expect("a pair of sockets");
        let groups = peer_groups(&near).expect("a unix socket");
        assert_eq!(groups[0], rustix::process::getegid().as_raw());
        let own: Vec<u32> =
            rustix::process::getgroups().expect("groups").iter().map(|it| it.as_raw()).collect();
        assert_eq!(groups[1..], own);
    }
}
