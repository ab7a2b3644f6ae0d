//! What a packet filter lets pass, as far as a rule says no more than by which interfaces.

/// Packets that a rule accepts whatever else they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Passage {
    /// The interface they come in by, if the rule says.
    pub from: Option<Pattern>,
    /// The interface they leave by, if the rule says.
    pub to: Option<Pattern>,
}

/// A name of an interface, or how several begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pattern {
    /// This one.
    Name(String),
    /// All that begin so (`eth+`, `"eth*"`).
    Begin(String),
}

impl Passage {
    /// Whether it lets packets pass from the one interface to the other.
    pub fn lets(&self, from: &str, to: &str) -> bool {
        let fits =
            |pattern: &Option<Pattern>, name| pattern.as_ref().is_none_or(|pattern| pattern.fits(name));
        fits(&self.from, from) && fits(&self.to, to)
    }

    /// Whether it says both, and so is about forwarded packets wherever it stands.
    pub(super) fn is_whole(&self) -> bool {
        self.from.is_some() && self.to.is_some()
    }
}

impl Pattern {
    /// From the octets that are compared with a name: with the zero at its end, or only a beginning.
    pub(super) fn compared(octets: &[u8]) -> Option<Self> {
        let end = octets.iter().position(|octet| *octet == 0);
        let name = std::str::from_utf8(&octets[..end.unwrap_or(octets.len())]).ok()?.to_owned();
        Some(if end.is_some() { Self::Name(name) } else { Self::Begin(name) })
    }

    fn fits(&self, name: &str) -> bool {
        match self {
            Self::Name(this) => this == name,
            Self::Begin(begin) => name.starts_with(begin),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_passage_is_for_the_interfaces_it_names() {
        let pattern = |text: &[u8]| Pattern::compared(text);
        let passage = |from, to| Passage { from, to };
        let both = passage(pattern(b"eth0\0\0"), pattern(b"wlan"));
        assert!(both.lets("eth0", "wlan0") && both.is_whole());
        assert!(!both.lets("eth01", "wlan0") && !both.lets("eth0", "eth0"));
        assert!(passage(None, pattern(b"wlan0\0")).lets("any", "wlan0"));
        assert!(passage(None, None).lets("a", "b"));
        assert_eq!(pattern(b"\xff\0"), None);
    }
}
