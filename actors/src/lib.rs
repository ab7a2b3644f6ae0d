//! The actors of arpherd: thin shells around [`arpherd_core`], and the edge to the kernel.
//!
//! ```text
//!        front thread: the packet path                          back thread
//!   wire ──► Capture ──Told, Outlet──► RouteOwner ◄──RollCall── Sweep ──► wire
//!               ▲                       │ │ │ └──SweepOn, Found──►
//!               │                       │ │ └────Record─────────► Recorder ──► file
//!               │                       │ └──────ReadTable──────► Watch ◄── rtnetlink
//!               └───────LinkUpdate──────│──────────────────────── │ └──LinkUpdate──► Sweep
//!                                       │ ◄───Told─────────────── ┘ │
//!                                       │                           OnAir
//!                                       │                           ▼
//!                                       │ ◄───Told─────────────── Air ◄── nl80211
//!                                       │ ────ReadStations─────────► ┘
//!                                       ▼
//!            routes and neighbours (one netlink batch) · frames ──► wire · events (Teller)
//! ```
//!
//! | actor | count | owns |
//! |---|---|---|
//! | [`capture::Capture`] | one a segment | the link's packet socket, its filter and counters |
//! | [`owner::RouteOwner`] | one | the ledger, every write of a route or neighbour entry, the outlets |
//! | [`sweep::Sweep`] | one a swept segment | the plan and pace of its sweeps, a socket that only sends |
//! | [`watch::Watch`] | one | the rtnetlink monitor, the kernel settings |
//! | [`air::Air`] | one, if the kernel has generic netlink | the sockets to nl80211 |
//! | [`recorder::Recorder`] | one, if recording | the file of facts |
//!
//! [`shepherd::Flock`] starts them, says when all are ready and stops them; all of the above is there once for
//! each network namespace that is served. Facts about a link go through its capture actor, so the route owner
//! never uses a link before its socket is open.

pub mod air;
pub mod capture;
pub mod clock;
pub mod errands;
mod fitness;
pub mod io;
pub mod messages;
pub mod needs;
pub mod owner;
pub mod port;
pub mod recorder;
mod settings;
pub mod shepherd;
pub mod sweep;
pub mod watch;
