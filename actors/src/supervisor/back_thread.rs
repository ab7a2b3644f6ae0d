//! Starts the actors of the back thread.

use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::Arc;

use actix::{Actor, Addr, Arbiter, Context, Handler};
use arpherd_core::memory::RememberedLease;
use arpherd_core::plan::Cover;
use slog::{Logger, info, o, warn};

use super::segment_actors::SegmentActors;
use super::{InstanceConfig, StartError};
use crate::clock::Clock;
use crate::counters::CoverCounters;
use crate::cover::CoverActor;
use crate::dhcp::DhcpActor;
use crate::io::cover_device::CoverDevice;
use crate::io::netlink::Radios;
use crate::io::saved_leases::LeaseFile;
use crate::known_links::KnownLinks;
use crate::lease_keeper::LeaseKeeper;
use crate::liveness::{ActorGroup, ActorName, Ping};
use crate::owner::RouteOwner;
use crate::port::{device_opener, radio_opener};
use crate::recorder::Recorder;
use crate::watch::{ExpectedLinks, Watch};
use crate::wifi::WifiMonitor;

/// What the actors of the back thread are started with.
pub(super) struct BackStarter<'a> {
    pub(super) config: &'a InstanceConfig,
    pub(super) back: &'a Arbiter,
    pub(super) group: &'a ActorGroup,
    pub(super) log: &'a Logger,
}

impl BackStarter<'_> {
    fn log(&self, actor: &'static str) -> Logger {
        self.log.new(o!("actor" => actor))
    }

    fn start<A>(&self, actor: &'static str, make: impl FnOnce() -> A + Send + 'static) -> Addr<A>
    where
        A: Actor<Context = Context<A>> + Handler<Ping> + Unpin,
    {
        self.group.start_in(ActorName::of(actor), &self.back.handle(), make)
    }
}

/// Opens the watch's sockets in the namespace, and starts it on the back thread. `links`: those of the namespace.
pub(super) fn start_watch(
    starter: &BackStarter<'_>,
    own_port: u32,
    links: KnownLinks,
) -> Result<Addr<Watch>, StartError> {
    let (config, log) = (starter.config, starter.log("watch"));
    let (netns, saved) = (&config.netns, config.saved_sysctls.as_deref());
    let interfaces = config.sysctl_modes().into_iter().map(|(name, mode)| (name.to_owned(), mode)).collect();
    let expected = ExpectedLinks { links, interfaces };
    let watch = netns.within(|| Watch::open(netns, config.plan.routes, own_port, saved, expected, log))??;
    Ok(starter.start("watch", || watch))
}

/// Starts the Wi-Fi monitor. A kernel without generic netlink has no Wi-Fi: that is logged and no error.
pub(super) fn start_wifi(
    starter: &BackStarter<'_>,
    owner: &Addr<RouteOwner>,
) -> Result<Option<Addr<WifiMonitor>>, StartError> {
    let log = starter.log("wifi");
    let radios = match starter.config.netns.within(Radios::open)? {
        Ok(radios) => radios,
        Err(error) => {
            info!(log, "wifi_unavailable"; "error" => %error);
            return Ok(None);
        }
    };
    let owner = owner.clone().recipient();
    Ok(Some(starter.start("wifi", || WifiMonitor::new(radio_opener(radios), owner, log))))
}

/// Starts the DHCP actor on the back thread, if a domain has DHCP relayed or read.
pub(super) fn start_dhcp(
    starter: &BackStarter<'_>,
    owner: &Addr<RouteOwner>,
    segments: &SegmentActors,
    clock: Clock,
) -> Option<Addr<DhcpActor>> {
    let config = starter.config;
    config.plan.has_dhcp().then(|| {
        let (plan, netns, log) = (config.plan.clone(), config.netns.clone(), starter.log("dhcp"));
        let (owner, counters) = (owner.clone().recipient(), segments.counters());
        starter.start("dhcp", move || DhcpActor::new(&plan, netns, clock, owner, counters, log))
    })
}

/// A cover actor that was started.
pub(super) struct StartedCover {
    pub(super) actor: Addr<CoverActor>,
    pub(super) counters: Arc<CoverCounters>,
    /// The number of the covering device's interface.
    pub(super) index: u32,
}

/// Makes the covering device in the namespace, if a domain has packets for unknown hosts searched for, and starts its
/// actor on the back thread. Where it cannot be made, that is logged, and such packets are refused by the kernel.
pub(super) fn start_cover(
    starter: &BackStarter<'_>,
    owner: &Addr<RouteOwner>,
    clock: Clock,
) -> Result<Option<StartedCover>, StartError> {
    let config = starter.config;
    if config.plan.domains.iter().all(|domain| domain.cover != Cover::Search) {
        return Ok(None);
    }
    let log = starter.log("cover");
    let device = match config.netns.within(CoverDevice::open)? {
        Ok(device) => device,
        Err(error) => {
            let hint = match error.kind() {
                ErrorKind::NotFound | ErrorKind::PermissionDenied => {
                    "give the daemon /dev/net/tun (DeviceAllow=/dev/net/tun rw, PrivateDevices=no)"
                }
                _ => "look at the error; a restart tries again",
            };
            warn!(log, "cover_device_failed"; "error" => %error, "hint" => hint,
                "detail" => "packets for unknown hosts are refused, as with `cover: unreachable`");
            return Ok(None);
        }
    };
    let index = device.index();
    let (owner, counters) = (owner.clone().recipient(), Arc::new(CoverCounters::default()));
    let counted = Arc::clone(&counters);
    let actor =
        starter.start("cover", move || CoverActor::new(device_opener(device), owner, counted, clock, log));
    Ok(Some(StartedCover { actor, counters, index }))
}

/// Starts the keeper of leases, where there is a place to keep them. Returns it with those that it knows.
pub(super) fn start_lease_keeper(
    starter: &BackStarter<'_>,
    saved_hosts: Option<&PathBuf>,
) -> Result<(Option<Addr<LeaseKeeper>>, Vec<RememberedLease>), StartError> {
    let Some(path) = saved_hosts.map(|path| path.with_file_name("leases.json")) else {
        return Ok((None, Vec::new()));
    };
    let log = starter.log("lease_keeper");
    let file = match starter.config.netns.within(|| LeaseFile::of_current(&path))? {
        Ok(file) => file,
        Err(error) => {
            warn!(log, "leases_not_saved"; "error" => %error);
            return Ok((None, Vec::new()));
        }
    };
    let leases = file.read().unwrap_or_else(|error| {
        info!(log, "saved_leases_ignored"; "reason" => %error,
            "detail" => "leases are known when they are granted or renewed");
        Vec::new()
    });
    if !leases.is_empty() {
        info!(log, "leases_recalled"; "leases" => leases.len());
    }
    let known = leases.clone();
    let keeper = starter.start("lease_keeper", || LeaseKeeper::new(file, known.into_iter(), log));
    Ok((Some(keeper), leases))
}

pub(super) fn start_recorder(starter: &BackStarter<'_>) -> Result<Option<Addr<Recorder>>, StartError> {
    let Some(path) = &starter.config.record else { return Ok(None) };
    let recorder = Recorder::create(path, &starter.config.plan, starter.log("recorder"))
        .map_err(|cause| StartError::Record { path: path.clone(), cause })?;
    Ok(Some(starter.start("recorder", || recorder)))
}
