//! Leaving the machine's network: own user, mount and network namespaces.
#![expect(unsafe_code, reason = "unshare and mount are system calls")]

use std::ffi::CStr;
use std::fs;
use std::io;
use std::ptr;
use std::sync::Mutex;

use crate::error::check;
use crate::{LabError, Netns, Result};

static ENTERED: Mutex<bool> = Mutex::new(false);

/// Puts the process into network and mount namespaces of its own, and into a user namespace where it
/// is root if it is not root already. Nothing it does afterwards can reach the machine's interfaces.
///
/// Must be the first call in `main`: the kernel lets only a process with one thread change its user
/// namespace. Further calls do nothing.
///
/// # Errors
/// [`LabError::Enter`] with advice when the kernel refuses.
pub fn enter() -> Result<()> {
    let mut entered = ENTERED.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if !*entered {
        unshare_all()?;
        // A mount namespace is a nicety (a true /sys for children, names under /run/netns).
        let _ = own_mounts();
        Netns::current()?.prepare()?;
        *entered = true;
    }
    Ok(())
}

fn unshare_all() -> Result<()> {
    // SAFETY: these calls take and give plain numbers.
    let (uid, gid) = unsafe { (libc::geteuid(), libc::getegid()) };
    // Root without CAP_SYS_ADMIN (a container) is refused here and goes the way of ordinary users.
    if uid == 0 && unshare(libc::CLONE_NEWNET | libc::CLONE_NEWNS).is_ok() {
        return Ok(());
    }
    unshare(libc::CLONE_NEWUSER | libc::CLONE_NEWNET | libc::CLONE_NEWNS).map_err(|source| {
        let advice = advice(&source);
        LabError::Enter {
            tried: format!("unshare user, network and mount namespaces as uid {uid}"),
            source,
            advice,
        }
    })?;
    for (file, text) in [
        // Without this the kernel lets no ordinary user write a gid_map.
        ("setgroups", "deny".to_owned()),
        ("uid_map", format!("0 {uid} 1")),
        ("gid_map", format!("0 {gid} 1")),
    ] {
        let path = format!("/proc/self/{file}");
        fs::write(&path, &text).map_err(|source| LabError::Enter {
            tried: format!("write {text:?} to {path}"),
            advice: advice(&source),
            source,
        })?;
    }
    Ok(())
}

fn unshare(flags: libc::c_int) -> io::Result<()> {
    // SAFETY: no pointers; nothing of this process depends on sharing what is unshared.
    check(unsafe { libc::unshare(flags) }).map(drop)
}

/// Cut off from the machine's mounts, yet a source for the mount namespaces of our children.
fn own_mounts() -> io::Result<()> {
    mount(None, c"/", None, libc::MS_REC | libc::MS_SLAVE)?;
    mount(None, c"/", None, libc::MS_REC | libc::MS_SHARED)
}

/// Async-signal-safe: called between fork and exec too.
pub(crate) fn mount(
    source: Option<&CStr>,
    target: &CStr,
    kind: Option<&CStr>,
    flags: libc::c_ulong,
) -> io::Result<()> {
    mount_with(source, target, kind, flags, None)
}

/// The same with the file system's own options.
pub(crate) fn mount_with(
    source: Option<&CStr>,
    target: &CStr,
    kind: Option<&CStr>,
    flags: libc::c_ulong,
    options: Option<&CStr>,
) -> io::Result<()> {
    let source = source.map_or(ptr::null(), CStr::as_ptr);
    let kind = kind.map_or(ptr::null(), CStr::as_ptr);
    let options = options.map_or(ptr::null(), |options| options.as_ptr().cast());
    // SAFETY: null or terminated strings that outlive the call.
    check(unsafe { libc::mount(source, target.as_ptr(), kind, flags, options) }).map(drop)
}

/// Gives a child that is about to exec a /sys that shows its own network namespace, as far as it may.
pub(crate) fn own_sysfs() {
    if unshare(libc::CLONE_NEWNS).is_ok() && mount(None, c"/", None, libc::MS_REC | libc::MS_SLAVE).is_ok() {
        let _ = mount(Some(c"lab"), c"/sys", Some(c"sysfs"), 0);
    }
}

fn advice(source: &io::Error) -> String {
    let set = |path: &str, bad: &str| fs::read_to_string(path).is_ok_and(|value| value.trim() == bad);
    if set("/proc/sys/kernel/unprivileged_userns_clone", "0") {
        return "user namespaces are off for ordinary users: run `sysctl kernel.unprivileged_userns_clone=1` as root, or run as root".into();
    }
    if set("/proc/sys/user/max_user_namespaces", "0") {
        return "user namespaces are off: run `sysctl user.max_user_namespaces=10000` as root, or run as root".into();
    }
    if set("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1") {
        return "AppArmor restricts user namespaces: run `sysctl kernel.apparmor_restrict_unprivileged_userns=0` as root, or run as root".into();
    }
    match source.raw_os_error() {
        Some(libc::EINVAL) => "call enter() first in main(), while the process has one thread; else the kernel lacks CONFIG_USER_NS".into(),
        Some(libc::ENOSPC | libc::EUSERS) => "too many or too deeply nested user namespaces (user.max_user_namespaces)".into(),
        Some(libc::EPERM) => "a container's seccomp or capability rules forbid it: allow unshare (docker: --security-opt seccomp=unconfined, or --privileged), or run as root".into(),
        _ => "run as root, or on a kernel with user and network namespaces".into(),
    }
}
