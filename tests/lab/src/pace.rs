//! Slow links.

use netlink_packet_core::{DefaultNla, NLM_F_CREATE, NLM_F_REPLACE};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::tc::{TcAttribute, TcHandle, TcMessage, TcOption};

use crate::{Netns, Result};

/// `struct tc_tbf_qopt` and the burst in octets (linux/pkt_sched.h).
const TCA_TBF_PARMS: u16 = 1;
const TCA_TBF_BURST: u16 = 6;
/// Lengths are those of Ethernet frames, so the kernel needs no table of its own (`TC_LINKLAYER_ETHERNET`).
const LINKLAYER_ETHERNET: u8 = 1;
/// Two of the largest frames pass at once.
const BURST: u32 = 3_028;
/// Octets that may wait; what comes beyond is lost, as on any slow link.
const QUEUE: u32 = 20_000;

impl Netns {
    /// Lets the link send so many bits a second and no more, by the token bucket filter: what
    /// `tc qdisc add dev LINK root tbf rate BITS burst 3028 limit 20000` does.
    ///
    /// # Errors
    /// When the link is missing, or the kernel has no such filter.
    pub fn limit_rate(&self, link: &str, bits: u32) -> Result<()> {
        let rate = |octets: u32| {
            let mut spec = [0_u8; 12];
            spec[1] = LINKLAYER_ETHERNET;
            spec[8..].copy_from_slice(&octets.to_ne_bytes());
            spec
        };
        let numbers = [QUEUE, 0, 0].map(u32::to_ne_bytes).concat();
        let parameters = [&rate(bits / 8)[..], &rate(0), &numbers].concat();
        let option = |kind, value: Vec<u8>| TcOption::Other(DefaultNla::new(kind, value));
        let options =
            vec![option(TCA_TBF_PARMS, parameters), option(TCA_TBF_BURST, BURST.to_ne_bytes().to_vec())];
        let mut message = TcMessage::default();
        message.header.index = i32::try_from(self.index(link)?).unwrap_or(i32::MAX);
        message.header.parent = TcHandle::ROOT;
        message.attributes = vec![TcAttribute::Kind("tbf".to_owned()), TcAttribute::Options(options)];
        let what = format!("limit the rate of {link} in {}", self.name());
        let request = RouteNetlinkMessage::NewQueueDiscipline(message);
        self.rtnl().change(&what, request, NLM_F_CREATE | NLM_F_REPLACE)
    }
}
