//! The least that a daemon of actors can do: one receives, and the other, to which it sends a message, adds routes.
//!
//! Beside the floor in plain code it shows what of a distance to that is the executor's.

use std::collections::HashSet;
use std::io;

use actix::{Actor, AsyncContext, Context, Handler, Message, Recipient, StreamHandler, System};
use futures_util::stream::unfold;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::listen::{at, four};
use crate::sys::{ArpSocket, Frame, RouteAdder};

/// A sender was seen on the link.
#[derive(Message)]
#[rtype(result = "()")]
struct Seen {
    sender: [u8; 4],
    link: u32,
}

/// There may be frames to read.
struct Ready;

struct Capture {
    socket: ArpSocket,
    owner: Recipient<Seen>,
}

struct RouteOwner {
    kernel: RouteAdder,
    known: HashSet<[u8; 4]>,
}

/// Adds a route for each new sender.
#[expect(unsafe_code, reason = "tokio leaves it to the caller that a registered descriptor stays open")]
pub(super) fn routes() -> io::Result<()> {
    let system = System::new();
    system.block_on(async {
        let owner = RouteOwner { kernel: RouteAdder::open()?, known: HashSet::new() }.start();
        let socket = ArpSocket::open(0)?;
        // SAFETY: the AsyncFd owns the descriptor, which stays open and the same until it has been taken out of the reactor.
        let watched = unsafe { AsyncFd::register_with_interest(socket.share()?, Interest::READABLE) }?;
        Capture::create(|context| {
            // It ends with the runtime.
            context.add_stream(unfold(watched, async |watched| {
                watched.readable().await.ok()?.clear_ready();
                Some((Ready, watched))
            }));
            Capture { socket, owner: owner.recipient() }
        });
        super::ready()
    })?;
    // Until an actor stops it.
    system.run()
}

impl Actor for Capture {
    type Context = Context<Self>;
}

impl StreamHandler<Ready> for Capture {
    fn handle(&mut self, Ready: Ready, _: &mut Context<Self>) {
        let mut frame: Frame = [0; 42];
        loop {
            match self.socket.try_receive(&mut frame) {
                Ok((_, link)) => self.owner.do_send(Seen { sender: four(&frame, at::SENDER_IP), link }),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(_) => return System::current().stop_with_code(1),
            }
        }
    }
}

impl Actor for RouteOwner {
    type Context = Context<Self>;
}

impl Handler<Seen> for RouteOwner {
    type Result = ();

    fn handle(&mut self, Seen { sender, link }: Seen, _: &mut Context<Self>) {
        if self.known.insert(sender) && self.kernel.add(sender, link).is_err() {
            System::current().stop_with_code(1);
        }
    }
}
