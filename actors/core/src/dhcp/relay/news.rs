//! News to the ledger, each thing once in a while.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::address::Address;
use crate::dhcp::{DhcpNews, RelayOrder};
use crate::plan::SegmentId;
use crate::time::Time;

/// The same is reported again after this.
const PAUSE: Duration = Duration::from_secs(60);
/// Things that were reported lately at the most; whoever makes up more of them is reported no more until some are old.
const MOST: usize = 256;

/// What was reported lately.
#[derive(Debug, Default)]
pub(super) struct News {
    lately: BTreeMap<(SegmentId, Subject), Time>,
}

/// What a report is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Subject {
    Rogue(Address),
    Outside(Address),
    Unidentified,
    Limited,
}

impl News {
    /// Reports what is due. Leases, and what became of servers, always are.
    pub(super) fn report(
        &mut self,
        now: Time,
        segment: SegmentId,
        news: DhcpNews,
        orders: &mut Vec<RelayOrder>,
    ) -> bool {
        let subject = match &news {
            DhcpNews::RogueServer { server, .. } => Some(Subject::Rogue(*server)),
            DhcpNews::OutsideDomain { server, .. } => Some(Subject::Outside(*server)),
            DhcpNews::Unidentified { .. } => Some(Subject::Unidentified),
            DhcpNews::Limited { .. } => Some(Subject::Limited),
            DhcpNews::Granted(_)
            | DhcpNews::Ended { .. }
            | DhcpNews::ServerSilent { .. }
            | DhcpNews::ServerAnswers { .. } => None,
        };
        let is_due = subject.is_none_or(|subject| self.is_due(now, segment, subject));
        if is_due {
            orders.push(RelayOrder::Report { segment, news });
        }
        is_due
    }

    fn is_due(&mut self, now: Time, segment: SegmentId, subject: Subject) -> bool {
        let place = (segment, subject);
        let is_late = |then: &Time| now.since(*then) < PAUSE;
        if self.lately.get(&place).is_some_and(is_late) {
            return false;
        }
        if self.lately.len() >= MOST {
            self.lately.retain(|_, then| is_late(then));
        }
        let has_room = self.lately.len() < MOST;
        if has_room {
            self.lately.insert(place, now);
        }
        has_room
    }
}
