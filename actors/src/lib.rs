//! The actors of arpherd: thin shells around [`arpherd_core`], and the access to the kernel ([`io`]).
//!
//! ```text
//!   front thread: the packet path        │   back thread
//!                                        │
//!   received frames                      │    rtnetlink, sysctl writes
//!         │                              │         │
//!         ▼                              │         ▼
//!   ┌──────────────┐      LinkUpdate     │   ┌─────────────┐── LinkUpdate ─► SweepActor
//!   │ CaptureActor │◄────────────────────────│    Watch    │── WifiLink ───► WifiMonitor
//!   └──────────────┘                     │   └─────────────┘
//!         │ Observed, SendPort           │      │     ▲
//!         ▼          Observed, TableRead │      │     │
//!   ┌──────────────┐◄───────────────────────────┘     │
//!   │              │──────────── ReadTable ───────────┘
//!   │              │      Observed       │   ┌─────────────┐
//!   │              │◄────────────────────────│ WifiMonitor │◄── nl80211
//!   │  RouteOwner  │──── ReadStations ──────►└─────────────┘
//!   │              │   GetSweepContext   │   ┌─────────────┐
//!   │              │◄────────────────────────│ SweepActor  │──► sent frames (probes)
//!   │              │── SetSweep, HostsSeen ─►└─────────────┘
//!   │              │                     │   ┌─────────────┐
//!   │              │── SettlePackets ───────►│ CoverActor  │──► packets sent on
//!   │              │◄───── Observed ─────────└─────────────┘
//!   │              │                     │   ┌─────────────┐
//!   │              │◄───── Observed ─────────│  DhcpActor  │──► messages to servers and clients
//!   │              │                     │   └─────────────┘
//!   │              │                     │   ┌─────────────┐
//!   │              │──── KeepLease ─────────►│ LeaseKeeper │──► file
//!   │              │                     │   └─────────────┘
//!   │              │                     │   ┌─────────────┐
//!   │              │──── RecordFacts ───────►│  Recorder   │──► file
//!   └──────────────┘                     │   └─────────────┘
//!      │  │  └──► events (EventSink)      │
//!      │  └─────► sent frames             │
//!      └────────► routes, neighbour entries
//! ```
//!
//! | actor | count | owns |
//! |---|---|---|
//! | [`capture::CaptureActor`] | one for each segment | the link's packet socket and its filter |
//! | [`owner::RouteOwner`] | one | the ledger, every write of a route or neighbour entry, the ports that send |
//! | [`sweep::SweepActor`] | one for each swept segment | the plan and pace of its sweeps, a socket that only sends |
//! | [`watch::Watch`] | one | the rtnetlink monitor, the managed kernel settings |
//! | [`wifi::WifiMonitor`] | one, if the kernel has generic netlink | the sockets to nl80211 |
//! | [`cover::CoverActor`] | one, if a domain has `cover: search` | the covering device and the packets held there |
//! | [`dhcp::DhcpActor`] | one, if a domain has `dhcp` | the relay, the sockets of DHCP on links and towards servers |
//! | [`lease_keeper::LeaseKeeper`] | one, unless nothing is kept from run to run | the file of leases |
//! | [`recorder::Recorder`] | one, if facts are recorded | the file of facts |
//!
//! The route owner writes to the kernel's tables itself while the kernel lets it; where a write would wait for the kernel's network
//! lock, a thread of its own does (`table_writer`). Packet sockets are closed by threads of their own, too.
//!
//! [`supervisor::Instance`] starts them, waits until all are ready, has them go on with another plan, and stops them. There is one instance for each
//! network namespace that is served. Facts about a segment's link go through its capture actor, so the route owner
//! never uses a link before its socket is open.

pub mod capture;
pub mod clock;
pub mod counters;
pub mod cover;
pub mod dhcp;
pub mod dispatch;
mod eligibility;
mod fast_batch;
pub mod fast_path;
pub mod io;
mod known_links;
mod latency;
pub mod lease_keeper;
pub mod liveness;
pub mod messages;
pub mod owner;
pub mod peer;
pub mod port;
pub mod recorder;
pub mod required_sysctls;
pub mod supervisor;
pub mod sweep;
mod sysctl_manager;
mod table_writer;
mod vrf;
pub mod watch;
pub mod wifi;
