//! The floor: the least a program can do, in plain blocking code with one thread, and once by actors.
//!
//! It reads ARP from a packet socket, one frame at a time, and adds a route or answers from a table. It
//! checks nothing, expires nothing, repairs nothing and never looks whether the kernel refused. Whatever
//! arpherd does beyond that shows as a ratio to it.

mod actor;
mod listen;
mod sweep;

use std::io::{self, Write};
use std::net::Ipv4Addr;

use arpherd_lab::Mac;

/// What a floor does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Job {
    /// Adds a route for each new sender.
    Routes,
    /// Does so by two actors.
    RoutesByActors,
    /// Adds a route for each new sender, and answers for senders seen on another link.
    Answers,
    /// On each line of input asks for all of this prefix on the last link, and routes who answers.
    Sweep {
        /// The prefix's first address.
        network: Ipv4Addr,
        /// Its length in bits.
        length: u8,
    },
}

/// A link of the namespace the floor runs in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Link {
    /// Its number.
    pub(crate) index: u32,
    /// Its link-layer address.
    pub(crate) mac: Mac,
    /// Sender of the floor's requests.
    pub(crate) source: Ipv4Addr,
}

/// The argument that makes the bench's own executable a floor.
pub(crate) const COMMAND: &str = "floor";

/// The arguments that [`run`] reads.
pub(crate) fn arguments(job: &Job, links: &[Link]) -> Vec<String> {
    let job = match job {
        Job::Routes => "routes".to_owned(),
        Job::RoutesByActors => "actors".to_owned(),
        Job::Answers => "answers".to_owned(),
        Job::Sweep { network, length } => format!("{network}/{length}"),
    };
    let links = links.iter().map(|Link { index, mac, source }| format!("{index},{mac},{source}"));
    [COMMAND.to_owned(), job].into_iter().chain(links).collect()
}

/// A floor, until it is killed or something fails.
pub(crate) fn run(arguments: &[String]) -> io::Result<()> {
    crate::sys::end_with_parent()?;
    let (job, links) = read(arguments).ok_or_else(|| io::Error::other("arguments do not read"))?;
    match job {
        Job::Routes => listen::routes(),
        Job::RoutesByActors => actor::routes(),
        Job::Answers => listen::answers(&links),
        Job::Sweep { network, length } => {
            let link = links.last().ok_or_else(|| io::Error::other("a link to sweep is needed"))?;
            sweep::sweep(*link, network, length)
        }
    }
}

/// Reports to the bench that frames are received from now on.
fn ready() -> io::Result<()> {
    let mut out = io::stdout();
    out.write_all(b"ready\n")?;
    out.flush()
}

fn read(arguments: &[String]) -> Option<(Job, Vec<Link>)> {
    let (job, links) = arguments.split_first()?;
    let job = match job.as_str() {
        "routes" => Job::Routes,
        "actors" => Job::RoutesByActors,
        "answers" => Job::Answers,
        prefix => {
            let (network, length) = prefix.split_once('/')?;
            Job::Sweep { network: network.parse().ok()?, length: length.parse().ok()? }
        }
    };
    let link = |text: &String| {
        let mut parts = text.split(',');
        let (index, mac, source) = (parts.next()?, parts.next()?, parts.next()?);
        Some(Link { index: index.parse().ok()?, mac: mac.parse().ok()?, source: source.parse().ok()? })
    };
    Some((job, links.iter().map(link).collect::<Option<_>>()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_read_as_they_were_written() {
        let source = Ipv4Addr::new(10, 1, 0, 1);
        let mac = Mac([2, 0, 0, 0, 0, 9]);
        let links = [Link { index: 7, mac, source }, Link { index: 8, mac: Mac::ZERO, source }];
        let sweep = Job::Sweep { network: Ipv4Addr::new(10, 1, 0, 0), length: 16 };
        for job in [Job::Routes, Job::RoutesByActors, Job::Answers, sweep] {
            let written = arguments(&job, &links);
            assert_eq!(read(&written[1..]), Some((job, links.to_vec())));
        }
    }
}
