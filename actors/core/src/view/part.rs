//! Parts of long tables, so that no reader keeps frames waiting for a whole one.

use crate::address::Address;
use crate::plan::DomainId;

/// A row's place in the table of hosts or routes, which are in the order of domains and addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct RowPlace {
    pub(crate) domain: DomainId,
    pub(crate) address: Address,
}

/// Some rows of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part<T> {
    /// The rows, in order.
    pub rows: Vec<T>,
    /// Where the last host is that was looked at, if there are more.
    pub last: Option<RowPlace>,
}
