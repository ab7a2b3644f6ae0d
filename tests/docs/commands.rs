//! Every command line is run, beside a daemon with the page's configuration.

use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::Output;
use std::time::Duration;

use arpherd_lab::{Daemon, Host, Launch, Netns, Result, Segment, wait_until};
use tempfile::TempDir;

use crate::blocks::{Page, pages};
use crate::configurations::of_page;
use crate::prose::{codes, filled};

/// Every interface that a page speaks of.
const LINKS: [&str; 5] = ["eth0", "eth1", "ibs1", "wlan0", "vmbr0"];

/// A gateway with all those links, and a host on each of the two that README speaks of.
struct Place {
    gateway: Netns,
    etc: TempDir,
    hosts: [Host; 2],
    _switches: Vec<Segment>,
}

impl Place {
    fn new(page: &Page, readme: &str) -> Result<Self> {
        let gateway = Netns::new("gateway")?;
        let switches: Vec<_> = LINKS.iter().map(|link| Segment::new(link)).collect::<Result<_>>()?;
        for (link, switch) in LINKS.iter().zip(&switches) {
            switch.plug(&gateway, link)?;
        }
        let own = addresses(page);
        let common = ["eth0", "ibs1"].map(|link| ("10.2.0.1/32".to_owned(), link.to_owned()));
        for (address, link) in if own.is_empty() { common.to_vec() } else { own } {
            gateway.address_noprefix(&link, &address)?;
        }
        let mut hosts = [Host::new("seven", "10.2.0.7/24")?, Host::new("nine", "10.2.0.9/24")?];
        hosts[0].attach_to(&switches[0])?;
        hosts[1].attach_to(&switches[2])?;
        let etc = tempfile::tempdir().expect("a folder in place of /etc/arpherd");
        let text = of_page(page).unwrap_or_else(|| readme.to_owned());
        fs::write(etc.path().join("arpherd.yaml"), text).expect("written");
        Ok(Self { gateway, etc, hosts, _switches: switches })
    }

    fn here(&self, line: &str) -> String {
        line.replace("/etc/arpherd", &self.etc.path().display().to_string())
    }

    /// Starts what the words say, until it is ready.
    fn start(&self, words: &str) -> Result<Daemon> {
        let words = self.here(words);
        let words: Vec<_> = words.split_whitespace().collect();
        Launch::new(&self.gateway, Path::new(env!("CARGO_BIN_EXE_arpherd"))).args(&words).start()
    }

    fn sh(&self, daemon: &Daemon, line: &str) -> Output {
        let mut shell = self.gateway.command("sh");
        let folder = Path::new(env!("CARGO_BIN_EXE_arpherd")).parent().expect("a folder");
        let path = format!("{}:/usr/bin:/bin", folder.display());
        shell.args(["-c", &self.here(line)]).env_clear().env("PATH", path);
        shell.env("ARPHERD_DAEMON__CONTROL", daemon.control_path()).output().expect("sh runs")
    }
}

/// What the page's `ip address add ADDRESS dev LINK` lines give the gateway.
fn addresses(page: &Page) -> Vec<(String, String)> {
    let lines = page.blocks.iter().filter(|block| block.is("sh,ip")).flat_map(|block| block.lines());
    let words = lines.map(|line| line.split_whitespace().collect::<Vec<_>>());
    words
        .filter_map(|words| match words[..] {
            ["ip", "address", "add", address, "dev", link, ..] => Some((address.to_owned(), link.to_owned())),
            _ => None,
        })
        .collect()
}

/// The exit codes that are no failure: findings, and nobody who answers.
fn is_well(line: &str, code: Option<i32>) -> bool {
    let findings = line.starts_with("arpherd doctor") && matches!(code, Some(1 | 2));
    code == Some(0) || findings || (line.starts_with("arpherd probe") && code == Some(1))
}

/// Without the comment at its end.
fn command(line: &str) -> &str {
    line.split(" #").next().unwrap_or_default().trim()
}

/// The queries in the page's prose: names in them, such as states, are known to the daemon alone.
fn queries(page: &Page) -> Vec<String> {
    let asks = |code: &&str| {
        let mut words = code.split_whitespace();
        words.next() == Some("arpherd")
            && words
                .next()
                .is_some_and(|it| ["hosts", "routes", "segments", "events", "explain"].contains(&it))
            && !code.contains(['…', '[', '>'])
            && !code.contains("--follow")
    };
    let full = |code: &str| code.split_whitespace().map(filled).collect::<Vec<_>>().join(" ");
    let commands = codes(&page.prose).filter(asks).map(full);
    commands.filter(|command| command != "arpherd explain").collect()
}

/// Whether the line's program is arpherd: any other is not run, for it would be run on this machine.
fn is_ours(line: &str) -> bool {
    let mut words = line.split_whitespace().skip_while(|word| word.starts_with("ARPHERD_"));
    words.next() == Some("arpherd") && !line.contains([';', '|', '&', '`', '$'])
}

fn is_daemon(line: &str) -> bool {
    line.starts_with("arpherd run ") || line.starts_with("arpherd join ")
}

fn readme(pages: &[Page]) -> String {
    of_page(&pages[0]).expect("README has a configuration")
}

/// A configuration of the page that cannot be had with a veth in place of the link: it is one all the same.
fn start(place: &Place) -> Result<Daemon> {
    let daemon = place.start("run --config /etc/arpherd")?;
    for host in &place.hosts {
        host.announce()?;
    }
    Ok(daemon)
}

#[harness::test]
fn every_command_of_the_pages_runs() -> Result<()> {
    let pages = pages();
    let (readme, mut faults, mut run) = (readme(&pages), Vec::new(), 0);
    for page in &pages {
        let blocks = page.blocks.iter().filter(|block| block.is("sh"));
        let queries = queries(page);
        let lines = blocks.flat_map(|block| block.lines()).map(command);
        let lines: Vec<_> = lines.chain(queries.iter().map(String::as_str)).collect();
        if lines.is_empty() {
            continue;
        }
        let place = Place::new(page, &readme)?;
        let daemon = start(&place)?;
        for line in lines.iter().filter(|line| !is_daemon(line)) {
            run += 1;
            if !is_ours(line) {
                faults.push(format!("{}: {line}: not arpherd's; give the block another tag", page.name));
                continue;
            }
            let output = place.sh(&daemon, line);
            if !is_well(line, output.status.code()) {
                let error = String::from_utf8_lossy(&output.stderr).into_owned();
                faults.push(format!("{}: {line}: {:?} {error}", page.name, output.status.code()));
            }
        }
        drop(daemon);
        for line in lines.iter().filter(|line| is_daemon(line)) {
            let place = Place::new(page, &readme)?;
            run += 1;
            if let Err(error) = place.start(line.strip_prefix("arpherd ").unwrap_or_default()) {
                faults.push(format!("{}: {line}: {error}", page.name));
            }
        }
    }
    assert_eq!(faults, Vec::<String>::new());
    assert!(run > 40, "{run} lines were found");
    Ok(())
}

/// The words of four letters and more that a line is recognised by.
fn words(text: &str) -> Vec<&str> {
    text.split(|c: char| !c.is_alphabetic()).filter(|word| word.len() > 3).collect()
}

#[harness::test]
fn every_shown_output_is_like_the_real_one() -> Result<()> {
    let pages = pages();
    let (readme, mut shown) = (readme(&pages), 0);
    for page in &pages {
        for block in page.blocks.iter().filter(|block| block.is("console")) {
            let line = block.text.lines().next().and_then(|line| line.strip_prefix("$ "));
            let line = line.expect("a console block begins with $ and a command");
            let place = Place::new(page, &readme)?;
            let daemon = start(&place)?;
            let nine = Ipv4Addr::new(10, 2, 0, 9);
            wait_until(Duration::from_secs(15), "the host is known", || {
                place.gateway.routes_to(nine).iter().any(|route| route.protocol == 169)
            });
            let output = place.sh(&daemon, line);
            let printed = String::from_utf8_lossy(&output.stdout).into_owned();
            let missing: Vec<_> = block.text.lines().skip(1).flat_map(words).collect();
            let missing: Vec<_> = missing.into_iter().filter(|word| !printed.contains(word)).collect();
            assert_eq!(
                missing,
                Vec::<&str>::new(),
                "{}:{}: {line} printed\n{printed}",
                page.name,
                block.line
            );
            shown += 1;
        }
    }
    assert!(shown > 0, "an output is shown somewhere");
    Ok(())
}
