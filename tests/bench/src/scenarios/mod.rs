//! What is measured. Each scenario builds its own testbeds and gives its lines of the report.

mod answer;
mod burst;
mod dhcp;
mod fabric;
mod in_kernel;
mod ledger;
mod load;
mod memory;
mod newcomer;
mod remake;
mod segments;
mod silence;
mod start;
mod sweep;

use crate::error::Result;
use crate::report::Row;
use crate::setup::Bench;

/// One scenario.
pub(crate) struct Scenario {
    /// Its name for `--only`.
    pub(crate) name: &'static str,
    /// Measures it.
    pub(crate) run: fn(&Bench) -> Result<Vec<Row>>,
}

/// All of them, in the order of the report.
pub(crate) const ALL: [Scenario; 15] = [
    Scenario { name: "newcomer", run: newcomer::run },
    Scenario { name: "burst", run: burst::run },
    Scenario { name: "answer", run: answer::run },
    Scenario { name: "in_kernel", run: in_kernel::run },
    Scenario { name: "load", run: load::run },
    Scenario { name: "remake", run: remake::run },
    Scenario { name: "dhcp", run: dhcp::run },
    Scenario { name: "sweep", run: sweep::run },
    Scenario { name: "start", run: start::run },
    Scenario { name: "silence", run: silence::run },
    Scenario { name: "memory", run: memory::run },
    Scenario { name: "idle", run: memory::idle },
    Scenario { name: "segments", run: segments::run },
    Scenario { name: "ledger", run: ledger::run },
    Scenario { name: "fabric", run: fabric::run },
];
