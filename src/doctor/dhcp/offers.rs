//! What servers offered, as plain values.

use std::net::Ipv4Addr;

use arpherd_core::plan::DhcpServer;

/// What servers answered to the questions of one segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DhcpAnswers {
    /// Its domain.
    pub(crate) domain: String,
    /// Its interface.
    pub(crate) interface: String,
    /// Who was asked by name.
    pub(crate) asked: Vec<DhcpServer>,
    /// Their offers; or why none could be asked.
    pub(crate) offers: Result<Vec<Offer>, String>,
}

/// An offer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Offer {
    /// What it answers.
    pub(crate) question: Question,
    /// Whose it is.
    pub(crate) server: Ipv4Addr,
    /// The address it offers.
    pub(crate) address: Ipv4Addr,
    /// The server was told the clients' network by link selection (RFC 3527).
    pub(crate) is_selecting: bool,
}

/// How servers were asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Question {
    /// By broadcast on the segment, as its clients do.
    OnLink,
    /// This one alone, as the relay does.
    Relayed(DhcpServer),
}
