//! The kernel's version and features.

use super::finding::Finding;
use super::machine::KernelBuild;

/// The first kernel with `NETLINK_GET_STRICT_CHK` and `NTF_EXT_LEARNED` entries that do not count.
const OLDEST: (u32, u32) = (5, 0);

pub(super) fn check(kernel: &KernelBuild) -> Vec<Finding> {
    let mut findings = Vec::new();
    match version(&kernel.release) {
        Some(version) if version < OLDEST => findings.push(
            Finding::error("kernel", format!("Linux {}", kernel.release))
                .why(
                    "before 5.0 the kernel does not filter netlink dumps (NETLINK_GET_STRICT_CHK), and counts \
                        arpherd's neighbour entries against gc_thresh",
                )
                .fix("use Linux 5.0 or later"),
        ),
        Some(_) => {}
        None => findings
            .push(Finding::info("kernel", format!("the version cannot be parsed from {:?}", kernel.release))),
    }
    if !kernel.packet_sockets {
        findings.push(
            Finding::error("kernel", "no packet sockets")
                .why("arpherd receives and sends ARP through them")
                .fix("modprobe af_packet, or use a kernel with CONFIG_PACKET"),
        );
    }
    findings
}

/// The first two numbers of a release such as `6.1.0-18-amd64`.
pub(super) fn version(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|character: char| !character.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::super::finding::Severity;
    use super::super::testing::process;
    use super::*;

    fn checked(change: impl FnOnce(&mut KernelBuild)) -> Vec<Severity> {
        let mut kernel = process().kernel;
        change(&mut kernel);
        check(&kernel).iter().map(|finding| finding.severity).collect()
    }

    #[test]
    fn old_kernels_and_missing_features_are_reported() {
        assert_eq!(checked(|_| {}), []);
        assert_eq!(checked(|kernel| kernel.release = "4.19.0-27-amd64".into()), [Severity::Error]);
        assert_eq!(checked(|kernel| kernel.release = "?".into()), [Severity::Info]);
        assert_eq!(checked(|kernel| kernel.packet_sockets = false), [Severity::Error]);
    }

    #[test]
    fn versions_are_compared_as_numbers() {
        assert_eq!(version("6.1.0-18-amd64"), Some((6, 1)));
        assert_eq!(version("10.2-rc1"), Some((10, 2)));
        assert_eq!(version("linux"), None);
    }
}
