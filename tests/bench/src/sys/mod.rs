//! The few system calls the lab has no use for: batches of frames, bare netlink, process clocks.

mod clock;
mod netlink;
mod packet;
mod process;
mod route_listener;

use std::io;
use std::mem::size_of;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

pub(crate) use clock::{end_with_parent, pause, sleep_until};
pub(crate) use netlink::RouteAdder;
pub(crate) use packet::{ArpSocket, Frame};
pub(crate) use process::{CpuClock, Memory, give_back_memory, wakeups};
pub(crate) use route_listener::RouteListener;

/// Turns a system call's −1 into `errno`.
fn check(code: libc::c_int) -> io::Result<libc::c_int> {
    if code < 0 { Err(io::Error::last_os_error()) } else { Ok(code) }
}

/// The same for calls that give a length.
fn length(code: libc::ssize_t) -> io::Result<usize> {
    usize::try_from(code).map_err(|_| io::Error::last_os_error())
}

#[expect(unsafe_code, reason = "opening a socket is a system call")]
fn socket(
    domain: libc::c_int,
    kind: libc::c_int,
    protocol: libc::c_int,
    receive_buffer: libc::c_int,
) -> io::Result<OwnedFd> {
    // SAFETY: no pointers; the descriptor is checked before it is owned.
    let fd = check(unsafe { libc::socket(domain, kind | libc::SOCK_CLOEXEC, protocol) })?;
    // SAFETY: the kernel just gave us this descriptor, nobody else holds it.
    let fd = unsafe { OwnedFd::from_raw_fd(fd) };
    // Beyond net.core.rmem_max where the right to is ours, else as much as that allows.
    if set_option(&fd, libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, &receive_buffer).is_err() {
        set_option(&fd, libc::SOL_SOCKET, libc::SO_RCVBUF, &receive_buffer)?;
    }
    Ok(fd)
}

#[expect(unsafe_code, reason = "setting a socket's option is a system call")]
fn set_option<T>(fd: &OwnedFd, level: libc::c_int, name: libc::c_int, value: &T) -> io::Result<()> {
    let value = std::ptr::from_ref(value).cast();
    // SAFETY: `value` points to a whole T for the time of the call; the kernel checks its length.
    check(unsafe { libc::setsockopt(fd.as_raw_fd(), level, name, value, socklen::<T>()) }).map(drop)
}

#[expect(unsafe_code, reason = "binding a socket is a system call")]
fn bind<T>(fd: &OwnedFd, address: &T) -> io::Result<()> {
    let address = std::ptr::from_ref(address).cast();
    // SAFETY: `address` points to a whole T of the given length; the kernel checks its family.
    check(unsafe { libc::bind(fd.as_raw_fd(), address, socklen::<T>()) }).map(drop)
}

fn socklen<T>() -> libc::socklen_t {
    libc::socklen_t::try_from(size_of::<T>()).unwrap_or(libc::socklen_t::MAX)
}
