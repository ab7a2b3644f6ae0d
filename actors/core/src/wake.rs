//! Whom an operator wants to wake.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::address::Address;
use crate::lladdr::LinkAddr;

/// A machine that sleeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Sleeper {
    /// The host of an address, where it was known last.
    Host(Address),
    /// A station, on any segment.
    Station(LinkAddr),
}

/// A text that is neither an IPv4 address nor a link-layer address of six octets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected an IPv4 address, or a link-layer address such as 02:00:5e:00:02:0a")]
pub struct NotASleeper;

impl FromStr for Sleeper {
    type Err = NotASleeper;

    fn from_str(text: &str) -> Result<Self, NotASleeper> {
        if let Ok(address) = text.parse() {
            return Ok(Self::Host(address));
        }
        let station = text.parse::<LinkAddr>().map_err(|_| NotASleeper)?;
        if station.len() == 6 && station.is_station() { Ok(Self::Station(station)) } else { Err(NotASleeper) }
    }
}

impl fmt::Display for Sleeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host(address) => address.fmt(f),
            Self::Station(station) => station.fmt(f),
        }
    }
}
