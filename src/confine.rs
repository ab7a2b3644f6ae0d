//! What the daemon gives up at its start: capabilities, and access to files. What it keeps follows from its
//! configuration; docs/security.md has it as a table.

mod places;

use std::io;
use std::path::{Path, PathBuf};

use arpherd_actors::io::capabilities::{keep_only, may_make_files_in, may_read, without_rights_over_files};
use arpherd_actors::io::file_access::{Enforcement, FileAccess, Restriction};
use arpherd_actors::io::process::{Capability, Rights};
use arpherd_core::view::ConfinementView;
use slog::{Logger, info, warn};

use crate::config::{Config, Confine, HttpListen};
use places::{file_access, files_of};

/// What to do about a reload that is refused.
const RESTART: &str = "restart it (docs/security.md)";

/// The files that the daemon is started with, beside its configuration's sockets.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StartFiles<'a> {
    /// The control socket, beside which it saves settings and hosts.
    pub(crate) control: &'a Path,
    /// The configuration's file or folder, if there is one.
    pub(crate) config: Option<&'a Path>,
    /// The recording.
    pub(crate) record: Option<&'a Path>,
}

/// What the daemon has given up.
#[derive(Debug)]
pub(crate) struct Confinement {
    capabilities: Capabilities,
    files: Files,
}

#[derive(Debug)]
enum Capabilities {
    /// All but these.
    Kept(Vec<Capability>),
    Failed(io::Error),
    Off,
}

#[derive(Debug)]
enum Files {
    /// Access to all but these places, as far as the kernel can.
    Restricted(FileAccess, Restriction),
    Failed(String),
    Off,
}

impl Confinement {
    /// Nothing is given up.
    pub(crate) fn off() -> Self {
        Self { capabilities: Capabilities::Off, files: Files::Off }
    }

    /// Gives up what a daemon of this configuration does not need, for the calling thread and those that it starts.
    /// Sockets must be there, because their groups, ports and folders can take what is given up.
    pub(crate) fn apply(config: &Config, files: StartFiles<'_>) -> Self {
        if config.daemon.confine == Confine::Off {
            return Self::off();
        }
        let access = file_access(config, files);
        let wanted = needed(config, files, &access);
        // Landlock first: without CAP_SYS_ADMIN it takes no_new_privs, which both set.
        let files = match access.restrict() {
            Ok(restriction) => Files::Restricted(access, restriction),
            Err(error) => Files::Failed(error.to_string()),
        };
        let capabilities = keep_only(&wanted).map_or_else(Capabilities::Failed, Capabilities::Kept);
        Self { capabilities, files }
    }

    /// Logs what was given up and what was not.
    pub(crate) fn log(&self, log: &Logger) {
        let hint = "see docs/security.md";
        if let (Capabilities::Off, Files::Off) = (&self.capabilities, &self.files) {
            info!(log, "not_confined"; "reason" => "daemon.confine is off", "hint" => hint);
            return;
        }
        match &self.capabilities {
            Capabilities::Failed(error) => warn!(log, "not_confined"; "reason" =>
                %format_args!("capabilities cannot be given up: {error}"), "hint" => hint),
            Capabilities::Kept(_) | Capabilities::Off => {}
        }
        let reason = match &self.files {
            Files::Restricted(
                access,
                Restriction { enforcement: Enforcement::Full | Enforcement::Partial, .. },
            ) => {
                info!(log, "confined"; "capabilities" => self.view().capabilities.join(" "),
                    "writes" => shown(&access.make), "files" => self.files.keyword());
                return;
            }
            Files::Restricted(_, Restriction { enforcement: Enforcement::NotStarted, .. }) => {
                "the kernel was started without Landlock (lsm=…,landlock on its command line adds it)"
            }
            Files::Restricted(..) => {
                "the kernel has no Landlock (Linux 5.13 with CONFIG_SECURITY_LANDLOCK has it), or a filter of system \
                 calls keeps it from the daemon (its unit permits it; podman and docker do)"
            }
            Files::Failed(error) => {
                warn!(log, "not_confined"; "reason" => %format_args!("access to files cannot be given up: {error}"),
                    "capabilities" => self.view().capabilities.join(" "), "hint" => hint);
                return;
            }
            Files::Off => return,
        };
        info!(log, "not_confined"; "reason" => reason, "capabilities" => self.view().capabilities.join(" "),
            "detail" => "capabilities are given up all the same; files are as the daemon's user may use them");
    }

    /// What `arpherd status` shows of it.
    pub(crate) fn view(&self) -> ConfinementView {
        let has = Rights::own().map(Rights::names).unwrap_or_default();
        ConfinementView {
            capabilities: has.into_iter().map(Into::into).collect(),
            files: self.files.keyword().into(),
        }
    }

    /// Why this configuration cannot be taken up by a daemon that runs with the one of before; none if it can.
    pub(crate) fn needs_restart(&self, next: &Config) -> Option<String> {
        let enters = next.segments().any(|segment| segment.netns.is_some());
        if enters && self.gave_up(Capability::SysAdmin) {
            return Some(format!(
                "a segment with `netns` needs CAP_SYS_ADMIN, which the daemon gave up when it started: {RESTART}"
            ));
        }
        if next.relays_dhcp() && self.gave_up(Capability::NetBindService) {
            return Some(format!(
                "a domain whose DHCP is relayed needs CAP_NET_BIND_SERVICE, which the daemon gave up when it started: \
                 {RESTART}"
            ));
        }
        let HttpListen::Unix(path) = &next.daemon.http else { return None };
        let (folder, makes) = (places::folder_of(path), &self.restricted()?.make);
        (!is_below(&folder, makes)).then(|| {
            let (folder, makes) = (folder.display(), shown(makes));
            format!(
                "daemon.http needs a file in {folder}, and since its start the daemon makes files only below {makes}: \
                 {RESTART}"
            )
        })
    }

    /// Why the configuration cannot be read any more, if that is because of what was given up.
    pub(crate) fn why_unreadable(&self, config: &Path) -> Option<String> {
        let files = files_of(config);
        let is_outside = |file: &&PathBuf| {
            self.restricted().is_some_and(|access| {
                ![&access.read, &access.write, &access.make].into_iter().any(|places| is_below(file, places))
            })
        };
        if let Some(file) = files.iter().find(is_outside) {
            return Some(format!(
                "{} is not in the folder that the configuration was in, and since its start the daemon reads no other: \
                 {RESTART}",
                file.display()
            ));
        }
        // Whether a file exists in a folder that is not its user's, it cannot even see.
        let is_others = |file: &&Path| file.try_exists().unwrap_or(true) && !may_read(file);
        let mut places = std::iter::once(config).chain(files.iter().map(PathBuf::as_path));
        let file = places.find(is_others).filter(|_| self.gave_up(Capability::DacReadSearch))?;
        Some(format!(
            "{} may not be read by the daemon's user, and the daemon gave up the right to read it all the same when it \
             started: let its user read it, or {RESTART}",
            file.display()
        ))
    }

    /// What to add to an error that the kernel's refusal is.
    pub(crate) fn hint_of_refusal(&self) -> &'static str {
        match self.capabilities {
            Capabilities::Kept(_) => "; the daemon gave up CAP_NET_BIND_SERVICE when it started: restart it",
            Capabilities::Failed(_) | Capabilities::Off => "",
        }
    }

    fn gave_up(&self, capability: Capability) -> bool {
        matches!(&self.capabilities, Capabilities::Kept(kept) if !kept.contains(&capability))
    }

    fn restricted(&self) -> Option<&FileAccess> {
        match &self.files {
            Files::Restricted(access, restriction) => restriction.is_enforced().then_some(access),
            Files::Failed(_) | Files::Off => None,
        }
    }
}

impl Files {
    fn keyword(&self) -> &'static str {
        match self {
            Self::Restricted(_, restriction) => match restriction.enforcement {
                Enforcement::Full => "enforced",
                Enforcement::Partial => "partial",
                Enforcement::NotBuilt | Enforcement::NotStarted => "unsupported",
            },
            Self::Failed(_) => "failed",
            Self::Off => "off",
        }
    }
}

fn is_below(path: &Path, places: &[PathBuf]) -> bool {
    places.iter().any(|place| path.starts_with(place))
}

fn shown(places: &[PathBuf]) -> String {
    let places: Vec<_> = places.iter().map(|place| place.display().to_string()).collect();
    places.join(", ")
}

/// The capabilities that it goes on with.
fn needed(config: &Config, files: StartFiles<'_>, access: &FileAccess) -> Vec<Capability> {
    let mut needed = vec![Capability::NetAdmin, Capability::NetRaw];
    if config.segments().any(|segment| segment.netns.is_some()) {
        needed.push(Capability::SysAdmin);
    }
    if config.relays_dhcp() {
        needed.push(Capability::NetBindService);
    }
    // Files of others are those of a configuration in somebody's home, say, that root reads by a capability.
    let is_own = without_rights_over_files(|| {
        let config = files
            .config
            .is_none_or(|config| may_read(config) && files_of(config).iter().all(|file| may_read(file)));
        (config, access.make.iter().all(|folder| may_make_files_in(folder)))
    });
    let (reads, makes) = is_own.unwrap_or((true, true));
    if !makes {
        needed.push(Capability::DacOverride);
    }
    if !reads {
        needed.push(Capability::DacReadSearch);
    }
    needed
}
