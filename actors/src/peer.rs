//! Another actor, as the receiver of one type of message.
//!
//! A [`Recipient`] allocates three times for each copy, a shared one never: each segment's actors are known in a dozen
//! places, and there may be thousands of segments.

use std::sync::Arc;

use actix::dev::{RecipientRequest, ToEnvelope};
use actix::{Actor, Addr, Handler, Message, Recipient};

/// An actor that receives messages of this type.
pub trait Receives<M>: Send + Sync
where
    M: Message + Send,
    M::Result: Send,
{
    /// Sends a message, even if the mailbox is full, and forgets it.
    fn do_send(&self, message: M);

    /// Sends a message and waits for the answer.
    fn send(&self, message: M) -> RecipientRequest<M>;
}

/// A shared address.
pub type Peer<M> = Arc<dyn Receives<M>>;

impl<A, M> Receives<M> for Addr<A>
where
    A: Actor + Handler<M>,
    A::Context: ToEnvelope<A, M>,
    M: Message + Send + 'static,
    M::Result: Send,
{
    fn do_send(&self, message: M) {
        Self::do_send(self, message);
    }

    fn send(&self, message: M) -> RecipientRequest<M> {
        self.clone().recipient().send(message)
    }
}

impl<M> Receives<M> for Recipient<M>
where
    M: Message + Send + 'static,
    M::Result: Send,
{
    fn do_send(&self, message: M) {
        Self::do_send(self, message);
    }

    fn send(&self, message: M) -> RecipientRequest<M> {
        Self::send(self, message)
    }
}
