//! The rest of the table of events: two gateways of one domain. See `table.rs`.

/// Defines the events of the entries given and of those here, in this order.
macro_rules! with_pairs {
    ($($entries:tt)*) => {
        events! {
            $($entries)*

            /// This machine is the active gateway of a domain from now on, or the standby (`ha`).
            RoleChanged = "role_changed" {
                /// The domain.
                domain: DomainId,
                /// What it is now: `active` or `standby`.
                role: Role,
            }
            level: Info;

            /// Two gateways of a domain have been active for longer than they need to take over from each other. One of them
            /// goes on answering, and the other is silent until it is gone.
            TwoActive = "two_active" {
                /// Where the other one was heard.
                segment: SegmentId,
                /// Its link-layer address there.
                lladdr: LinkAddr,
                /// Which one answers: `this` or `other`.
                answers: String,
            }
            level: Warning,
            hint: "the two do not hear each other's VRRP, or whoever commands them left both active: look at keepalived on \
                   both, and at packet filters between them (protocol 112 to 224.0.0.18)",
            doctor: Error,
                "two gateways of a domain were active at the same time, so whoever elects them has failed",
                fix "the log names the other one (two_active); look at keepalived on both, and let protocol 112 to 224.0.0.18 \
                     pass between them";
        }
    };
}
