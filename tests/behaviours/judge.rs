//! The kernel as a judge: its own proxy_arp and proxy_arp_pvlan are sent the same requests as arpherd's
//! `routed` and `private_vlan`, in rigs that differ in nothing else. Every difference is listed with its reason;
//! one that is not listed fails the test, and so does one that is listed and no longer there.

mod proxies;
mod requests;

use arpherd_lab::Result;

use proxies::{Proxy, ProxyRig};
use requests::{Comparison, PRIVATE, ROUTED};

#[harness::test]
fn judge_routed_answers_are_those_of_proxy_arp_but_for_what_is_listed() -> Result<()> {
    judge(ROUTED)
}

#[harness::test]
fn judge_private_vlan_answers_are_those_of_proxy_arp_pvlan_but_for_what_is_listed() -> Result<()> {
    judge(PRIVATE)
}

/// What came of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reaction {
    /// So many answers that name the router's link. One comes at once.
    Answers(usize),
    /// An answer that lets its requester wait.
    Late,
    /// ICMP redirects were sent.
    Redirects,
    /// None were.
    NoRedirects,
}

/// What is known of a request.
enum Verdict {
    /// Both do this.
    Same(Reaction),
    /// They differ, which is intended.
    Intended { kernel: Reaction, arpherd: Reaction, why: &'static str },
}

impl Verdict {
    fn expected(&self, proxy: Proxy) -> Reaction {
        match (self, proxy) {
            (Self::Same(seen), _)
            | (Self::Intended { kernel: seen, .. }, Proxy::Kernel)
            | (Self::Intended { arpherd: seen, .. }, Proxy::Arpherd) => *seen,
        }
    }
}

/// Puts every request to both, each in a rig of its own.
fn judge(cases: &[Comparison]) -> Result<()> {
    let mut wrong = Vec::new();
    for proxy in [Proxy::Kernel, Proxy::Arpherd] {
        let rig = ProxyRig::new(proxy, cases[0].kind)?;
        for case in cases {
            let (seen, expected) = ((case.ask)(&rig)?, case.verdict.expected(proxy));
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
