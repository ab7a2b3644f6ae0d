//! Which rows a pane shows: those that have every word of the filter.

use std::net::Ipv4Addr;

use arpherd_core::view::HostView;
use ipnetwork::Ipv4Network;

/// Longest filter, in characters.
const LIMIT: usize = 100;

/// Words that a row must have, all of them, whatever their case. A word such as `10.2.0.0/28` wants an address there.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Filter {
    text: String,
    words: Vec<Word>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Word {
    Text(String),
    Prefix(Ipv4Network),
}

impl Filter {
    /// What is typed.
    pub(super) fn new(text: &str) -> Self {
        let text: String = text.chars().filter(|it| !it.is_control()).take(LIMIT).collect();
        let word = |word: &str| match word.parse() {
            Ok(prefix) if word.contains('/') => Word::Prefix(prefix),
            _ => Word::Text(word.to_lowercase()),
        };
        Self { words: text.split_whitespace().map(word).collect(), text }
    }

    /// As it was typed.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Whether it lets everything through.
    pub(super) fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// Whether a row of these texts is shown.
    pub(super) fn allows(&self, texts: &[&str]) -> bool {
        let has = |part: &str| {
            texts.iter().any(|text| {
                // Most texts are ASCII: no copy for them.
                if text.is_ascii() && part.is_ascii() {
                    text.as_bytes()
                        .windows(part.len().max(1))
                        .any(|at| at.eq_ignore_ascii_case(part.as_bytes()))
                } else {
                    text.to_lowercase().contains(part)
                }
            })
        };
        let lies_in = |prefix: &Ipv4Network| {
            texts.iter().any(|text| text.parse::<Ipv4Addr>().is_ok_and(|address| prefix.contains(address)))
        };
        self.words.iter().all(|word| match word {
            Word::Text(part) => has(part),
            Word::Prefix(prefix) => lies_in(prefix),
        })
    }

    /// Whether the host is shown.
    pub(super) fn allows_host(&self, host: &HostView) -> bool {
        if self.is_empty() {
            return true;
        }
        let (address, lladdr) = (host.address.to_string(), host.lladdr.to_string());
        self.allows(&[
            &address,
            &lladdr,
            &host.domain,
            &host.segment,
            &host.interface,
            &host.state,
            &host.learned_from,
            host.netns.as_deref().unwrap_or_default(),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::host;
    use super::*;

    #[test]
    fn every_word_must_be_there_whatever_its_case() {
        let texts = ["10.2.0.9", "Gäste", "eth0"];
        for (filter, allowed) in [
            ("", true),
            ("ETH0", true),
            ("gÄste eth", true),
            ("eth1", false),
            ("eth0 10.3", false),
            ("10.2.0.0/24", true),
            ("10.2.0.0/29", false),
            ("/", false),
        ] {
            assert_eq!(Filter::new(filter).allows(&texts), allowed, "{filter}");
        }
    }

    #[test]
    fn a_host_is_found_by_any_of_its_texts() {
        let host = host(9);
        for (filter, allowed) in
            [("10.2.0.9", true), ("alive cluster", true), ("suspect", false), ("00:00:00:00:09", true)]
        {
            assert_eq!(Filter::new(filter).allows_host(&host), allowed, "{filter}");
        }
    }

    #[test]
    fn what_is_typed_has_no_control_characters_and_an_end() {
        assert_eq!(Filter::new("a\x1b[2Jb").text(), "a[2Jb");
        assert_eq!(Filter::new(&"x".repeat(1000)).text().len(), LIMIT);
    }
}
