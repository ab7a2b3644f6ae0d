//! `arpherd metrics`.

use std::path::PathBuf;

use clap::Args;

pub(super) const METRICS_EXAMPLES: &str = "\
They are those of /metrics (see daemon.http) but for the daemon's process. For node_exporter's textfile collector, from a
timer:
  arpherd metrics > /var/lib/prometheus/node-exporter/arpherd.prom.new &&
    mv /var/lib/prometheus/node-exporter/arpherd.prom.new /var/lib/prometheus/node-exporter/arpherd.prom";

/// `arpherd metrics`.
#[derive(Debug, Args)]
pub(crate) struct MetricsArgs {
    /// Control socket [env: ARPHERD_DAEMON__CONTROL] [default: /run/arpherd/control.sock]
    #[arg(long, value_name = "PATH")]
    pub(crate) control: Option<PathBuf>,
}
