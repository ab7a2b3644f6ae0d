//! How actors come by a link's frames: the packet socket, or a stand-in.

use std::io;
use std::pin::Pin;

use futures_util::Stream;
use futures_util::stream::unfold;

use crate::io::mark::MarkKey;
use crate::io::netlink::Radios;
use crate::io::netns::Netns;
use crate::io::packet::{Medium, PacketPort};
use crate::io::{FramePort, PortError, Radio, Wake};

/// Tells its actor each time the port may have something to read.
pub type Readiness = Pin<Box<dyn Stream<Item = ()>>>;

/// Opens ports. Called in the context of the actor that will own the port.
pub trait Opener: Send {
    /// A port that hears and sends.
    ///
    /// # Errors
    /// As [`PacketPort::open`].
    fn open(&self, medium: Medium) -> Result<(Box<dyn FramePort>, Readiness), PortError>;

    /// A port that only sends.
    ///
    /// # Errors
    /// As [`PacketPort::open_send_only`].
    fn open_send_only(&self, medium: Medium) -> Result<Box<dyn FramePort>, PortError>;
}

/// Opens packet sockets in a network namespace; their requests bear the mark.
#[derive(Debug, Clone)]
pub struct PacketOpener {
    /// The network namespace they are opened in.
    pub ground: Netns,
    /// The marks of this run on this segment.
    pub mark: MarkKey,
}

impl PacketOpener {
    fn there(&self, open: impl FnOnce() -> Result<PacketPort, PortError>) -> Result<PacketPort, PortError> {
        let failed =
            |error| PortError::Failed { doing: "open a packet socket", cause: io::Error::other(error) };
        Ok(self.ground.within(open).map_err(failed)??.marked(self.mark.clone()))
    }
}

impl Opener for PacketOpener {
    fn open(&self, medium: Medium) -> Result<(Box<dyn FramePort>, Readiness), PortError> {
        let port = self.there(|| PacketPort::open(medium))?;
        let wake =
            Wake::on(&port).map_err(|cause| PortError::Failed { doing: "watch a packet socket", cause })?;
        Ok((Box::new(port), readiness(wake)))
    }

    fn open_send_only(&self, medium: Medium) -> Result<Box<dyn FramePort>, PortError> {
        Ok(Box::new(self.there(|| PacketPort::open_send_only(medium))?))
    }
}

/// Gives the actor that will own them what the radios tell, and when. Called in the actor's context.
pub type RadioOpener = Box<dyn FnOnce() -> io::Result<(Box<dyn Radio>, Readiness)> + Send>;

/// Sockets that were opened where the radios are, for an actor that lives on another thread.
pub fn radio_opener(radios: Radios) -> RadioOpener {
    Box::new(move || {
        let wake = Wake::on(&radios)?;
        Ok((Box::new(radios), readiness(wake)))
    })
}

/// A stream with an item each time the socket has something to read. It ends with the runtime.
pub fn readiness(wake: Wake) -> Readiness {
    Box::pin(unfold(wake, |wake| async move { wake.readable().await.ok().map(|()| ((), wake)) }))
}
