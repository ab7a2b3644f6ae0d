//! The rest of the table of events: DHCP. See `table.rs`.

/// Defines the events of the entries given and of those here, in this order.
macro_rules! with_leases {
    ($($entries:tt)*) => {
        with_pairs! {
            $($entries)*

            /// A DHCP server granted an address to a client that did not have it there; its host is known and routed from
            /// then on.
            LeaseGranted = "lease_granted" {
                /// The address.
                address: Address,
                /// The client's link-layer address; empty on InfiniBand, where DHCP does not tell it.
                lladdr: LinkAddr,
                /// Where the client is.
                segment: SegmentId,
                /// The server's identifier.
                server: Address,
                /// The client's identifier, or its hardware address, in hexadecimal.
                client: String,
            }
            level: Info;

            /// A lease is over; its host is asked whether it is still there, and goes if it does not answer.
            LeaseEnded = "lease_ended" {
                /// The address.
                address: Address,
                /// Where the client was.
                segment: SegmentId,
                /// The client's identifier, or its hardware address, in hexadecimal.
                client: String,
                /// Why.
                end: LeaseEnd,
            }
            level: Info;

            /// An address was heard from another station than the client that has its lease.
            LeaseConflict = "lease_conflict" {
                /// The address.
                address: Address,
                /// The link-layer address of the client that has the lease.
                lladdr: LinkAddr,
                /// Where that client is.
                segment: SegmentId,
                /// The link-layer address that was heard.
                claimant_lladdr: LinkAddr,
                /// Where it was heard.
                claimant_segment: SegmentId,
            }
            level: Warning,
            hint: "somebody uses an address that a server granted to another: give it another address, or keep the address \
                   out of the server's pool",
            doctor: Warning,
                "somebody uses an address that a DHCP server granted to another client",
                fix "the log has both link-layer addresses (lease_conflict); give one another address, or keep it out of \
                     the server's pool";

            /// An address was heard on a segment with `learn: { from: leases }` that has no lease for its sender; it is
            /// not learned.
            NotLeased = "not_leased" {
                /// The address.
                address: Address,
                /// Its sender.
                lladdr: LinkAddr,
                /// Where it was heard.
                segment: SegmentId,
            }
            level: Warning,
            hint: "have it get the address by DHCP, or configure it in hosts or pins of the segment",
            doctor: Warning,
                "hosts use addresses without a lease on a segment where only leases are believed; they are not reached",
                fix "the log names them (not_leased); have them get an address by DHCP, or configure them in hosts: or \
                     pins: of the segment";

            /// A DHCP server that is not believed answered a client of the segment.
            RogueDhcpServer = "rogue_dhcp_server" {
                /// The server's identifier.
                server: Address,
                /// Its link-layer address, where the link tells it.
                lladdr: LinkAddr,
                /// Where it answered.
                segment: SegmentId,
                /// What it offered.
                address: Address,
            }
            level: Warning,
            hint: "turn it off; or, if it is yours: dhcp: { servers: [ … ] } of the domain, or dhcp: servers of its segment",
            doctor: Warning,
                "a DHCP server answers clients that is none of the domain's; who believes it may be cut off",
                fix "the log names it and its segment (rogue_dhcp_server); turn it off, or, if it is yours, add it to \
                     dhcp: { servers: … } of the domain";

            /// A DHCP server offered an address that belongs to no prefix of the domain; the client was not told.
            DhcpAddressOutside = "dhcp_address_outside" {
                /// The server's identifier.
                server: Address,
                /// The address.
                address: Address,
                /// Where the client is.
                segment: SegmentId,
            }
            level: Warning,
            hint: "the server chose another subnet: it may not know link selection (RFC 3527); give the gateway an address \
                   of the domain",
            doctor: Warning,
                "a DHCP server offers addresses of another subnet, which clients are not told",
                fix "the log names both (dhcp_address_outside); give the gateway an address of the domain, or a server that \
                     knows link selection (RFC 3527)";

            /// A client on InfiniBand sent no client identifier (RFC 4390), without which it cannot be told from others.
            DhcpClientUnidentified = "dhcp_client_unidentified" {
                /// Its link-layer address, where the link tells it.
                lladdr: LinkAddr,
                /// Where it is.
                segment: SegmentId,
            }
            level: Warning,
            hint: "have it send one; dhclient: send dhcp-client-identifier; udhcpc: -x 0x3d:…",
            doctor: Warning,
                "a client on InfiniBand sends no client identifier, so it gets no lease",
                fix "have it send one (RFC 4390); dhclient: send dhcp-client-identifier; udhcpc: -x 0x3d:…";

            /// Messages of DHCP clients were dropped because there were too many.
            DhcpLimited = "dhcp_limited" {
                /// Where.
                segment: SegmentId,
                /// How many, since the last report.
                dropped: u32,
            }
            level: Warning,
            hint: "look for a flood; if so many clients are right: limits.dhcp_per_second of the segment",
            doctor: Warning,
                "messages of DHCP clients were dropped because there were too many: a flood, or more clients than expected",
                fix "the log names the segment (dhcp_limited); if they are right: limits: { dhcp_per_second: … }";

            /// A DHCP server does not answer what is relayed to it.
            DhcpServerSilent = "dhcp_server_silent" {
                /// The server.
                server: Address,
                /// Where a client asks.
                segment: SegmentId,
                /// For how long it has been asked in vain.
                seconds: u32,
            }
            level: Warning,
            hint: "look whether it runs, serves the subnet, and is reached from here by UDP port 67",
            doctor: Warning,
                "a DHCP server did not answer what was relayed to it",
                fix "the log names it (dhcp_server_silent); look whether it runs, serves the subnet, and whether a firewall \
                     lets UDP port 67 pass; arpherd status shows whether it answers now";

            /// A DHCP server answers what is relayed to it: for the first time, or again.
            DhcpServerAnswers = "dhcp_server_answers" {
                /// The server.
                server: Address,
                /// Where a client asked.
                segment: SegmentId,
            }
            level: Info;
        }
    };
}
