//! Another configuration for running instances.
//!
//! An instance goes on with another plan where it can. One that cannot is replaced: the next one adopts what it leaves in
//! the kernel's tables, and is told what it knew of hosts.

use arpherd_actors::io::netns::Netns;
use slog::{Logger, info};

use super::{Instances, InstancesError, Running, log_of, open_namespaces};
use crate::config::{Config, HttpListen, NetnsPlan, OnExit};

impl Instances {
    /// Goes on with another configuration. Instances whose part of it is the same are not touched.
    ///
    /// # Errors
    /// [`ReplaceError::Refused`] if nothing has changed, or all that had is as it was before; otherwise the daemon
    /// cannot go on.
    pub(crate) async fn replace(&mut self, config: &Config, log: &Logger) -> Result<(), ReplaceError> {
        let parts = config.netns_plans();
        let namespaces = open_namespaces(&parts).map_err(ReplaceError::Refused)?;
        let mut next: Vec<(NetnsPlan, Netns)> = parts.into_iter().zip(namespaces).collect();
        self.replan_all(&next, log).await.map_err(ReplaceError::Refused)?;
        let purge = config.daemon.on_exit == OnExit::Purge;
        let mut replaced = Vec::new();
        for mut old in std::mem::take(&mut self.running) {
            let same_name = next.iter().position(|(part, _)| part.netns == old.part.netns);
            match same_name.map(|at| next.remove(at)) {
                None => {
                    info!(log_of(log, old.part.netns.as_deref()), "netns_retired");
                    old.instance.set_purge(true);
                    old.instance.stop().await;
                }
                Some((part, netns)) if old.is_served_by(&part, &netns) => {
                    old.instance.set_purge(purge);
                    self.running.push(old);
                }
                Some(new) => replaced.push((old, new)),
            }
        }
        self.replacements += u32::from(!replaced.is_empty());
        let mut replaced = replaced.into_iter();
        while let Some((old, (part, netns))) = replaced.next() {
            let outcome = self.replace_one(old, part, netns, config.daemon.on_exit, log).await;
            if let Err(error) = outcome {
                self.running.extend(replaced.map(|(old, _)| old));
                self.publish();
                return Err(error);
            }
        }
        for (part, netns) in next {
            self.start_one(part, netns, config.daemon.on_exit, Vec::new(), log)
                .await
                .map_err(ReplaceError::Refused)?;
        }
        self.running.sort_by(|one, other| one.part.netns.cmp(&other.part.netns));
        self.set_timing(config.daemon.http != HttpListen::Off);
        self.publish();
        Ok(())
    }

    /// Has the instances that can go on with their new plans do so.
    ///
    /// # Errors
    /// If one cannot after all; then all go on as before.
    async fn replan_all(&mut self, next: &[(NetnsPlan, Netns)], log: &Logger) -> Result<(), InstancesError> {
        let mut done: Vec<(usize, NetnsPlan)> = Vec::new();
        for at in 0..self.running.len() {
            let running = &self.running[at];
            let Some((part, netns)) = next.iter().find(|(part, _)| part.netns == running.part.netns) else {
                continue;
            };
            if running.is_served_by(part, netns) || !running.is_in(netns) {
                continue;
            }
            let before = running.part.clone();
            if let Err(error) = self.replan(at, part, log).await {
                for (at, before) in done.iter().rev() {
                    // Its interfaces were its own a moment ago.
                    self.replan(*at, before, log).await?;
                }
                return Err(error);
            }
            done.push((at, before));
        }
        Ok(())
    }

    /// Has an instance go on with another plan, if it can without being replaced.
    async fn replan(&mut self, at: usize, part: &NetnsPlan, log: &Logger) -> Result<(), InstancesError> {
        let Some(next) = self.running[at].instance.next_plan(&part.plan, &part.manage) else { return Ok(()) };
        let sink = self.event_sink(part, next.plan(), &log_of(log, part.netns.as_deref()));
        self.running[at].instance.replan(next, sink).await?;
        self.running[at].part = part.clone();
        Ok(())
    }

    /// Puts an instance with another plan in the place of one; if that does not start, one with the plan of before.
    async fn replace_one(
        &mut self,
        old: Running,
        part: NetnsPlan,
        netns: Netns,
        on_exit: OnExit,
        log: &Logger,
    ) -> Result<(), ReplaceError> {
        let Running { part: before, netns: old_netns, mut instance } = old;
        let hosts = if before.plan.routes == part.plan.routes {
            instance.give_way_to(&part.plan).await
        } else {
            // Another protocol, table or metric: nothing of before would be adopted.
            instance.set_purge(true);
            instance.stop().await
        };
        let Err(error) = self.start_one(part, netns, on_exit, hosts.clone(), log).await else {
            return Ok(());
        };
        match self.start_one(before, old_netns, on_exit, hosts, log).await {
            Ok(()) => {
                self.publish();
                Err(ReplaceError::Refused(error))
            }
            Err(_) => Err(ReplaceError::Lost(error)),
        }
    }
}

impl Running {
    /// Whether it does already what it would be started for.
    fn is_served_by(&self, part: &NetnsPlan, netns: &Netns) -> bool {
        self.part == *part && self.is_in(netns)
    }

    fn is_in(&self, netns: &Netns) -> bool {
        self.netns.identity().ok() == netns.identity().ok()
    }
}

/// Why the instances were not replaced.
#[derive(Debug)]
pub(crate) enum ReplaceError {
    /// All goes on as before.
    Refused(InstancesError),
    /// Neither the new instance starts nor the one of before.
    Lost(InstancesError),
}
