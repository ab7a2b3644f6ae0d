//! The shells around the core, against stand-ins for sockets and the kernel, in virtual time.

mod capture;
mod fakes;
mod liveness;
mod modes;
mod owner;
mod reading;
mod sweep;
mod wifi;
mod writing;
