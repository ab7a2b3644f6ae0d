//! The rest of the table of events: what is wrong with hosts and segments. See `table.rs`.

/// Defines the events of the entries given and of those here, in this order.
macro_rules! with_faults {
    ($($entries:tt)*) => {
        with_leases! {
            $($entries)*

            /// A host uses an address of a prefix that is published where it was heard; it gets no route.
            PublishedAddressUsed = "published_address_used" {
                /// The address.
                address: Address,
                /// Who uses it.
                lladdr: LinkAddr,
                /// Where it was heard.
                segment: SegmentId,
            }
            level: Warning,
            hint: "the address belongs to a prefix published there; give the host another one",
            doctor: Warning,
                "a host uses an address out of a published prefix; it gets no route",
                fix "give it another address, or take it out of publish: (the log names it)";

            /// A pinned or static address was claimed by somebody else, in vain.
            PinViolated = "pin_violated" {
                /// The address.
                address: Address,
                /// Whose it is.
                lladdr: LinkAddr,
                /// Where it lives.
                segment: SegmentId,
                /// The claimant's link-layer address.
                claimant_lladdr: LinkAddr,
                /// Where the claimant was heard.
                claimant_segment: SegmentId,
            }
            level: Warning,
            hint: "the address stays where it is pinned; look at who claims it",
            doctor: Warning,
                "somebody claimed an address that is pinned to another; in vain, but not by chance",
                fix "the log has the claimant's link-layer address (pin_violated)";

            /// A packet names another sender than its frame's source, and whoever it names did not answer there.
            SenderUnconfirmed = "sender_unconfirmed" {
                /// The address that it names.
                address: Address,
                /// The link-layer address that it names.
                lladdr: LinkAddr,
                /// Where it was heard.
                segment: SegmentId,
                /// The frame's source.
                frame_lladdr: LinkAddr,
            }
            level: Warning,
            hint: "it did not answer at the link-layer address it names; if it is no forgery: hosts: { ADDRESS: LLADDR }",
            doctor: Warning,
                "ARP packets name another sender than the frame they came in, and nobody answered there: a forger, or a \
                 cluster or relay that does not answer by unicast; they teach nothing",
                fix "the log names both (sender_unconfirmed); if they are legitimate, say where the host is: hosts: { \
                     ADDRESS: LLADDR } of the segment";

            /// A station answers for others; its replies teach nothing.
            ProxyFound = "proxy_found" {
                /// Where it was heard.
                segment: SegmentId,
                /// Its link-layer address.
                lladdr: LinkAddr,
                /// By what it was recognised.
                sign: ProxySign,
            }
            level: Warning,
            hint by lladdr: Some(format!(
                "it answers for others; turn its proxying off, or, if hosts are to be reached through it: \
                 behind: {{ \"{lladdr}\": allow }} of the segment (or their prefix instead of allow)"
            )),
            doctor: Warning,
                "another proxy answers on a segment: its answers teach nothing, but requesters may believe it instead",
                fix "the log names it (proxy_found, lladdr); turn its proxying off, on a Linux router: sysctl \
                     net.ipv4.conf.all.proxy_arp=0; or, if hosts are to be reached through it, allow it in the segment: \
                     behind: { \"LLADDR\": allow }, or their prefix instead of allow";

            /// Two segments of a domain turned out to be one link: frames of ours sent on one were heard on the other.
            /// Nothing is proxied between them until that stops.
            SegmentsBridged = "segments_bridged" {
                /// The one frames were sent on.
                segment: SegmentId,
                /// The one they were heard on.
                other: SegmentId,
            }
            level: Warning,
            hint: "they are one link, so nothing is proxied between them; look for a bridge or a cable",
            doctor: Error,
                "two segments turned out to be one link, so nothing is proxied between them",
                fix "take the cable or bridge between them away, or make them one segment; the log names both \
                     (segments_bridged)";

            /// They are two links again.
            SegmentsSeparated = "segments_separated" {
                /// The one.
                segment: SegmentId,
                /// The other.
                other: SegmentId,
            }
            level: Info;

            /// Something was not learned, or not searched for, because a limit is reached.
            LimitReached = "limit_reached" {
                /// Where.
                segment: SegmentId,
                /// Which limit.
                limit: Limit,
                /// The address that was not learned, or not searched for.
                address: Address,
                /// Its sender, or who asked for it.
                lladdr: LinkAddr,
            }
            level: Warning,
            hint by limit: Some(limit.hint()),
            doctor: Warning,
                "hosts were not learned or not searched for because a limit was reached: a flood, a sweep, or more hosts \
                 than expected",
                fix "the log names the limit and the sender (limit_reached); if they are legitimate: limits: { … } \
                     of the segment, or of the domain for searches_per_second";

            /// So many silent hosts of a segment are to be asked that the pace does not do: they are asked by more than
            /// another `expiry.quiet` too late, and those that are dead keep their routes for so long. Told once, until
            /// `verification_in_time`.
            VerificationLate = "verification_late" {
                /// Where.
                segment: SegmentId,
                /// How many hosts wait to be asked.
                waiting: u32,
                /// How late the one is that was asked last, in seconds.
                seconds: u32,
            }
            level: Warning,
            hint: "raise sweep.rate of the segment, at which known hosts are asked, too, or expiry.quiet; or lower \
                   limits.hosts and limits.new_per_second, if most of the hosts are forged",
            doctor: Warning,
                "more silent hosts are to be asked than the pace allows, so dead ones keep their routes for longer; those \
                 that somebody asks for are asked first",
                fix "the log names the segment (verification_late); raise its sweep.rate, at which known hosts are asked, \
                     too, or expiry.quiet, or lower its limits.hosts; docs/scale.md has the reckoning";

            /// Hosts are asked in time again.
            VerificationInTime = "verification_in_time" {
                /// Where.
                segment: SegmentId,
            }
            level: Info;
        }
    };
}
