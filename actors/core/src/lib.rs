//! Every decision of arpherd, and nothing else.
//!
//! ```text
//! Fact ──► Ledger::step(now, fact, &mut orders) ──► Order
//!          Ledger::deadline() ──► when to come back without a fact
//! ```
//!
//! The same facts at the same times give the same orders: no clock, no randomness, no socket, no logger,
//! no actor. The crate's manifest proves it.

pub mod address;
pub mod arp;
pub mod dhcp;
pub mod event;
pub mod fact;
pub mod ledger;
pub mod lladdr;
pub mod memory;
pub mod order;
pub mod pace;
pub mod plan;
pub mod role;
pub mod route;
pub mod subnet;
pub mod sweep;
pub mod time;
pub mod view;
pub mod wake;
pub mod write;

pub use address::{Address, Prefix};
pub use arp::{Arp, Frame, Heard, Mark, Operation};
pub use event::Event;
pub use fact::Fact;
pub use ledger::{Ledger, Operator, Tables};
pub use lladdr::LinkAddr;
pub use order::Order;
pub use plan::{DomainId, Plan, SegmentId};
pub use role::Role;
pub use time::Time;
pub use write::Write;
