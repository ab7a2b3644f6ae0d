//! Rules that accept packets by their interfaces alone.

/// Accepts packets by the interfaces they come in and leave by, whatever else they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcceptRule {
    /// The interface they come in by; `None`: any.
    pub input: Option<NamePattern>,
    /// The interface they leave by; `None`: any.
    pub output: Option<NamePattern>,
}

/// Which names of interfaces a rule is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NamePattern {
    /// This one.
    Exact(String),
    /// All that begin so (`eth+` of iptables, `"eth*"` of nft).
    Prefix(String),
}

impl AcceptRule {
    /// Whether it accepts packets from the one interface to the other.
    pub fn accepts(&self, input: &str, output: &str) -> bool {
        let matches = |pattern: &Option<NamePattern>, name| {
            pattern.as_ref().is_none_or(|pattern: &NamePattern| pattern.matches(name))
        };
        matches(&self.input, input) && matches(&self.output, output)
    }

    /// Whether it names both interfaces, and so is about forwarded packets in whatever chain it stands.
    pub(super) fn names_both(&self) -> bool {
        self.input.is_some() && self.output.is_some()
    }
}

impl NamePattern {
    /// From the octets that a rule compares with a name: the zero at its end included, or only a beginning.
    pub(super) fn from_compared(octets: &[u8]) -> Option<Self> {
        let end = octets.iter().position(|octet| *octet == 0);
        let name = std::str::from_utf8(&octets[..end.unwrap_or(octets.len())]).ok()?.to_owned();
        Some(if end.is_some() { Self::Exact(name) } else { Self::Prefix(name) })
    }

    fn matches(&self, name: &str) -> bool {
        match self {
            Self::Exact(exact) => exact == name,
            Self::Prefix(prefix) => name.starts_with(prefix),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_for_the_interfaces_it_names() {
        let pattern = |text: &[u8]| NamePattern::from_compared(text);
        let rule = |input, output| AcceptRule { input, output };
        let both = rule(pattern(b"eth0\0\0"), pattern(b"wlan"));
        assert!(both.accepts("eth0", "wlan0") && both.names_both());
        assert!(!both.accepts("eth01", "wlan0") && !both.accepts("eth0", "eth0"));
        assert!(rule(None, pattern(b"wlan0\0")).accepts("any", "wlan0"));
        assert!(rule(None, None).accepts("a", "b"));
        assert_eq!(pattern(b"\xff\0"), None);
    }
}
