//! Socket options that neither socket2 nor neli offers.
#![expect(unsafe_code, reason = "these options have no safe wrapper in the crates we use")]

use std::io;
use std::mem::size_of;
use std::os::fd::{AsFd, AsRawFd};

use libc::{c_int, socklen_t};

/// Options whose value is `N` native integers: `int`, or a C struct of nothing else.
type Ints<const N: usize> = [c_int; N];

fn byte_length<const N: usize>() -> socklen_t {
    socklen_t::try_from(size_of::<Ints<N>>()).unwrap_or(0)
}

/// Sets an option whose value is one integer.
pub(super) fn set(socket: &impl AsFd, level: c_int, name: c_int, value: c_int) -> io::Result<()> {
    let value: Ints<1> = [value];
    // SAFETY: the pointer and the length describe `value`, which outlives the call.
    let outcome = unsafe {
        libc::setsockopt(
            socket.as_fd().as_raw_fd(),
            level,
            name,
            value.as_ptr().cast::<libc::c_void>(),
            byte_length::<1>(),
        )
    };
    if outcome == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Reads an option whose value is made of integers; what the kernel does not fill stays 0.
pub(super) fn get<const N: usize>(socket: &impl AsFd, level: c_int, name: c_int) -> io::Result<Ints<N>> {
    let mut value = [[0; size_of::<c_int>()]; N];
    get_bytes(socket, level, name, value.as_flattened_mut())?;
    Ok(value.map(c_int::from_ne_bytes))
}

/// Reads an option whose value is of any layout, and which the kernel fills as far as it likes; what stands in
/// `value` before may be part of the question.
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

/// Asks for a receive buffer of so many bytes, past the system's limit if we may (`CAP_NET_ADMIN`), else up
/// to it.
pub(super) fn receive_buffer(socket: &impl AsFd, bytes: c_int) -> io::Result<()> {
    set(socket, libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, bytes)
        .or_else(|_| set(socket, libc::SOL_SOCKET, libc::SO_RCVBUF, bytes))
}
