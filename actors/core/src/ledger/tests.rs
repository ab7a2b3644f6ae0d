//! Scenarios of the ledger, in virtual time. Each name says one behaviour.

mod addresses;
mod adoption;
mod answering;
mod bench;
mod domains;
mod duplicates;
mod entries;
mod learning;
mod limits;
mod links;
mod liveness;
mod log;
mod moves;
mod peers;
mod pinned;
mod private;
mod probes;
mod publish;
mod relabelling;
mod returning;
mod routed;
mod routes;
mod searching;
mod shown;
mod stopping;
mod sweeping;
