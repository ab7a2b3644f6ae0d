//! Capabilities of the running daemon, or those it would have if started like this process.

use arpherd_actors::io::process::{Capability, Rights};

use super::finding::Finding;
use super::scope::DaemonState;

const SERVICE: &str = "run it with configs/arpherd.service, or as root, or: setcap \
    cap_net_admin,cap_net_raw+ep $(command -v arpherd)";
const ENTERING: &str = "add CAP_SYS_ADMIN to AmbientCapabilities= and CapabilityBoundingSet= of the unit, or remove the key netns";

const BINDING: &str = "add CAP_NET_BIND_SERVICE to AmbientCapabilities= and CapabilityBoundingSet= of the unit, as \
    configs/arpherd.service has it, and restart arpherd: what it gave up at its start, a reload does not bring back";

/// What does not work without the capability.
fn purpose(capability: Capability) -> &'static str {
    match capability {
        Capability::NetAdmin => "without it no route, neighbour entry or sysctl can be written",
        Capability::NetRaw => "without it no packet socket can be opened, so no ARP is received or answered",
        Capability::Bpf => "without it no program can be loaded that answers inside the kernel",
        Capability::NetBindService => {
            "without it port 67 cannot be bound, and DHCP servers are told that nobody is there"
        }
        Capability::SysAdmin => {
            "without it no segment in another network namespace (key netns) can be served"
        }
        Capability::DacReadSearch | Capability::DacOverride => {
            "without it files of other users cannot be used"
        }
    }
}

/// Without what this configuration needs beyond what every one does.
fn extra(rights: Rights, needs: Needs) -> Rights {
    if needs.relaying { rights.without(Rights::BINDING) } else { rights }
}

/// What the running daemon may do beyond what every one needs.
fn confinement(pid: u32, rights: Rights, files: Option<&str>) -> Option<Finding> {
    let more = rights.without(Rights::NEEDED).names();
    // Root's are all that there are.
    let more = if more.len() > 8 { format!("{} more capabilities", more.len()) } else { more.join(" ") };
    let files = match files {
        Some("enforced" | "partial") => "",
        Some("unsupported") => "all files of its user, as this kernel has no Landlock",
        Some("off") => "all files of its user, as daemon.confine is off",
        _ => "all files of its user",
    };
    let parts: Vec<_> = [more.as_str(), files].into_iter().filter(|part| !part.is_empty()).collect();
    let found =
        format!("beside CAP_NET_ADMIN and CAP_NET_RAW the running daemon has {}", parts.join(", and "));
    (!parts.is_empty()).then(|| {
        Finding::info(format!("process {pid}"), found)
            .why("what it cannot do, nobody can do who gets the better of it")
            .fix("docs/security.md says what each is for; daemon.confine: on gives up the rest")
    })
}

/// What a configuration has that needs more than every daemon does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Needs {
    /// Some segment is in another network namespace.
    pub(super) entering: bool,
    /// Some domain's DHCP is relayed.
    pub(super) relaying: bool,
}

/// `own`: the capabilities of this process.
pub(super) fn check(daemon: &DaemonState, own: &Result<Rights, String>, needs: Needs) -> Vec<Finding> {
    let mut needed = vec![Capability::NetAdmin, Capability::NetRaw];
    needed.extend(needs.entering.then_some(Capability::SysAdmin));
    needed.extend(needs.relaying.then_some(Capability::NetBindService));
    let missing = |rights: Rights| needed.iter().copied().filter(move |it| !rights.has(*it));
    let fix = |capability| match capability {
        Capability::SysAdmin => ENTERING,
        Capability::NetBindService => BINDING,
        _ => SERVICE,
    };
    match (daemon, own) {
        (DaemonState::Running(running), _) => match running.process {
            Some((pid, rights)) => {
                let lacks = |right: Capability| {
                    Finding::error(
                        format!("process {pid}"),
                        format!("the running daemon lacks {}", right.as_str()),
                    )
                    .why(purpose(right))
                    .fix(fix(right))
                };
                missing(rights)
                    .map(lacks)
                    .chain(confinement(pid, extra(rights, needs), running.files.as_deref()))
                    .collect()
            }
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
        check(daemon, &Ok(rights), Needs { entering, relaying: false })
            .iter()
            .map(|finding| finding.severity)
            .collect()
    }

    #[test]
    fn capabilities_that_a_start_would_lack_are_a_warning() {
        let absent = scope(SysctlOwner::Daemon).daemon;
        assert_eq!(checked(&absent, process().rights.expect("known"), true), []);
        assert_eq!(checked(&absent, Rights::NONE, false), [Severity::Warning; 2]);
        assert_eq!(checked(&absent, Rights::NONE, true), [Severity::Warning; 3]);
        assert_eq!(check(&absent, &Err("no /proc".into()), Needs::default())[0].severity, Severity::Info);
    }

    #[test]
    fn a_relay_needs_to_bind_a_port_of_the_system() {
        let absent = scope(SysctlOwner::Daemon).daemon;
        let needs = Needs { relaying: true, entering: false };
        let findings = check(&absent, &Ok(Rights::NEEDED), needs);
        let [finding] = findings.as_slice() else { panic!("{findings:?}") };
        assert!(finding.found.contains("it lacks CAP_NET_BIND_SERVICE"), "{finding:?}");
        assert_eq!(check(&absent, &Ok(Rights::ALL), needs), []);
        let daemon = running_scope(SysctlOwner::Daemon).daemon;
        assert_eq!(check(&daemon, &Ok(Rights::NONE), needs)[0].severity, Severity::Error);
    }

    #[test]
    fn of_a_running_daemon_its_own_capabilities_count() {
        let mut daemon = running_scope(SysctlOwner::Daemon).daemon;
        assert_eq!(checked(&daemon, Rights::NONE, false), []);
        for (rights, files, words) in [
            (Rights::ALL, "enforced", "more capabilities"),
            (Rights::NEEDED, "unsupported", "no Landlock"),
            (Rights::NEEDED, "off", "daemon.confine is off"),
        ] {
            let DaemonState::Running(running) = &mut daemon else { panic!("it runs") };
            (running.process, running.files) = (Some((7, rights)), Some(files.to_owned()));
            let findings = check(&daemon, &Ok(Rights::NONE), Needs::default());
            assert_eq!(findings.len(), 1, "{findings:?}");
            assert!(
                findings[0].severity == Severity::Info && findings[0].found.contains(words),
                "{findings:?}"
            );
        }
        let DaemonState::Running(running) = &mut daemon else { panic!("it runs") };
        running.files = Some("enforced".to_owned());
        for (process, expected) in
            [(Some((7, Rights::NONE)), &[Severity::Error; 2][..]), (None, &[Severity::Info])]
        {
            let DaemonState::Running(running) = &mut daemon else { panic!("it runs") };
            running.process = process;
            assert_eq!(checked(&daemon, Rights::NONE, false), expected);
        }
    }
}
