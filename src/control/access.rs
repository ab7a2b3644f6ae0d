//! Who may do what on the control socket: who may connect may read, and fewer may command.
//!
//! The kernel decides who may connect, by the group and mode of the socket's file. Who sent a command is asked of the
//! kernel, too: the user and groups of the process when it connected.

use std::fs;
use std::io;
use std::os::fd::AsFd;

use arpherd_actors::io::process::{own_user, peer_groups, peer_user};

use crate::config::{DaemonConfig, UserGroup};

/// Where groups have their names.
const GROUPS: &str = "/etc/group";

/// The groups of the control socket.
#[derive(Debug, Clone, Default)]
pub(crate) struct Access {
    /// That of the socket's file; none: the daemon's own.
    pub(super) file: Option<Group>,
    /// Whose members may command.
    pub(super) admin: Option<Group>,
}

/// A group that there is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Group {
    pub(super) name: String,
    pub(super) number: u32,
}

/// Why a group is not known.
#[derive(Debug, thiserror::Error)]
pub(crate) enum GroupError {
    /// There is none of this name.
    #[error(
        "daemon.{key}: there is no group {name} in {GROUPS}; add it (`groupadd {name}`), or set its number"
    )]
    Unknown {
        /// The configuration's key.
        key: &'static str,
        /// The name.
        name: String,
    },
    /// The groups cannot be read.
    #[error("daemon.{key}: cannot read {GROUPS}: {source}; set the group's number")]
    Unreadable {
        /// The configuration's key.
        key: &'static str,
        /// Its error.
        source: io::Error,
    },
}

impl Access {
    /// As the configuration has it.
    ///
    /// # Errors
    /// If it names a group that there is not.
    pub(crate) fn new(daemon: &DaemonConfig) -> Result<Self, GroupError> {
        let read = find("read_group", &daemon.read_group)?;
        let admin = find("admin_group", &daemon.admin_group)?;
        Ok(Self { file: read.or_else(|| admin.clone()), admin })
    }

    /// Whether the process at the other end may command: that of root, of the daemon's own user, or of a member of the
    /// admin group.
    pub(super) fn may_command(&self, client: &impl AsFd) -> bool {
        let is_user = peer_user(client).is_ok_and(|user| user == 0 || user == own_user());
        let is_member =
            |group: &Group| peer_groups(client).is_ok_and(|groups| groups.contains(&group.number));
        is_user || self.admin.as_ref().is_some_and(is_member)
    }

    /// What one who may not is told.
    pub(super) fn who_may_command(&self) -> String {
        match &self.admin {
            Some(Group { name, .. }) => format!(
                "only root, the user that the daemon runs as, and members of the group {name} may do this; use sudo, or \
                 join the group (`usermod -aG {name} USER`) and log in again"
            ),
            None => "only root and the user that the daemon runs as may do this; use sudo, or set daemon.admin_group \
                     to a group of yours and restart the daemon"
                .to_owned(),
        }
    }
}

fn find(key: &'static str, group: &UserGroup) -> Result<Option<Group>, GroupError> {
    match group {
        UserGroup::None => Ok(None),
        UserGroup::Number(number) => Ok(Some(Group { name: number.to_string(), number: *number })),
        UserGroup::Name(name) => {
            let groups =
                fs::read_to_string(GROUPS).map_err(|source| GroupError::Unreadable { key, source })?;
            let number = number_of(&groups, name);
            let unknown = || GroupError::Unknown { key, name: name.clone() };
            Ok(Some(Group { name: name.clone(), number: number.ok_or_else(unknown)? }))
        }
    }
}

/// The entries of group(5): names and numbers.
fn entries(groups: &str) -> impl Iterator<Item = (&str, u32)> {
    groups.lines().filter_map(|line| {
        let mut fields = line.split(':');
        let (name, _password) = (fields.next()?, fields.next()?);
        Some((name, fields.next()?.parse().ok()?))
    })
}

fn number_of(groups: &str, name: &str) -> Option<u32> {
    entries(groups).find(|(its, _)| *its == name).map(|(_, number)| number)
}

/// The name of a group, or its number where it has none.
pub(super) fn group_name(number: u32) -> String {
    let groups = fs::read_to_string(GROUPS).unwrap_or_default();
    let name = entries(&groups).find(|(_, its)| *its == number).map(|(name, _)| name.to_owned());
    name.unwrap_or_else(|| number.to_string())
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn groups_are_found_by_name() {
        let groups = "root:x:0:\nbroken\nnetops:x:4242:ada,bob\nnot:a:number:\n";
        assert_eq!((number_of(groups, "netops"), number_of(groups, "net")), (Some(4242), None));
        assert_eq!(number_of(groups, "not"), None);
        let daemon =
            DaemonConfig { read_group: UserGroup::Name("no-such-group".into()), ..DaemonConfig::default() };
        let error = Access::new(&daemon).expect_err("there is none").to_string();
        assert!(error.contains("daemon.read_group") && error.contains("groupadd no-such-group"), "{error}");
    }

    #[test]
    fn the_file_is_for_readers_or_else_for_those_who_command() {
        let access = |read, admin| {
            let daemon = DaemonConfig { read_group: read, admin_group: admin, ..DaemonConfig::default() };
            let access = Access::new(&daemon).expect("numbers need no look");
            (access.file.map(|it| it.number), access.admin.map(|it| it.number))
        };
        let group = UserGroup::Number;
        assert_eq!(access(UserGroup::None, UserGroup::None), (None, None));
        assert_eq!(access(group(1), UserGroup::None), (Some(1), None));
        assert_eq!(access(UserGroup::None, group(2)), (Some(2), Some(2)));
        assert_eq!(access(group(1), group(2)), (Some(1), Some(2)));
    }

    #[test]
    fn the_daemons_own_user_may_command() {
        let (near, _far) = UnixStream::pair().expect("a pair of sockets");
        assert!(Access::default().may_command(&near));
    }
}
