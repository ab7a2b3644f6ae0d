//! The rules of the relay, each on the smallest message that shows it.

mod bench;
mod clients;
mod leases;
mod servers;
