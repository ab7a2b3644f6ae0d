//! Scenarios of the ledger.
