//! The configuration of a keepalived of this machine, as far as it matters here.

use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use ipnetwork::Ipv4Network;

/// Where packages put it.
const DEFAULT: &str = "/etc/keepalived/keepalived.conf";
/// Its name in /proc.
const PROGRAM: &str = "keepalived";

/// What matters of it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct KeepalivedConfig {
    /// Where it was read.
    pub(crate) file: PathBuf,
    /// `vrrp_strict` of `global_defs`.
    pub(crate) is_strict: bool,
    /// Its VRRP instances.
    pub(crate) instances: Vec<VrrpInstance>,
}

/// A VRRP instance.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct VrrpInstance {
    /// Its name.
    pub(crate) name: String,
    /// Its addresses, each with whether it is added without a route for its prefix.
    pub(crate) addresses: Vec<(Ipv4Network, bool)>,
    /// `accept`
    pub(crate) accepts: bool,
    /// `use_vmac`
    pub(crate) has_vmac: bool,
}

impl VrrpInstance {
    /// The address as it is to be added.
    pub(crate) fn entry(&self, address: Ipv4Addr) -> Option<(Ipv4Network, bool)> {
        self.addresses.iter().copied().find(|(network, _)| network.ip() == address)
    }
}

/// The configuration of the keepalived that runs in the calling thread's network namespace, or else, if `is_own`, of the one
/// that packages install. `None`: there is none.
pub(in crate::doctor) fn find(is_own: bool) -> Option<Result<KeepalivedConfig, String>> {
    let running = running_here();
    let usual = || (is_own && Path::new(DEFAULT).exists()).then(|| PathBuf::from(DEFAULT));
    let file = running.or_else(usual)?;
    let text = fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()));
    Some(text.map(|text| parse(&text, &file)))
}

/// The file that a running one was started with.
fn running_here() -> Option<PathBuf> {
    let own = fs::read_link("/proc/thread-self/ns/net").ok()?;
    let processes = fs::read_dir("/proc").ok()?.flatten().map(|entry| entry.path());
    let is_one = |path: &PathBuf| {
        fs::read_to_string(path.join("comm")).is_ok_and(|name| name.trim() == PROGRAM)
            && fs::read_link(path.join("ns/net")).is_ok_and(|netns| netns == own)
    };
    let process = processes.filter(|path| path.join("comm").exists()).find(is_one)?;
    let arguments = fs::read(process.join("cmdline")).ok()?;
    let words: Vec<String> =
        arguments.split(|octet| *octet == 0).map(|word| String::from_utf8_lossy(word).into_owned()).collect();
    Some(file_among(&words).unwrap_or_else(|| DEFAULT.into()))
}

/// `-f FILE`, `-fFILE`, `--use-file FILE` or `--use-file=FILE`.
fn file_among(words: &[String]) -> Option<PathBuf> {
    for (at, word) in words.iter().enumerate() {
        if word == "-f" || word == "--use-file" {
            return words.get(at + 1).map(PathBuf::from);
        }
        let joined = word.strip_prefix("--use-file=");
        let short = || word.strip_prefix("-f").filter(|_| !word.starts_with("--"));
        if let Some(file) = joined.or_else(short) {
            return Some(file.into());
        }
    }
    None
}

/// Reads blocks of words in braces; a line's words belong together. Files that it includes are not read.
fn parse(text: &str, file: &Path) -> KeepalivedConfig {
    let mut config = KeepalivedConfig { file: file.to_owned(), ..KeepalivedConfig::default() };
    let mut blocks: Vec<String> = Vec::new();
    let spaced = text.replace('{', " {\n").replace('}', "\n}\n");
    for line in spaced.lines() {
        let line = line.split(['#', '!']).next().unwrap_or_default();
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            [] => {}
            ["}", ..] => {
                blocks.pop();
            }
            [name, .., "{"] => {
                if name == "vrrp_instance" {
                    let name = words.get(1).copied().unwrap_or_default().to_owned();
                    config.instances.push(VrrpInstance { name, ..VrrpInstance::default() });
                }
                blocks.push(name.to_owned());
            }
            _ => note(&mut config, &blocks, &words),
        }
    }
    config
}

fn note(config: &mut KeepalivedConfig, blocks: &[String], words: &[&str]) {
    let within: Vec<&str> = blocks.iter().map(String::as_str).collect();
    config.is_strict |= within == ["global_defs"] && words[0] == "vrrp_strict";
    let Some(instance) = config.instances.last_mut() else { return };
    match within[..] {
        ["vrrp_instance"] => {
            instance.accepts |= words[0] == "accept";
            instance.has_vmac |= words[0] == "use_vmac";
        }
        ["vrrp_instance", "virtual_ipaddress" | "virtual_ipaddress_excluded"] => {
            if let Ok(network) = words[0].parse() {
                instance.addresses.push((network, words.contains(&"noprefixroute")));
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_guides_file_is_understood() {
        let text = include_str!("../../../configs/keepalived/keepalived.conf");
        let config = parse(text, Path::new("f"));
        let [instance] = &config.instances[..] else { panic!("{config:?}") };
        assert_eq!((config.is_strict, instance.accepts, instance.has_vmac), (false, true, false));
        let shared = "10.2.0.1/32".parse().expect("a network");
        assert_eq!(instance.entry([10, 2, 0, 1].into()), Some((shared, true)));
    }

    #[test]
    fn blocks_on_one_line_and_comments_are_understood() {
        let text = "global_defs { vrrp_strict } ! strict\nvrrp_instance a { use_vmac vrrp.5 # accept\n\
                    virtual_ipaddress { 10.2.0.1/24 dev eth0 label x } }\nvrrp_instance b {\n accept\n}";
        let config = parse(text, Path::new("f"));
        assert!(config.is_strict);
        let [a, b] = &config.instances[..] else { panic!("{config:?}") };
        assert_eq!((a.name.as_str(), a.has_vmac, a.accepts, b.accepts), ("a", true, false, true));
        let entry = a.entry([10, 2, 0, 1].into()).expect("an address");
        assert_eq!((entry.0.prefix(), entry.1), (24, false));
    }

    #[test]
    fn the_file_is_that_of_the_command_line() {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        for text in [
            "keepalived -n -f /a",
            "keepalived --use-file=/a -l",
            "keepalived --use-file /a",
            "keepalived -f/a",
        ] {
            assert_eq!(file_among(&words(text)), Some("/a".into()), "{text}");
        }
        assert_eq!(file_among(&words("keepalived --dont-fork")), None);
    }
}
