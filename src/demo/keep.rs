//! The last step with `--keep`: the network stays, and how to look into it from outside.

use std::env;
use std::fs;
use std::os::fd::AsRawFd;
use std::path::Path;
use std::process;
use std::time::Duration;

use arpherd_lab::{LabError, Netns};

use super::Stage;
use super::discovery::Running;
use super::lab::{Lab, PROTOCOL};
use super::show::WIDTH;
use super::stop::{Done, wrong};

/// Between two checks that the daemon still runs.
const CHECK_INTERVAL: Duration = Duration::from_millis(500);

/// How the process entered the lab, which other programs have to repeat.
pub(crate) struct Entry {
    /// Through a user namespace, as an ordinary user.
    through_user: bool,
}

impl Entry {
    /// Enters the lab.
    ///
    /// # Errors
    /// When the kernel refuses, with advice.
    pub(crate) fn into_lab() -> Result<Self, LabError> {
        let user = || fs::read_link("/proc/self/ns/user").ok();
        let before = user();
        arpherd_lab::enter()?;
        Ok(Self { through_user: user() != before })
    }
}

/// Says how to look into the network and waits until the user has seen enough.
pub(crate) fn keep(
    stage: &mut Stage,
    lab: &Lab,
    running: &mut Running,
    entry: &Entry,
    binary: &Path,
) -> Done {
    stage.show.step("The network stays")?;
    stage.show.say("Look into it from another terminal, as the same user:")?;
    for (title, command) in commands(lab, running, entry, binary)? {
        stage.show.plain(&format!("\n     {title}:\n{}", folded(&command)))?;
    }
    stage.show.plain("\nIt ends with q and Enter, with Ctrl-C, or when standard input ends.")?;
    stage.interrupts.listen_to_keyboard()?;
    loop {
        stage.interrupts.pause(CHECK_INTERVAL)?;
        if !running.daemon.is_running() {
            return wrong("the daemon runs until it is told to stop", "it has ended");
        }
    }
}

/// What to look at, and the words of each command.
fn commands(
    lab: &Lab,
    running: &Running,
    entry: &Entry,
    binary: &Path,
) -> Result<Vec<(String, Vec<String>)>, LabError> {
    let mut commands = Vec::new();
    let client = near(binary);
    let control = running.daemon.control_path().display().to_string();
    for (title, command) in [
        ("the hosts arpherd knows (add --json for programs)", "hosts"),
        ("the routes it keeps", "routes"),
        ("its segments, and what it read and answered there", "segments"),
    ] {
        let words = [quoted(&client), command.to_owned(), format!("--control={}", quoted(&control))];
        commands.push((title.to_owned(), words.to_vec()));
    }
    let inside = |title: &str, place: &str, what: &str| {
        let user = format!("-t {} -U --preserve-credentials ", process::id());
        let words = format!("nsenter {}{place} {what}", if entry.through_user { &user } else { "" });
        (title.to_owned(), words.split_whitespace().map(str::to_owned).collect())
    };
    // No process lives with a host; its namespace is one of our open files.
    let place_of = |ns: &Netns| format!("--net=/proc/{}/fd/{}", process::id(), ns.fd().as_raw_fd());
    let (routes, table) = if installed("ip") {
        (format!("ip route show proto {PROTOCOL}"), "ip neigh")
    } else {
        ("cat /proc/net/route".to_owned(), "cat /proc/net/arp")
    };
    commands.push(inside("the kernel's routes on gw", &place_of(&lab.gw), &routes));
    let (pc1, vm1, vm3) = (lab.member("pc1")?, lab.member("vm1")?, lab.member("vm3")?);
    commands.push(inside("the neighbour table of pc1", &place_of(&pc1.host.ns), table));
    commands.push(inside("the neighbour table of vm1", &place_of(&vm1.host.ns), table));
    if installed("ping") {
        let ping = format!("ping -c 3 {}", vm3.ip());
        commands.push(inside("pc1 pings vm3", &place_of(&pc1.host.ns), &ping));
    }
    if installed("tcpdump") {
        commands.push(inside("ARP on lan, as gw sees it", &place_of(&lab.gw), "tcpdump -nei lan arp"));
    }
    Ok(commands)
}

/// The program's path, from here if it is below.
fn near(binary: &Path) -> String {
    let here = env::current_dir().ok();
    let below = here.and_then(|here| binary.strip_prefix(here).ok());
    match below {
        // A single word would be searched for in PATH.
        Some(path) if path.components().count() == 1 => format!("./{}", path.display()),
        Some(path) => path.display().to_string(),
        None => binary.display().to_string(),
    }
}

/// Whether a program is in `PATH`; the demo itself needs none.
fn installed(program: &str) -> bool {
    env::var_os("PATH").is_some_and(|path| env::split_paths(&path).any(|dir| dir.join(program).is_file()))
}

/// A word as a shell reads it back.
fn quoted(word: &str) -> String {
    let harmless = |c: char| c.is_ascii_alphanumeric() || "/._-+=:,@%".contains(c);
    if !word.is_empty() && word.chars().all(harmless) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// A command on as many lines as it needs, good to be copied as a whole.
fn folded(words: &[String]) -> String {
    let (mut text, mut column) = (String::new(), 0);
    for word in words {
        let long = word.chars().count();
        // Room for the blank and the backslash.
        if column > 0 && column + 1 + long + 2 > WIDTH {
            text.push_str(" \\\n    ");
            column = 4;
        } else if column > 0 {
            text.push(' ');
            column += 1;
        }
        text.push_str(word);
        column += long;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_folded_so_that_a_shell_reads_them_as_one() {
        let words: Vec<String> = (0..30).map(|number| format!("word{number}")).collect();
        let text = folded(&words);
        assert!(text.lines().all(|line| line.len() <= WIDTH), "{text}");
        assert!(text.lines().count() > 1);
        assert_eq!(text.replace("\\\n", "").split_whitespace().collect::<Vec<_>>(), words);
        assert_eq!(folded(&words[..2]), "word0 word1");
    }

    #[test]
    fn words_survive_a_shell() {
        assert_eq!(quoted("/tmp/arpherd-lab-a1/control.sock"), "/tmp/arpherd-lab-a1/control.sock");
        assert_eq!(quoted("a b"), "'a b'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
    }
}
