//! Waiting until there is something to read, under tokio.
#![expect(unsafe_code, reason = "tokio leaves it to the caller that a registered descriptor stays open")]

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::packet::closing::PacketSocket;

/// Wakes an actor when the socket it was made from has something to read.
///
/// It holds a duplicate of the descriptor, or of a packet socket a share, so the socket stays where it is. A dropped
/// socket stays open in the kernel until its `Wake` is dropped too.
#[derive(Debug)]
pub struct Wake {
    descriptor: AsyncFd<Watched>,
}

/// What keeps the descriptor open.
#[derive(Debug)]
enum Watched {
    Duplicate(OwnedFd),
    Shared(Arc<PacketSocket>),
}

impl AsRawFd for Watched {
    fn as_raw_fd(&self) -> RawFd {
        match self {
            Self::Duplicate(descriptor) => descriptor.as_raw_fd(),
            Self::Shared(socket) => socket.as_fd().as_raw_fd(),
        }
    }
}

impl Wake {
    /// Registers a non-blocking socket with the tokio runtime of this thread.
    ///
    /// # Errors
    /// If the process has no descriptor left, or the kernel cannot watch this one.
    ///
    /// # Panics
    /// Outside a tokio runtime; an actor makes its `Wake` in `started`.
    pub fn on(socket: &impl AsFd) -> io::Result<Self> {
        socket.as_fd().try_clone_to_owned().map(Watched::Duplicate).and_then(Self::register)
    }

    /// The same for a packet socket, which stays open until both have been dropped.
    pub(super) fn sharing(socket: &Arc<PacketSocket>) -> io::Result<Self> {
        Self::register(Watched::Shared(Arc::clone(socket)))
    }

    fn register(watched: Watched) -> io::Result<Self> {
        // SAFETY: the AsyncFd owns the duplicate or a share of the socket, so the descriptor stays open and the same until
        // it has been taken out of the reactor.
        let descriptor = unsafe { AsyncFd::register_with_interest(watched, Interest::READABLE) }?;
        Ok(Self { descriptor })
    }

    /// Waits until the socket has something to read or an error to report.
    ///
    /// The event is consumed: before the next call, read until the socket has nothing more.
    ///
    /// # Errors
    /// If the runtime is shutting down.
    pub async fn readable(&self) -> io::Result<()> {
        self.descriptor.readable().await?.clear_ready();
        Ok(())
    }

    /// Like [`Wake::readable`], for hand-written futures and streams.
    ///
    /// # Errors
    /// If the runtime is shutting down.
    pub fn poll_readable(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut event = ready!(self.descriptor.poll_read_ready(context))?;
        event.clear_ready();
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixDatagram;
    use std::time::Duration;

    use super::*;

    #[test]
    fn each_arrival_wakes_once() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let (near, far) = UnixDatagram::pair().expect("a pair of sockets");
            far.set_nonblocking(true).expect("non-blocking");
            let wake = Wake::on(&far).expect("registered");
            for _ in 0..3 {
                near.send(b"x").expect("sent");
                wake.readable().await.expect("woken");
                far.recv(&mut [0; 8]).expect("there is something to read");
                let quiet = tokio::time::timeout(Duration::from_millis(5), wake.readable()).await;
                assert!(quiet.is_err(), "nothing more to read");
            }
        });
    }
}
