//! The daemon's process, under the names that Prometheus' client libraries use.

use std::fmt::Error;
use std::fs;
use std::io;

use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Unit;

use super::families::single;

/// Clock ticks a second in /proc: `USER_HZ`, which is 100 on all architectures that arpherd is built for.
const TICKS: u64 = 100;

/// What /proc says of this process (proc(5)).
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct ProcessView {
    cpu_seconds: f64,
    start_time_seconds: f64,
    resident_bytes: u64,
    virtual_bytes: u64,
    threads: u64,
    open_fds: u64,
    max_fds: Option<u64>,
}

impl ProcessView {
    /// The process now.
    ///
    /// # Errors
    /// If /proc cannot be read.
    pub(crate) fn read() -> io::Result<Self> {
        let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
        let since_boot = fs::read_to_string("/proc/stat").unwrap_or_default();
        let mut view = Self::parse(
            &fs::read_to_string("/proc/self/stat")?,
            &fs::read_to_string("/proc/self/status")?,
            &limits,
            &since_boot,
        )
        .ok_or(io::ErrorKind::InvalidData)?;
        // Without the descriptor by which they are listed.
        view.open_fds = (fs::read_dir("/proc/self/fd")?.count() as u64).saturating_sub(1);
        Ok(view)
    }

    /// One of which everything is known.
    #[cfg(test)]
    pub(super) fn sample() -> Self {
        Self { max_fds: Some(1024), ..Self::default() }
    }

    fn parse(stat: &str, status: &str, limits: &str, since_boot: &str) -> Option<Self> {
        // The name in parentheses may hold anything; the third field comes after it.
        let fields: Vec<u64> = stat
            .rsplit_once(')')?
            .1
            .split_whitespace()
            .map(|field| field.parse().unwrap_or_default())
            .collect();
        let field = |number: usize| fields.get(number - 3).copied();
        let line = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
        let bytes = |name: &str| line(name)?.strip_suffix(" kB")?.parse::<u64>().ok().map(|it| it * 1024);
        let booted: u64 =
            since_boot.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()?;
        let open_files = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
        Some(Self {
            cpu_seconds: in_seconds(field(14)? + field(15)?),
            start_time_seconds: in_seconds(booted * TICKS + field(22)?),
            resident_bytes: bytes("VmRSS:")?,
            virtual_bytes: bytes("VmSize:")?,
            threads: line("Threads:")?.parse().ok()?,
            open_fds: 0,
            max_fds: open_files.and_then(|line| line.split_whitespace().next()?.parse().ok()),
        })
    }

    pub(super) fn encode(&self, encoder: &mut DescriptorEncoder<'_>) -> Result<(), Error> {
        let (bytes, seconds) = (Some(&Unit::Bytes), Some(&Unit::Seconds));
        let cpu = ConstCounter::new(self.cpu_seconds);
        single(encoder, "process_cpu", "Processor time of the daemon.", seconds, &cpu)?;
        let start = ConstGauge::new(self.start_time_seconds);
        single(encoder, "process_start_time", "When the process started, since 1970.", seconds, &start)?;
        for (name, help, unit, value) in [
            (
                "process_resident_memory",
                "Memory of the process that is resident.",
                bytes,
                self.resident_bytes,
            ),
            ("process_virtual_memory", "Address space of the process.", bytes, self.virtual_bytes),
            ("process_threads", "Threads of the process.", None, self.threads),
            ("process_open_fds", "File descriptors that are open.", None, self.open_fds),
        ] {
            single(encoder, name, help, unit, &ConstGauge::new(value))?;
        }
        let help = "File descriptors that may be open.";
        self.max_fds
            .map_or(Ok(()), |most| single(encoder, "process_max_fds", help, None, &ConstGauge::new(most)))
    }
}

#[expect(clippy::cast_precision_loss, reason = "exact up to 2^53 ticks, which are millions of years")]
fn in_seconds(ticks: u64) -> f64 {
    ticks as f64 / TICKS as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_read_whatever_its_name() {
        let stat = "7 (a) b (c) S 1 7 7 0 -1 4194304 100 0 0 0 250 50 0 0 20 0 6 0 1000 9000000 700 0";
        let status = "Name:\ta\nVmSize:\t    8788 kB\nVmRSS:\t    4300 kB\nThreads:\t6\n";
        let limits = "Limit                     Soft Limit           Hard Limit           Units\n\
                      Max open files            1024                 524288               files\n";
        let view = ProcessView::parse(stat, status, limits, "cpu 1 2\nbtime 1700000000\n").expect("valid");
        assert_eq!((view.cpu_seconds, view.start_time_seconds), (3.0, 1_700_000_010.0));
        assert_eq!((view.resident_bytes, view.virtual_bytes), (4_403_200, 8_998_912));
        assert_eq!((view.threads, view.max_fds), (6, Some(1024)));
        assert_eq!(ProcessView::parse("", "", "", ""), None);
        assert!(ProcessView::read().is_ok_and(|it| it.resident_bytes > 0 && it.open_fds > 0));
    }
}
