//! The record of what was written to the kernel's tables for one address.

use std::num::NonZeroU32;

use crate::plan::SegmentId;

/// What is known of a host's route.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum RouteState {
    /// None stands, and none was refused.
    #[default]
    None,
    /// Ordered, and not refused since.
    Written,
    /// The same, but something may have happened to it: it is written again.
    Doubtful,
    /// Somebody else's route stands there; ours is not written.
    Conflict,
    /// The kernel refused it; it is tried again.
    Refused,
}

impl RouteState {
    /// The name shown to operators.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Written | Self::Doubtful => "installed",
            Self::Conflict => "conflict",
            Self::Refused => "refused",
            Self::None => "none",
        }
    }
}

/// What was written to the kernel's tables for an address.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Installed {
    route: RouteState,
    /// The metric of the route, and one, if it is a standby's.
    standby_metric: Option<NonZeroU32>,
    /// The neighbour entry is as it should be.
    has_neighbour: bool,
    /// The interface of both.
    interface: Option<NonZeroU32>,
    /// The kernel answers for the host by proxy entries, as for one that lives on this segment.
    proxied: Option<SegmentId>,
}

impl Installed {
    pub(super) fn route(&self) -> RouteState {
        self.route
    }

    /// A route of ours stands, as far as is known.
    pub(super) fn is_standing(&self) -> bool {
        matches!(self.route, RouteState::Written | RouteState::Doubtful)
    }

    /// The interface of what was written.
    pub(super) fn interface(&self) -> Option<NonZeroU32> {
        self.interface
    }

    /// Whether what was written is on this interface.
    pub(super) fn is_on(&self, interface: u32) -> bool {
        self.interface == NonZeroU32::new(interface)
    }

    /// Something may have happened to the route.
    pub(super) fn doubt(&mut self) {
        if self.route == RouteState::Written {
            self.route = RouteState::Doubtful;
        }
    }

    /// The neighbour entry is another one from now on, or may have been changed by others.
    pub(super) fn outdate_neighbour(&mut self) {
        self.has_neighbour = false;
    }

    /// The host is at another place: what was refused there is not refused here.
    pub(super) fn relocated(&mut self) {
        self.outdate_neighbour();
        if self.route == RouteState::Refused {
            self.route = RouteState::None;
        }
    }

    /// A refused route is to be tried again.
    pub(super) fn retry(&mut self) {
        self.relocated();
    }

    /// The metric of the route, if it is a standby's.
    pub(super) fn standby_metric(&self) -> Option<u32> {
        self.standby_metric.map(|above| above.get() - 1)
    }

    /// The route has this metric of a standby's from now on, or that of all others.
    pub(super) fn set_standby_metric(&mut self, metric: Option<u32>) {
        self.standby_metric = metric.and_then(|metric| NonZeroU32::new(metric.saturating_add(1)));
    }

    pub(super) fn set_route(&mut self, state: RouteState) {
        self.route = state;
    }

    /// Route and neighbour entry are on this interface.
    pub(super) fn place_on(&mut self, interface: NonZeroU32) {
        self.interface = Some(interface);
    }

    /// An earlier run wrote them there.
    pub(super) fn adopted(&mut self, interface: u32) {
        self.interface = NonZeroU32::new(interface);
        self.has_neighbour = true;
    }

    /// They are on no interface any more. Returns the one they were on.
    pub(super) fn leave(&mut self) -> Option<NonZeroU32> {
        self.has_neighbour = false;
        self.interface.take()
    }

    /// The neighbour entry is as it should be. True if it was not.
    pub(super) fn complete_neighbour(&mut self) -> bool {
        !std::mem::replace(&mut self.has_neighbour, true)
    }

    /// The host is answered for by proxy entries as one of this segment. True if that is news.
    pub(super) fn proxy_on(&mut self, segment: Option<SegmentId>) -> bool {
        std::mem::replace(&mut self.proxied, segment) != segment
    }
}
