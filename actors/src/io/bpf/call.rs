//! bpf(2), as much of it as is needed here. Offsets are those of `union bpf_attr` in include/uapi/linux/bpf.h.
#![expect(unsafe_code, reason = "bpf(2) has no safe wrapper in the crates we use")]

use std::io;
use std::marker::PhantomData;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use super::assembler::Instruction;

/// What bpf(2) is asked to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i32)]
enum Command {
    MapCreate = 0,
    MapLookup = 1,
    MapUpdate = 2,
    MapDelete = 3,
    MapNextKey = 4,
    ProgramLoad = 5,
    ProgramTestRun = 10,
    ProgramQuery = 16,
    MapUpdateBatch = 26,
    LinkCreate = 28,
}

impl Command {
    fn gives_descriptor(self) -> bool {
        matches!(self, Self::MapCreate | Self::ProgramLoad | Self::LinkCreate)
    }
}

/// Octets of attributes that we pass. Kernels that know fewer take them as long as the rest is zero, which it is.
const LENGTH: usize = 128;

/// The attributes of a call, and a loan of all memory that they point to.
#[repr(C, align(8))]
struct Attributes<'a> {
    octets: [u8; LENGTH],
    memory: PhantomData<&'a mut [u8]>,
}

impl<'a> Attributes<'a> {
    fn new() -> Self {
        Self { octets: [0; LENGTH], memory: PhantomData }
    }

    fn bytes(mut self, offset: usize, value: &[u8]) -> Self {
        self.octets[offset..offset + value.len()].copy_from_slice(value);
        self
    }

    fn number(self, offset: usize, value: u32) -> Self {
        self.bytes(offset, &value.to_ne_bytes())
    }

    fn descriptor(self, offset: usize, value: BorrowedFd<'_>) -> Self {
        self.bytes(offset, &value.as_raw_fd().to_ne_bytes())
    }

    /// The kernel only reads there.
    fn input<T>(self, offset: usize, value: &'a [T]) -> Self {
        self.pointer(offset, value.as_ptr().expose_provenance())
    }

    /// The kernel writes there, too; any octets are valid.
    fn output(self, offset: usize, value: &'a mut [u8]) -> Self {
        self.pointer(offset, value.as_mut_ptr().expose_provenance())
    }

    fn pointer(self, offset: usize, address: usize) -> Self {
        // 64 bits on every machine.
        self.bytes(offset, &(address as u64).to_ne_bytes())
    }

    fn read(&self, offset: usize) -> u32 {
        let mut value = [0; 4];
        value.copy_from_slice(&self.octets[offset..offset + 4]);
        u32::from_ne_bytes(value)
    }

    fn call(&mut self, command: Command) -> io::Result<Option<OwnedFd>> {
        // SAFETY: the attributes are of the length that is given. Whoever made them, in this file alone, took all pointers
        // in them from slices that are lent for as long as they live, mutably where the kernel writes, and gave the kernel
        // no greater lengths than those have: for a map, that its keys and values have by its type, as many as both slices
        // hold where there are several. A descriptor that is
        // returned by these commands is new, and nobody else's.
        let outcome = unsafe {
            let returned = libc::syscall(libc::SYS_bpf, command as i32, self.octets.as_mut_ptr(), LENGTH);
            i32::try_from(returned)
                .ok()
                .filter(|returned| *returned >= 0)
                .map(|returned| command.gives_descriptor().then(|| OwnedFd::from_raw_fd(returned)))
        };
        outcome.ok_or_else(io::Error::last_os_error)
    }

    /// A command of those that give a descriptor.
    fn make(mut self, command: Command) -> io::Result<OwnedFd> {
        self.call(command)?.ok_or_else(|| io::ErrorKind::Unsupported.into())
    }
}

/// So many and more are put by one call.
const WORTH_A_BATCH: usize = 4;

/// How a map finds a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub(super) enum MapKind {
    /// By its hash; memory is taken for what is in it.
    Hash = 1,
    /// The key is a number below the number of entries, all of which exist.
    Array = 2,
}

/// A map with keys of `K` octets and values of `V`.
#[derive(Debug)]
pub(super) struct Map<const K: usize, const V: usize>(OwnedFd);

impl<const K: usize, const V: usize> Map<K, V> {
    /// `name` has up to 15 letters, digits and underscores.
    pub(super) fn create(kind: MapKind, name: &str, entries: u32) -> io::Result<Self> {
        /// `BPF_F_NO_PREALLOC`
        const NO_PREALLOC: u32 = 1;
        let length = |length: usize| u32::try_from(length).map_err(|_| io::ErrorKind::InvalidInput);
        Attributes::new()
            .number(0, kind as u32)
            .number(4, length(K)?)
            .number(8, length(V)?)
            .number(12, entries)
            .number(16, if kind == MapKind::Hash { NO_PREALLOC } else { 0 })
            .bytes(28, name.as_bytes())
            .make(Command::MapCreate)
            .map(Self)
    }

    /// Its number, which a program names it by.
    pub(super) fn descriptor(&self) -> i32 {
        self.0.as_raw_fd()
    }

    pub(super) fn put(&self, key: &[u8; K], value: &[u8; V]) -> io::Result<()> {
        self.of(key).input(16, value).call(Command::MapUpdate).map(drop)
    }

    pub(super) fn get(&self, key: &[u8; K]) -> io::Result<Option<[u8; V]>> {
        let mut value = [0; V];
        match self.of(key).output(16, &mut value).call(Command::MapLookup) {
            Ok(_) => Ok(Some(value)),
            Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Returns whether it was there.
    pub(super) fn remove(&self, key: &[u8; K]) -> io::Result<bool> {
        match self.of(key).call(Command::MapDelete) {
            Ok(_) => Ok(true),
            Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Puts all of them, each key with the value of its place, by as few calls as the kernel allows (one from Linux 5.6
    /// on). Returns which it did not take, and why.
    pub(super) fn put_all(&self, keys: &[[u8; K]], values: &[[u8; V]]) -> Vec<(usize, io::Error)> {
        let mut failed = Vec::new();
        let mut done = 0;
        while done < keys.len().min(values.len()) {
            let rest = keys.len().min(values.len()) - done;
            let at_once =
                if rest < WORTH_A_BATCH { 0 } else { self.put_batch(&keys[done..], &values[done..]) };
            done += at_once;
            // The one that stopped the batch says why when it is put alone.
            if let (Some(key), Some(value)) = (keys.get(done), values.get(done)) {
                failed.extend(self.put(key, value).err().map(|error| (done, error)));
                done += 1;
            }
        }
        failed
    }

    /// Returns how many were put.
    fn put_batch(&self, keys: &[[u8; K]], values: &[[u8; V]]) -> usize {
        let count = u32::try_from(keys.len().min(values.len())).unwrap_or(u32::MAX);
        let mut attributes = Attributes::new()
            .input(16, keys.as_flattened())
            .input(24, values.as_flattened())
            .number(32, count)
            .descriptor(36, self.0.as_fd());
        match attributes.call(Command::MapUpdateBatch) {
            Ok(_) => count as usize,
            // A kernel that does not know the command leaves the count as it was.
            Err(_) if attributes.read(32) >= count => 0,
            Err(_) => attributes.read(32) as usize,
        }
    }

    /// Removes all that is in it.
    pub(super) fn clear(&self) -> io::Result<()> {
        let mut next = [0; K];
        loop {
            let first = Attributes::new()
                .descriptor(0, self.0.as_fd())
                .output(16, &mut next)
                .call(Command::MapNextKey);
            match first {
                Ok(_) => self.remove(&next)?,
                Err(error) if error.raw_os_error() == Some(libc::ENOENT) => return Ok(()),
                Err(error) => return Err(error),
            };
        }
    }

    fn of<'a>(&'a self, key: &'a [u8; K]) -> Attributes<'a> {
        Attributes::new().descriptor(0, self.0.as_fd()).input(8, key)
    }
}

/// Loads a program for packets that pass a link (`BPF_PROG_TYPE_SCHED_CLS`), whose name is as a map's. If the kernel
/// refuses it, what its verifier says is given with the error; empty where it did not come so far.
pub(super) fn load(name: &str, program: &[Instruction]) -> Result<OwnedFd, (io::Error, String)> {
    /// Of our own; the program calls no function that asks for the GPL.
    const LICENSE: &[u8] = b"MIT\0";
    const SCHED_CLS: u32 = 3;
    let invalid = |_| (io::ErrorKind::InvalidInput.into(), String::new());
    let count = u32::try_from(program.len()).map_err(invalid)?;
    let attributes = || {
        Attributes::new()
            .number(0, SCHED_CLS)
            .number(4, count)
            .input(8, program.as_flattened())
            .input(16, LICENSE)
            .bytes(48, name.as_bytes())
    };
    attributes().make(Command::ProgramLoad).map_err(|error| {
        // Asked for only now, for what it says of a good program is long and costs time.
        let mut log = vec![0; 1 << 16];
        let length = u32::try_from(log.len()).unwrap_or(0);
        let refused =
            attributes().number(24, 1).number(28, length).output(32, &mut log).make(Command::ProgramLoad);
        let end = log.iter().position(|octet| *octet == 0).unwrap_or(log.len());
        (refused.err().unwrap_or(error), String::from_utf8_lossy(&log[..end]).into_owned())
    })
}

/// Runs a loaded program once on a frame, as if it had come in on this network namespace's loopback interface
/// (`BPF_PROG_TEST_RUN`). Returns what the program returned, and the frame behind it.
pub(super) fn test_run(program: BorrowedFd<'_>, frame: &[u8]) -> io::Result<(u32, Vec<u8>)> {
    let length = u32::try_from(frame.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
    let mut behind = vec![0; frame.len()];
    let mut attributes = Attributes::new()
        .descriptor(0, program)
        .number(8, length)
        .number(12, length)
        .input(16, frame)
        .output(24, &mut behind);
    attributes.call(Command::ProgramTestRun)?;
    let returned = attributes.read(4);
    Ok((returned, behind))
}

const TCX_INGRESS: u32 = 46;

/// How many programs run for packets that come in on the interface of this network namespace (tcx).
pub(super) fn count(interface: u32) -> io::Result<u32> {
    let mut attributes = Attributes::new().number(0, interface).number(4, TCX_INGRESS);
    attributes.call(Command::ProgramQuery)?;
    Ok(attributes.read(24))
}

/// Has the program run for each packet that comes in on the interface of this network namespace (tcx, Linux 6.6), for as
/// long as the descriptor is open; behind the programs that are attached there already, each of which may end the matter.
pub(super) fn attach(program: BorrowedFd<'_>, interface: u32) -> io::Result<OwnedFd> {
    Attributes::new()
        .descriptor(0, program)
        .number(4, interface)
        .number(8, TCX_INGRESS)
        .make(Command::LinkCreate)
}
