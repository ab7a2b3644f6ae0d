//! What holds of the ledger whatever it is told.
//!
//! `chaos` tells it anything at any time. `life` has it run a small network with a kernel, hosts and other
//! people's hands in it, and looks whether routes and answers come out right.
//! `in_kernel` does so with a program that answers without telling the ledger, `fabric` with three gateways that a
//! model of BGP connects. `relayed` does the same with the DHCP relay.

mod acts;
mod auto;
mod caches;
mod chaos;
mod fabric;
mod facts;
mod gateways;
mod in_kernel;
mod kernel;
mod leases;
mod life;
mod links;
mod modes;
mod pairs;
mod places;
mod program;
mod relayed;
mod replans;
mod stations;
mod turns;
mod world;
