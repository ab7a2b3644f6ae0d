//! Whether so many hosts as a segment may have can be asked in time whether they still live.

use arpherd_core::plan::{Limits, SegmentPlan};

use crate::config::duration::show;
use crate::config::path::KeyPath;
use crate::config::reader::ConfigReader;

/// Silent hosts are few among those that are allowed: so many times as many as can be asked are no matter.
const MUCH: u64 = 4;

/// Warns where the configured limit allows many more hosts than can be asked within the quiet time. The default limit is
/// one of memory, and says nothing of how many are expected.
pub(super) fn check(reader: &mut ConfigReader<'_>, path: &KeyPath, plan: &SegmentPlan) {
    let hosts = allowed(plan);
    let in_time = plan.verified_in_time();
    if plan.limits.hosts == Limits::default().hosts || hosts <= in_time.saturating_mul(MUCH) {
        return;
    }
    let (rate, quiet) = plan.needs_for(hosts);
    let text = format!(
        "{hosts} hosts are allowed, but {in_time} silent ones can be asked within expiry.quiet ({}) whether they live, at {} a \
         second: of more, dead ones keep their routes for longer. sweep.rate {rate} or expiry.quiet {quiet}s would do for \
         all of them",
        show(plan.expiry.quiet),
        plan.questions_per_second(),
    );
    reader.warning(&path.key("limits").key("hosts"), text);
}

/// Hosts that there can be: no more than addresses, where these are known.
fn allowed(plan: &SegmentPlan) -> u64 {
    let limit = u64::from(plan.limits.hosts);
    let prefixes = &plan.addresses.prefixes;
    let addresses: u64 = prefixes.iter().map(|prefix| u64::from(prefix.size())).sum();
    if prefixes.is_empty() { limit } else { limit.min(addresses) }
}
