//! Capabilities of the running daemon, or those it would have if started like this process.

use arpherd_actors::io::process::{Capability, Rights};

use super::finding::Finding;
use super::scope::DaemonState;

const SERVICE: &str = "run it with configs/arpherd.service, or as root, or: setcap \
    cap_net_admin,cap_net_raw+ep $(command -v arpherd)";
const ENTERING: &str = "add CAP_SYS_ADMIN to AmbientCapabilities= and CapabilityBoundingSet= of the unit, or remove the key netns";

/// What does not work without the capability.
fn purpose(capability: Capability) -> &'static str {
    match capability {
        Capability::NetAdmin => "without it no route, neighbour entry or sysctl can be written",
        Capability::NetRaw => "without it no packet socket can be opened, so no ARP is received or answered",
        Capability::SysAdmin => {
            "without it no segment in another network namespace (key netns) can be served"
        }
    }
}

/// `own`: the capabilities of this process. `entering`: some segment is in another network namespace.
pub(super) fn check(daemon: &DaemonState, own: &Result<Rights, String>, entering: bool) -> Vec<Finding> {
    let mut needed = vec![Capability::NetAdmin, Capability::NetRaw];
    needed.extend(entering.then_some(Capability::SysAdmin));
    let missing = |rights: Rights| needed.iter().copied().filter(move |it| !rights.has(*it));
    let fix = |capability| if capability == Capability::SysAdmin { ENTERING } else { SERVICE };
    match (daemon, own) {
        (DaemonState::Running(running), _) => match running.process {
            Some((pid, rights)) => missing(rights)
                .map(|right| {
                    Finding::error(
                        format!("process {pid}"),
                        format!("the running daemon lacks {}", right.as_str()),
                    )
                    .why(purpose(right))
                    .fix(fix(right))
                })
                .collect(),
            None => vec![Finding::info("daemon", "its process and capabilities cannot be read")],
        },
        (_, Ok(rights)) => missing(*rights)
            .map(|right| {
                Finding::warning(
                    "this process",
                    format!("it lacks {}; arpherd started like this lacks it too", right.as_str()),
                )
                .why(purpose(right))
                .fix(fix(right))
            })
            .collect(),
        (_, Err(reason)) => {
            vec![Finding::info("this process", format!("its capabilities cannot be read: {reason}"))]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Severity;
    use super::super::scope::SysctlOwner;
    use super::super::testing::{process, running_scope, scope};
    use super::*;

    fn checked(daemon: &DaemonState, rights: Rights, entering: bool) -> Vec<Severity> {
        check(daemon, &Ok(rights), entering).iter().map(|finding| finding.severity).collect()
    }

    #[test]
    fn capabilities_that_a_start_would_lack_are_a_warning() {
        let absent = scope(SysctlOwner::Daemon).daemon;
        assert_eq!(checked(&absent, process().rights.expect("known"), true), []);
        assert_eq!(checked(&absent, Rights::NONE, false), [Severity::Warning; 2]);
        assert_eq!(checked(&absent, Rights::NONE, true), [Severity::Warning; 3]);
        assert_eq!(check(&absent, &Err("no /proc".into()), false)[0].severity, Severity::Info);
    }

    #[test]
    fn of_a_running_daemon_its_own_capabilities_count() {
        let mut daemon = running_scope(SysctlOwner::Daemon).daemon;
        assert_eq!(checked(&daemon, Rights::NONE, false), []);
        for (process, expected) in
            [(Some((7, Rights::NONE)), &[Severity::Error; 2][..]), (None, &[Severity::Info])]
        {
            let DaemonState::Running(running) = &mut daemon else { panic!("it runs") };
            running.process = process;
            assert_eq!(checked(&daemon, Rights::NONE, false), expected);
        }
    }
}
