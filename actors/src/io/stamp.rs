//! When the kernel received a frame (`SO_TIMESTAMPNS`, socket(7)).

use std::time::{Duration, SystemTime};

/// When the kernel received a frame, in nanoseconds since 1970 (`CLOCK_REALTIME`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stamp(u64);

impl Stamp {
    /// The time now, by the same clock.
    pub fn now() -> Self {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Self(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
    }

    /// The time of a clock that shows so many nanoseconds since 1970.
    pub fn at(nanoseconds: u64) -> Self {
        Self(nanoseconds)
    }

    /// The time from this until a later one; none if the clock was set back in between.
    pub fn until(self, later: Self) -> Duration {
        Duration::from_nanos(later.0.saturating_sub(self.0))
    }
}

/// Room for the one control message that comes with a frame: a `struct cmsghdr` and a `struct timespec`.
#[derive(Clone, Copy)]
#[repr(C, align(8))]
pub(super) struct StampRoom([u8; ROOM]);

const WORD: usize = size_of::<usize>();
/// Octets of `struct cmsghdr`: its length, a level and a type.
const HEADER: usize = WORD + 2 * size_of::<libc::c_int>();
const ROOM: usize = HEADER + 2 * size_of::<i64>();

impl StampRoom {
    pub(super) const EMPTY: Self = Self([0; ROOM]);
    pub(super) const LENGTH: usize = ROOM;

    /// Where the kernel writes.
    pub(super) fn as_mut_ptr(&mut self) -> *mut libc::c_void {
        self.0.as_mut_ptr().cast()
    }

    /// What the kernel wrote, which is forgotten; `None` if it wrote no time.
    pub(super) fn take(&mut self) -> Option<Stamp> {
        let room = std::mem::replace(&mut self.0, [0; ROOM]);
        let (length, rest) = room.split_first_chunk::<WORD>()?;
        let (level, rest) = rest.split_first_chunk()?;
        let (kind, rest) = rest.split_first_chunk()?;
        let (seconds, rest) = rest.split_first_chunk()?;
        let (nanoseconds, _) = rest.split_first_chunk()?;
        let is_stamp = usize::from_ne_bytes(*length) >= ROOM
            && i32::from_ne_bytes(*level) == libc::SOL_SOCKET
            && i32::from_ne_bytes(*kind) == libc::SCM_TIMESTAMPNS;
        let [seconds, nanoseconds] =
            [seconds, nanoseconds].map(|octets| i64::from_ne_bytes(*octets).cast_unsigned());
        is_stamp.then(|| Stamp(seconds.saturating_mul(1_000_000_000).saturating_add(nanoseconds)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_read_once_and_nothing_else_is_taken_for_one() {
        let mut room = StampRoom::EMPTY;
        assert_eq!(room.take(), None);
        let octets = |kind: i32| {
            let mut all = ROOM.to_ne_bytes().to_vec();
            all.extend(libc::SOL_SOCKET.to_ne_bytes());
            all.extend(kind.to_ne_bytes());
            all.extend(7_i64.to_ne_bytes());
            all.extend(5_i64.to_ne_bytes());
            <[u8; ROOM]>::try_from(all).expect("as long as the room")
        };
        room.0 = octets(libc::SCM_TIMESTAMPNS);
        assert_eq!(room.take(), Some(Stamp::at(7_000_000_005)));
        assert_eq!(room.take(), None);
        room.0 = octets(libc::SCM_RIGHTS);
        assert_eq!(room.take(), None);
    }

    #[test]
    fn a_clock_that_was_set_back_gives_no_time() {
        assert_eq!(Stamp::at(5).until(Stamp::at(9)), Duration::from_nanos(4));
        assert_eq!(Stamp::at(9).until(Stamp::at(5)), Duration::ZERO);
        assert!(Stamp::now() > Stamp::at(1_500_000_000_000_000_000));
    }
}
