//! Other segments than before: those that stay are not reported again.

use std::collections::BTreeMap;

use actix::{Context, Handler, Message};
use arpherd_core::SegmentId;

use super::{Places, Watch, WatchedSegment};
use crate::messages::{DhcpUpdate, LinkUpdate, Unwatch, WifiLink};

/// Follow the links of these segments from now on. Answered when the kernel's tables were read again, and new segments'
/// links were reported.
#[derive(Message)]
#[rtype(result = "()")]
pub struct WatchSegments {
    /// All of them, in the order of their numbers.
    pub segments: Vec<WatchedSegment>,
    /// Interfaces that are served no longer; their sysctls are restored.
    pub retired: Vec<String>,
    /// Segments that stay and have a new sweep actor, which is told of the link.
    pub new_sweeps: Vec<SegmentId>,
}

impl Handler<Unwatch> for Watch {
    type Result = ();

    fn handle(&mut self, Unwatch(ids): Unwatch, _: &mut Self::Context) {
        let entries = std::mem::take(&mut self.segments).into_iter().zip(std::mem::take(&mut self.sent));
        for (segment, sent) in entries {
            if !ids.contains(&segment.segment) {
                self.segments.push(segment);
                self.sent.push(sent);
                continue;
            }
            if let Some(wifi) = &segment.wifi {
                wifi.do_send(WifiLink { segment: segment.segment, link: None });
            }
            if let Some(dhcp) = &segment.dhcp {
                dhcp.do_send(DhcpUpdate::Link(segment.segment, LinkUpdate(None)));
            }
        }
        self.places = Places::of(&self.segments);
    }
}

impl Handler<WatchSegments> for Watch {
    type Result = ();

    fn handle(&mut self, next: WatchSegments, ctx: &mut Context<Self>) {
        let WatchSegments { segments, retired, new_sweeps } = next;
        if !retired.is_empty() {
            self.sysctls.restore_interfaces(&retired);
        }
        let before: BTreeMap<SegmentId, LinkUpdate> =
            self.segments.iter().map(|it| it.segment).zip(std::mem::take(&mut self.sent)).collect();
        let sent =
            |segment: &WatchedSegment| before.get(&segment.segment).cloned().unwrap_or(LinkUpdate(None));
        self.sent = segments.iter().map(sent).collect();
        let has_new = segments.iter().any(|segment| !before.contains_key(&segment.segment));
        self.places = Places::of(&segments);
        self.segments = segments;
        for (segment, update) in self.segments.iter().zip(&self.sent) {
            if let Some(sweep) = segment.sweep.as_ref().filter(|_| new_sweeps.contains(&segment.segment)) {
                sweep.do_send(update.clone());
            }
        }
        self.follow_modes();
        self.read_proxies_if_needed(ctx);
        if has_new {
            self.read_everything(ctx);
        }
    }
}

impl Watch {
    /// The sysctls of interfaces may have to serve something else.
    fn follow_modes(&mut self) {
        for update in &self.sent {
            let Some((index, name)) = update.served() else { continue };
            let Some(link) = self.links.get(index) else { continue };
            match self.sysctl_mode_of(link) {
                Some(mode) => self.sysctls.link_changed(name, Some(index), Some(mode)),
                None => self.sysctls.leave(name),
            }
        }
    }
}
