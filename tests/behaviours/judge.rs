//! The kernel as a judge: its own proxy_arp and proxy_arp_pvlan are asked the same questions as arpherd's
//! `routed` and `private_vlan`, in rigs that differ in nothing else. Every difference is listed with its reason;
//! one that is not listed fails the test, and so does one that is listed and no longer there.

mod proxies;
mod questions;

use arpherd_lab::Result;

use proxies::{Proxy, Stage};
use questions::{Case, PRIVATE, ROUTED};

#[harness::test]
fn judge_routed_answers_are_those_of_proxy_arp_but_for_what_is_listed() -> Result<()> {
    judge(ROUTED)
}

#[harness::test]
fn judge_private_vlan_answers_are_those_of_proxy_arp_pvlan_but_for_what_is_listed() -> Result<()> {
    judge(PRIVATE)
}

/// What came of a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seen {
    /// So many answers that name the router's link. One comes at once.
    Answers(usize),
    /// An answer that lets its asker wait.
    Late,
    /// ICMP redirects were sent.
    Redirects,
    /// None were.
    NoRedirects,
}

/// What is known of a question.
enum Verdict {
    /// Both do this.
    Same(Seen),
    /// They differ, which is intended.
    Intended { kernel: Seen, arpherd: Seen, why: &'static str },
}

impl Verdict {
    fn expected(&self, proxy: Proxy) -> Seen {
        match (self, proxy) {
            (Self::Same(seen), _)
            | (Self::Intended { kernel: seen, .. }, Proxy::Kernel)
            | (Self::Intended { arpherd: seen, .. }, Proxy::Arpherd) => *seen,
        }
    }
}

/// Puts every question to both, each in a rig of its own.
fn judge(cases: &[Case]) -> Result<()> {
    let mut wrong = Vec::new();
    for proxy in [Proxy::Kernel, Proxy::Arpherd] {
        let stage = Stage::new(proxy, cases[0].kind)?;
        for case in cases {
            let (seen, expected) = ((case.ask)(&stage)?, case.verdict.expected(proxy));
            if seen != expected {
                wrong.push(format!("{}: {proxy:?} gave {seen:?}, not {expected:?}", case.what));
            }
        }
    }
    for case in cases {
        if let Verdict::Intended { kernel, arpherd, why } = case.verdict {
            assert!(kernel != arpherd && why.ends_with('.'), "{}: no difference, or no reason", case.what);
        }
    }
    assert!(wrong.is_empty(), "what is listed is not what is:\n{}", wrong.join("\n"));
    Ok(())
}
