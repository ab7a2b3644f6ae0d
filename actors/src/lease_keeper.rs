//! The lease keeper: keeps what is known of leases in a file, so that they outlive the daemon however it ends.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::Duration;

use actix::{Actor, AsyncContext, Context, Handler};
use slog::{Logger, debug, warn};

use crate::io::saved_leases::{LeaseFile, SavedLease};
use crate::messages::{Finish, KeepLease};

/// The file is written so long after the first change that it lacks, with all that came meanwhile.
const DELAY: Duration = Duration::from_secs(3);

/// Writes leases to a file. Runs on the back thread, so a slow disk does not delay the packet path.
pub struct LeaseKeeper {
    file: LeaseFile,
    leases: BTreeMap<(Ipv4Addr, String), SavedLease>,
    /// Something is not in the file yet.
    is_changed: bool,
    /// The last attempt to write failed, which was said.
    has_failed: bool,
    log: Logger,
}

impl LeaseKeeper {
    /// A keeper of these leases, which the file has already.
    pub fn new(
        file: LeaseFile,
        leases: impl Iterator<Item = arpherd_core::memory::RememberedLease>,
        log: Logger,
    ) -> Self {
        let leases = leases.map(|it| ((it.address, it.interface.clone()), SavedLease::of(it))).collect();
        Self { file, leases, is_changed: false, has_failed: false, log }
    }

    fn write(&mut self) {
        if !std::mem::take(&mut self.is_changed) {
            return;
        }
        match self.file.write(self.leases.values()) {
            Ok(()) => {
                self.has_failed = false;
                debug!(self.log, "leases_saved"; "leases" => self.leases.len());
            }
            Err(error) => {
                if !std::mem::replace(&mut self.has_failed, true) {
                    warn!(self.log, "leases_not_saved"; "error" => %error,
                        "hint" => "after a restart leases are known when they are renewed; look at the error");
                }
            }
        }
    }
}

impl Actor for LeaseKeeper {
    type Context = Context<Self>;
}

impl Handler<KeepLease> for LeaseKeeper {
    type Result = ();

    fn handle(&mut self, KeepLease { address, interface, lease }: KeepLease, ctx: &mut Self::Context) {
        let place = (address, interface);
        match lease {
            Some(lease) => {
                self.leases.insert(place, SavedLease::of(*lease));
            }
            None => {
                self.leases.remove(&place);
            }
        }
        if !std::mem::replace(&mut self.is_changed, true) {
            ctx.run_later(DELAY, |keeper, _| keeper.write());
        }
    }
}

impl Handler<Finish> for LeaseKeeper {
    type Result = ();

    fn handle(&mut self, _: Finish, _: &mut Self::Context) {
        self.write();
    }
}
