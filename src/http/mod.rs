//! HTTP for those who watch the daemon: Prometheus, probes of orchestrators, a browser.
//!
//! ```text
//!   thread "http", only where daemon.http is set
//!
//!   listener ──► connections (64 at the most) ──► routes ──► Site ──► QueryHandler ──► the daemon's actors
//! ```
//!
//! It reads and changes nothing. A connection carries one request and its response, for ten seconds at the most; the
//! actors are asked a few times a second, however many clients there are.

mod budget;
mod connections;
mod health;
mod listener;
mod metrics;
mod page;
mod reply;
mod routes;
mod service;
mod site;
mod state;

pub(crate) use listener::HttpError;
pub(crate) use service::{BoundHttp, HttpService};
