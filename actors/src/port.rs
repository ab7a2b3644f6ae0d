//! How actors open the sockets that they own: packet sockets and nl80211, or stand-ins in tests.

use std::io;
use std::pin::Pin;

use futures_util::Stream;
use futures_util::stream::poll_fn;

use crate::io::cover_device::{CoverDevice, PacketDevice};
use crate::io::mark::MarkKey;
use crate::io::netlink::Radios;
use crate::io::netns::Netns;
use crate::io::packet::reverse::ReversePort;
use crate::io::packet::{Medium, PacketPort};
use crate::io::{FramePort, PortError, Radio, StationPort, Wake};

/// Yields an item each time the socket may have something to read.
pub type Readiness = Pin<Box<dyn Stream<Item = ()>>>;

/// The two ports of a link.
pub struct Opened {
    /// The one that receives.
    pub port: Box<dyn FramePort>,
    /// When it may have something to read.
    pub readiness: Readiness,
    /// The one that sends.
    pub sender: Box<dyn FramePort>,
}

/// Opens ports. Called in the context of the actor that will own the port.
pub trait PortOpener: Send {
    /// Opens a port that receives and sends.
    ///
    /// # Errors
    /// As [`PacketPort::open`].
    fn open(&self, medium: Medium) -> Result<(Box<dyn FramePort>, Readiness), PortError>;

    /// Opens a port that receives, and one that sends.
    ///
    /// # Errors
    /// As [`PacketPort::open`].
    fn open_both(&self, medium: Medium) -> Result<Opened, PortError> {
        let (port, readiness) = self.open(medium)?;
        Ok(Opened { port, readiness, sender: self.open_send_only(medium)? })
    }

    /// Opens a port that receives what shows where stations are, and none of their addresses.
    ///
    /// # Errors
    /// As [`ReversePort::open`].
    fn open_stations(&self, medium: Medium) -> Result<(Box<dyn StationPort>, Readiness), PortError>;

    /// Opens a port that only sends.
    ///
    /// # Errors
    /// As [`PacketPort::open_send_only`].
    fn open_send_only(&self, medium: Medium) -> Result<Box<dyn FramePort>, PortError>;
}

/// Opens packet sockets in a network namespace; the requests that they send carry the mark.
#[derive(Debug, Clone)]
pub struct PacketOpener {
    /// The network namespace.
    pub netns: Netns,
    /// The key of this run's marks on this segment.
    pub mark: MarkKey,
    /// Frames are sent whose source is not the interface's address: the domain has one of its own
    /// (`gateway_lladdr`).
    pub is_shared: bool,
}

impl PacketOpener {
    fn open_in_netns<P>(&self, open: impl FnOnce() -> Result<P, PortError>) -> Result<P, PortError> {
        let failed =
            |error| PortError::Failed { doing: "open a packet socket", cause: io::Error::other(error) };
        self.netns.within(open).map_err(failed)?
    }
}

fn watch(wake: io::Result<Wake>) -> Result<Readiness, PortError> {
    let failed = |cause| PortError::Failed { doing: "watch a packet socket", cause };
    wake.map(readiness).map_err(failed)
}

impl PortOpener for PacketOpener {
    fn open(&self, medium: Medium) -> Result<(Box<dyn FramePort>, Readiness), PortError> {
        let port = self.open_in_netns(|| PacketPort::open(medium))?.marked(self.mark.clone());
        let readiness = watch(port.wake())?;
        Ok((Box::new(port), readiness))
    }

    /// Both through one socket.
    fn open_both(&self, medium: Medium) -> Result<Opened, PortError> {
        let port = self.open_in_netns(|| PacketPort::open(medium))?.marked(self.mark.clone());
        let sender = self.open_in_netns(|| port.sender(self.is_shared))?;
        let readiness = watch(port.wake())?;
        Ok(Opened { port: Box::new(port), readiness, sender: Box::new(sender) })
    }

    fn open_stations(&self, medium: Medium) -> Result<(Box<dyn StationPort>, Readiness), PortError> {
        let port = self.open_in_netns(|| ReversePort::open(medium))?;
        let readiness = watch(port.wake())?;
        Ok((Box::new(port), readiness))
    }

    fn open_send_only(&self, medium: Medium) -> Result<Box<dyn FramePort>, PortError> {
        let port = self.open_in_netns(|| PacketPort::open_send_only(medium, self.is_shared))?;
        Ok(Box::new(port.marked(self.mark.clone())))
    }
}

/// Gives an actor its connection to nl80211. Called in the context of the actor that will own it, because
/// readiness is bound to the thread.
pub type RadioOpener = Box<dyn FnOnce() -> io::Result<(Box<dyn Radio>, Readiness)> + Send>;

/// An opener for sockets that are open already, in the right network namespace but on another thread.
pub fn radio_opener(radios: Radios) -> RadioOpener {
    Box::new(move || {
        let wake = Wake::on(&radios)?;
        Ok((Box::new(radios), readiness(wake)))
    })
}

/// Gives an actor the covering device; for the same reason called in its context.
pub type DeviceOpener = Box<dyn FnOnce() -> io::Result<(Box<dyn PacketDevice>, Readiness)> + Send>;

/// An opener for a covering device that is open already, on another thread.
pub fn device_opener(device: CoverDevice) -> DeviceOpener {
    Box::new(move || {
        let wake = Wake::on(&device)?;
        Ok((Box::new(device), readiness(wake)))
    })
}

/// The readiness of a socket. The stream ends with the runtime.
pub fn readiness(wake: Wake) -> Readiness {
    Box::pin(poll_fn(move |context| wake.poll_readable(context).map(Result::ok)))
}
