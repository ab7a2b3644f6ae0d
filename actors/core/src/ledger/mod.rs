//! The ledger: which host lives where, and everything that follows from it.
//!
//! ```text
//!  step ─┬ replanning             the configuration is another one
//!        ├ hearing, requests      a packet came in: who spoke, what was asked
//!        ├ leasing                a lease was granted, or is over
//!        ├ radio, traces          a station came, went, was listed, was heard
//!        ├ roles                  which of two gateways this is
//!        └ liveness, contest,     time passed; two places claim one address,
//!          takeover, exposure,    or one station too many; one of two dies;
//!          mobility               two gateways have one host
//!             │                                    │
//!             │ ask for a verdict                  │ change
//!             ▼                                    ▼
//!   learning, answering ─► policy        world      what can happen to a host: arrive, move, give up …
//!   pure, with their reasons               ├ links, renumbering, routes,         its other verbs
//!                                          │ probing, bridging
//!                                          ├ topology ── segment, domains,       what there is
//!                                          │             bridges, shared_lladdr, sharing
//!   claims, alternatives, confirmations,   ├ hosts ───── host                    who is where
//!   searches, announcements, movers,       ├ fabric ─ remotes, remote_hosts      who is behind other gateways
//!   contacts, proxies, trials, wifi:       ├ published, own_claims, addressed,   who uses what, how fast,
//!   what is going on                       │ pacing ─ verification, memory       what an earlier run knew
//!                                          ├ kernel_state ─ installed, foreign, entries, covers
//!                                          │              what the kernel's tables hold and should hold
//!                                          └ fast_answers ─ fast_policy           and what the program inside the kernel knows
//!   effects ─ timers, reports, journal                    what a step brings about, and remembers of it
//! ```
//!
//! `view`, `tables` and `explain` read all of it for operators, the last by the functions that decide; `operator`
//! carries out what they command.
//!
//! Nothing calls upwards. After each fact the ledger settles: the kernel's tables follow the addresses that were
//! touched, requests that were held for them are answered, and hosts that moved are announced and told where others are.

mod addressed;
mod alternatives;
mod announcements;
mod answering;
mod bridges;
mod bridging;
mod census;
mod claims;
mod confirmations;
mod confirming;
mod contacts;
mod contest;
mod covers;
mod departed;
mod domains;
mod duties;
mod effects;
mod entries;
mod explain;
mod exposure;
mod fabric;
mod fast_answers;
mod fast_policy;
mod foreign;
mod hearing;
mod host;
mod hosts;
mod installed;
mod journal;
mod kernel_state;
mod key;
mod learning;
mod lease_memory;
mod lease_notes;
mod leases;
mod leasing;
mod links;
mod liveness;
mod memory;
mod mobility;
mod movers;
mod operator;
mod own_addresses;
mod own_claims;
mod pacing;
mod packets;
mod policy;
mod presence;
mod probing;
mod proxies;
mod published;
mod radio;
mod remote_hosts;
mod remotes;
mod renumbering;
mod replanning;
mod reports;
mod requests;
mod roles;
mod routes;
mod searches;
mod segment;
mod shared_lladdr;
mod sharing;
mod standby_routes;
mod stopping;
mod tables;
mod takeover;
#[cfg(test)]
mod tests;
mod timers;
mod topology;
mod traces;
mod trials;
mod turns;
mod verification;
mod verifying;
mod view;
mod waking;
mod wifi;
mod world;

use alternatives::Alternatives;
use announcements::Announcements;
use claims::{Claims, Stake};
use confirmations::Confirmations;
use effects::Effects;
use key::Key;
pub use lease_memory::leases_of;
pub use memory::memory_of;
use movers::Movers;
pub use operator::Operator;
use packets::HeldPackets;
use proxies::Proxies;
use searches::Searches;
use stopping::End;
pub use tables::Tables;
use timers::{Due, Timer};
use traces::Traces;
use trials::Trials;
use wifi::Wifi;
use world::World;

use crate::fact::Fact;
use crate::order::Order;
use crate::plan::Plan;
use crate::time::Time;

/// Every decision of the daemon: which host lives where, who is probed, who is answered, what is routed.
#[derive(Debug)]
pub struct Ledger {
    world: World,
    claims: Claims,
    /// Other places of addresses.
    alternatives: Alternatives,
    confirmations: Confirmations,
    searches: Searches,
    packets: HeldPackets,
    announcements: Announcements,
    movers: Movers,
    /// Other proxies.
    proxies: Proxies,
    traces: Traces,
    trials: Trials,
    wifi: Wifi,
    effects: Effects,
    is_stopped: bool,
}

impl Ledger {
    /// A ledger that knows nobody yet.
    pub fn new(plan: &Plan) -> Self {
        Self {
            claims: Claims::default(),
            alternatives: Alternatives::default(),
            confirmations: Confirmations::default(),
            searches: Searches::default(),
            packets: HeldPackets::default(),
            announcements: Announcements::default(),
            movers: Movers::default(),
            proxies: Proxies::default(),
            traces: Traces::default(),
            trials: Trials::default(),
            wifi: Wifi::new(plan.segments.len()),
            effects: Effects::default(),
            is_stopped: false,
            world: World::new(plan),
        }
    }

    /// Takes one fact and appends what is to be done about it. Everything that was due by `now` is done
    /// first, so a fact never finds a ledger older than itself. A fact about a segment that is not in the
    /// plan is ignored.
    pub fn step(&mut self, now: Time, fact: Fact, orders: &mut Vec<Order>) {
        if self.is_stopped || !self.world.topology.concerns_us(&fact) {
            return;
        }
        self.effects.begin(now, orders);
        while let Some(due) = self.effects.next_due() {
            self.timer_fired(due);
            self.settle();
        }
        self.dispatch(fact);
        self.settle();
        self.world.kernel.watch_conflicts(&mut self.effects);
        fast_policy::settle_fast_answers(self);
        self.effects.finish(orders);
    }

    /// When to come back with [`Fact::TimePassed`] if no other fact comes before.
    pub fn deadline(&self) -> Option<Time> {
        self.effects.next_deadline()
    }

    fn dispatch(&mut self, fact: Fact) {
        let (world, effects) = (&mut self.world, &mut self.effects);
        match fact {
            Fact::Heard { segment, heard } => self.heard(segment, &heard),
            Fact::StationHeard { segment, lladdr } => self.station_traced(segment, lladdr),
            Fact::LinkChanged { segment, link } => world.link_changed(segment, link, effects),
            Fact::AddressesChanged { addresses } => own_addresses::follow_own_addresses(self, addresses),
            Fact::TableRead { routes } => world.table_read(&routes, &[], effects),
            Fact::TableReadWhileWriting { routes, written } => world.table_read(&routes, &written, effects),
            Fact::RouteAppeared(route) => world.route_appeared(&route, effects),
            Fact::RouteVanished(route) => world.route_vanished(&route, effects),
            Fact::CoverVanished { prefix } => world.cover_vanished(prefix, effects),
            Fact::CoverDeviceChanged { interface } => {
                world.kernel.cover_device_changed(interface, &world.topology, effects);
            }
            Fact::PacketHeld { target } => self.packets.packet_held(target, world, effects),
            Fact::WriteRefused { write, errno, reason } => {
                world.write_refused(&write, errno, reason, effects);
            }
            Fact::RouteLookedUp { request, interface } => self.route_looked_up(&request, interface),
            Fact::WifiRoleChanged { segment, role } => self.wifi.set_role(segment, role),
            Fact::StationJoined { segment, lladdr } => self.station_joined(segment, lladdr),
            Fact::StationLeft { segment, lladdr } => self.station_left(segment, &lladdr),
            Fact::StationsRead { segment, stations } => self.stations_read(segment, &stations),
            Fact::Associated { segment } => self.associated(segment),
            Fact::Disassociated { segment } => self.disassociated(segment),
            Fact::ProxiesRead { proxies } => {
                world.kernel.proxies_read(&proxies, world, effects);
            }
            Fact::Remembered { hosts } => world.recollection.set(hosts),
            Fact::ProbeRequested { address } => operator::probe(address, world, &mut self.searches, effects),
            Fact::ForgetRequested { address } => operator::forget(address, world, effects),
            Fact::WakeRequested { sleeper } => waking::wake(sleeper, world, effects),
            Fact::LeasesRemembered { leases } => lease_memory::recall_leases(world, leases, effects),
            Fact::Dhcp { segment, news } => leasing::dhcp_told(self, segment, news),
            Fact::FastAnswersReady(is_ready) => fast_policy::program_changed(world, is_ready),
            Fact::HeardInKernel { domain, address, heard } => {
                liveness::heard_in_kernel(self, &Key { domain, address }, heard);
            }
            Fact::TimePassed => {}
            Fact::RoleOrdered { domain, role } => roles::order_role(world, domain, role, effects),
            Fact::Replanned { plan } => replanning::replan(self, &plan),
            Fact::Replaced { retired, prefixes } => self.stop(&End::Replaced { retired, prefixes }),
            Fact::Stopped { purge } => self.stop(if purge { &End::Purged } else { &End::Kept }),
        }
    }

    fn timer_fired(&mut self, Due { at, timer, token }: Due) {
        let (world, effects) = (&mut self.world, &mut self.effects);
        match timer {
            Timer::Host(key) => self.host_due(at, &key, token),
            Timer::Claim(key) => self.claim_due(&key, token),
            Timer::Alternative(key) => {
                let is_quiet = self.alternatives.alternative_due(&key, token, world, effects);
                if let Some(claimant) = self.alternatives.standby(&key, &self.claims).filter(|_| is_quiet) {
                    self.contest(claimant, Stake::Standby);
                }
            }
            Timer::Trial => self.trial_due(token),
            Timer::Confirmation(segment, address) => self.confirmation_due(segment, address, token),
            Timer::Search(key) => {
                self.searches.search_due(key, token, &world.topology, &mut world.pacing, effects);
            }
            Timer::Packets(key) => self.packets.packets_due(&key, token, world, effects),
            Timer::Announce(key) => self.announcements.announcement_due(key, token, world, effects),
            Timer::Traces if self.traces.is_due(token) => self.follow_traces(),
            Timer::Traces => {}
            Timer::Movers(segment) => self.movers.movers_due(segment, token, world, effects),
            Timer::AnnounceOwn(segment, address) => {
                self.announcements.own_announcement_due(segment, address, token, world, effects);
            }
            Timer::AnnounceAll(segment) => {
                self.announcements.announce_all_due(segment, token, world, effects);
            }
            Timer::Retry(key) => world.retry_due(&key, token),
            Timer::Published(segment, address) => world.published_due(segment, address, token, effects),
            Timer::Bridge(pair) => world.bridge_due(pair, token, effects),
            Timer::Fabric => mobility::moves_due(self, token),
            Timer::Conflicts => world.kernel.check_conflicts(token, effects),
            Timer::Prefixes => {
                for id in renumbering::expire_prefixes(world, token, effects) {
                    world.look_again(id, effects);
                }
            }
            Timer::Leases => leasing::leases_due(world, token, effects),
            Timer::LeaseCheck(key) => leasing::check_due(self, &key, token),
            Timer::Beat(domain) => roles::beat_due(world, domain, token, effects),
            Timer::RoleEnd(domain) => roles::role_ended(world, domain, token, effects),
            Timer::Turn(segment) => turns::turn_due(self, segment, token),
            Timer::Addressed => world.addressed.report_due(token, effects),
        }
    }

    /// What follows from everything that changed: the kernel's tables first, then answers that rest on them, then
    /// claims and announcements.
    fn settle(&mut self) {
        while !self.world.is_settled() {
            for key in self.world.reconcile_touched(&mut self.effects) {
                self.release_requesters(&key);
                self.packets.host_changed(&key, &self.world, &mut self.effects);
            }
            let pending = self.world.take_pending();
            for key in &pending.arrived {
                self.incumbent_spoke(key);
            }
            for moved in &pending.moved {
                let (world, effects) = (&mut self.world, &mut self.effects);
                self.announcements.announce_host(moved.key, world, effects);
                self.movers.host_moved(moved, &self.proxies, world, effects);
            }
            // A host is where it was not known to be: so are the others at its link-layer address, perhaps.
            for key in pending.arrived.iter().chain(pending.moved.iter().map(|moved| &moved.key)) {
                let place = self.world.hosts.live_host(key).map(|host| (host.segment, host.lladdr));
                if let Some((segment, lladdr)) = place {
                    self.station_traced(segment, lladdr);
                }
            }
            mobility::follow_moves(self, &pending.departed, &pending.came);
            for (segment, address) in pending.taken {
                self.announcements.announce_own(segment, address, &self.world, &mut self.effects);
            }
            for segment in pending.relabelled {
                self.announcements.announce_all(segment, &self.world, &mut self.effects);
            }
            if pending.is_renumbered {
                let topology = &self.world.topology;
                self.claims.close_claims_on(|address| topology.domain_of(address).is_none());
                self.searches.close_searches_for(|address| topology.domain_of(address).is_none());
            }
        }
    }

    /// The end: nothing is done any more.
    fn stop(&mut self, end: &End) {
        fast_policy::withdraw_fast_answers(&mut self.world, &mut self.effects);
        self.world.end(end, &mut self.effects);
        self.effects.drop_timers();
        self.is_stopped = true;
    }
}
