//! Why each sysctl is required, one sentence each, for operators.

pub(super) const NO_PROXY: &str = "with proxy_arp the kernel answers in addition to arpherd, late and for every \
    address it has a route to, by a default route even for addresses that no host has or that are on the \
    requester's own link";

pub(super) const NO_PROXY_ENTRIES: &str = "with proxy_arp the kernel answers for every address it has a \
    route to, and not only for those that arpherd enters";

pub(super) const NO_PVLAN: &str = "with proxy_arp_pvlan the kernel answers for any target on the requester's own \
    link, whether or not it exists";

pub(super) const PROXY_DELAY: &str = "the kernel delays each reply to a broadcast request by up to proxy_delay \
    (0.8 s by default), while the requester's first packets wait";

pub(super) const PROXY_QLEN: &str = "delayed replies beyond proxy_qlen are dropped silently, should proxy_delay \
    ever be set again";

pub(super) const RP_FILTER: &str = "strict reverse-path filtering drops the packets, and if the kernel answers \
    the requests, of every host whose route does not point to it at that moment: new hosts and those that have \
    just moved";

pub(super) const SEND_REDIRECTS: &str = "packets here leave by the interface they came in by, and the kernel \
    would send nearly every sender an ICMP redirect to the other host, which it cannot reach directly; it does so \
    if the value of either all or the interface is not 0";

pub(super) const FORWARDING: &str = "without forwarding on the interface on which a packet comes in the packet is \
    not forwarded, so hosts that got a reply cannot communicate; the kernel sends no proxied reply then";

pub(super) const ACCEPT_REDIRECTS: &str = "a router must not accept ICMP redirects (RFC 1812, 5.2.7.2): any \
    host could divert another's packets to itself; while they are not accepted secure_redirects has no effect";

pub(super) const PROXY: &str = "the kernel is to answer for every target that it routes elsewhere";

pub(super) const PVLAN: &str = "the kernel is to answer for targets on the requester's own link";

pub(super) const ARP_IGNORE: &str = "with 2 or more the router does not answer for an address of its own that \
    is shared as a /32, and with 8 for none; proxied replies are not affected";

pub(super) const ARP_ANNOUNCE: &str = "below 2 the kernel may send requests with a sender address that the \
    segment does not know, and some hosts do not answer such a request";

pub(super) const ARP_FILTER: &str = "with arp_filter the router does not answer for its own address until it \
    has a route back to the requester by the same interface, so new hosts do not find it at once";

pub(super) const MEDIUM_ID: &str = "with proxy_arp the kernel answers nothing between two interfaces whose \
    medium_id is the same and not 0";
