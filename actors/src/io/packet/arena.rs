//! The room in which batches of frames are laid out for system calls.
#![expect(unsafe_code, reason = "batches of messages have no safe wrapper")]

use std::cell::RefCell;
use std::io;
use std::mem::MaybeUninit;

use libc::{c_uint, iovec, mmsghdr};

use super::address::{ADDRESS_LENGTH, PacketAddress};
use super::{BATCH, ROOM};
use crate::io::stamp::StampRoom;

thread_local! {
    /// That of all ports that the thread uses: no port keeps anything in it between two calls.
    pub(super) static ARENA: RefCell<Box<Arena>> = RefCell::new(Arena::new());
}

/// Buffers of one batch, allocated once.
pub(super) struct Arena {
    pub(super) frames: [[u8; ROOM]; BATCH],
    pub(super) addresses: [PacketAddress; BATCH],
    pub(super) lengths: [usize; BATCH],
}

impl Arena {
    fn new() -> Box<Self> {
        Box::new(Self {
            frames: [[0; ROOM]; BATCH],
            addresses: [PacketAddress::default(); BATCH],
            lengths: [0; BATCH],
        })
    }

    /// Lays out message headers over the buffers from `from` up to `to`, each as long as `lengths` says,
    /// runs the call on them, and leaves in `lengths` what the kernel moved. It may leave a time with each for
    /// which there is a room in `stamps`.
    pub(super) fn with_headers(
        &mut self,
        from: usize,
        to: usize,
        stamps: &mut [StampRoom],
        call: impl FnOnce(*mut mmsghdr, c_uint) -> libc::c_int,
    ) -> io::Result<usize> {
        // Room for a whole batch, of which only what this call needs is written: mostly it is one frame.
        let mut vectors = [const { MaybeUninit::<iovec>::uninit() }; BATCH];
        let mut headers = [const { MaybeUninit::<mmsghdr>::uninit() }; BATCH];
        let count = to - from;
        for slot in 0..count {
            let vector = vectors[slot].write(iovec {
                iov_base: self.frames[from + slot].as_mut_ptr().cast(),
                iov_len: self.lengths[from + slot].min(ROOM),
            });
            // SAFETY: all-zero bytes are a valid mmsghdr: null pointers, lengths of 0.
            let header = headers[slot].write(unsafe { std::mem::zeroed() });
            header.msg_hdr.msg_name = (&raw mut self.addresses[from + slot]).cast();
            header.msg_hdr.msg_namelen = ADDRESS_LENGTH;
            header.msg_hdr.msg_iov = vector;
            header.msg_hdr.msg_iovlen = 1;
            if let Some(room) = stamps.get_mut(slot) {
                header.msg_hdr.msg_control = room.as_mut_ptr();
                header.msg_hdr.msg_controllen = StampRoom::LENGTH as _;
            }
        }
        let moved = call(headers.as_mut_ptr().cast(), c_uint::try_from(count).unwrap_or(0));
        let moved = usize::try_from(moved).map_err(|_| io::Error::last_os_error())?.min(count);
        for (length, header) in self.lengths[from..].iter_mut().zip(&headers[..moved]) {
            // SAFETY: the first `count` headers were written above, and `moved` is no more.
            *length = usize::try_from(unsafe { header.assume_init_ref() }.msg_len).unwrap_or(0);
        }
        Ok(moved)
    }
}
