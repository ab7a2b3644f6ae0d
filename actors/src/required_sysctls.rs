//! The sysctls that each mode of answering requires, as one table: which values are valid, how the kernel combines
//! the interface's value with that of `all`, why, and which writes correct it. Nothing here reads or writes a sysctl.
//!
//! The daemon sets those marked [`Enforcement::Set`], in the table's order; `arpherd doctor` explains all of them.
//! How values combine is net/core's `IN_DEV_ORCONF`, `IN_DEV_MAXCONF` and `IN_DEV_ANDCONF`
//! (include/linux/inetdevice.h).
//!
//! Two sysctls are not in the table because they are never set. Writing `net.ipv4.ip_forward`
//! resets `forwarding` and redirects of every interface (`inet_forward_change`), and the interface's own
//! `forwarding` is all that the kernel looks at. For `net.ipv4.neigh.default.gc_thresh1..3` see [`GC_THRESH`].

use arpherd_core::plan::{KernelProxy, PrivateVlan, SegmentPlan};

use crate::io::sysctl::Setting;

mod reasons;
#[cfg(test)]
mod tests;

/// Why no `gc_thresh` is set, in one sentence for operators.
pub const GC_THRESH: &str = "gc_thresh1..3 bound the neighbour entries of all network namespaces together \
    and can be set in the initial one alone; entries of arpherd's are exempt (NTF_EXT_LEARNED) and its probes \
    make none, so only what the kernel resolves by itself counts against them";

/// Minimum of requests that may wait for the kernel's delayed replies: the kernel's own default
/// (`arp_tbl.parms`, net/ipv4/arp.c).
pub const LEAST_PROXY_QLEN: i32 = 64;

/// What the kernel has to do on one interface, for all segments reached through it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SysctlMode {
    /// It answers for every target that it routes elsewhere (`proxy_arp`).
    pub proxies: bool,
    /// It answers for single addresses (`ip neigh add proxy`).
    pub entries: bool,
    /// It answers for targets on the requester's own link (`proxy_arp_pvlan`).
    pub answers_on_link: bool,
    /// Packets leave by the interface on which they came in: on a private VLAN, or where two segments share the
    /// interface.
    pub hairpins: bool,
}

impl SysctlMode {
    /// The mode of an interface through which these segments are reached.
    pub fn of<'a>(segments: impl IntoIterator<Item = &'a SegmentPlan>) -> Self {
        let mut mode = Self::default();
        for (before, segment) in segments.into_iter().enumerate() {
            let kernel = segment.kernel_proxy();
            mode.proxies |= kernel == Some(KernelProxy::ProxyArp);
            mode.entries |= kernel == Some(KernelProxy::Entries);
            mode.answers_on_link |= kernel.is_some() && segment.private_vlan == PrivateVlan::Open;
            mode.hairpins |= segment.private_vlan.is_on() || before > 0;
        }
        mode
    }

    /// The mode of an interface of which one name has this mode, and another name that one: both have segments.
    pub(crate) fn beside(self, other: Self) -> Self {
        Self {
            proxies: self.proxies || other.proxies,
            entries: self.entries || other.entries,
            answers_on_link: self.answers_on_link || other.answers_on_link,
            hairpins: true,
        }
    }

    /// Whether the kernel sends any proxied answer.
    fn answers(self) -> bool {
        self.proxies || self.entries || self.answers_on_link
    }
}

/// The directory of a sysctl below `net.ipv4`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SysctlDir {
    /// `conf.INTERFACE`
    Conf,
    /// `neigh.INTERFACE`
    Neigh,
}

/// How the kernel combines the interface's value with that of `all`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Combination {
    /// Only the interface's value counts.
    Own,
    /// On if either is on (`IN_DEV_ORCONF`).
    Either,
    /// The greater one (`IN_DEV_MAXCONF`).
    Greater,
    /// On if both are on, as long as the interface forwards; without forwarding as [`Combination::Either`]
    /// (`IN_DEV_RX_REDIRECTS`).
    BothOnRouters,
}

/// Which combined values are valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// Not 0, by the interface's own value: that of `all` may be set to 0 for another interface.
    On,
    /// 0.
    Off,
    /// This value or more.
    AtLeast(i32),
    /// 0 or 2 (loose), but not 1 (strict). Of `rp_filter`.
    NotStrict,
    /// 0 or 1. Of `arp_ignore`: with 2 or more the router does not answer for a shared `/32`, with 8 not at all.
    AtMostOne,
}

/// Who sets a sysctl.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Enforcement {
    /// The daemon: without it proxying fails or does harm, and only one value can be right.
    Set,
    /// The administrator: it concerns only the router's own addresses, and may be as it is for a reason.
    Recommend,
}

/// One line of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequiredSysctl {
    /// Its directory.
    pub dir: SysctlDir,
    /// Its name in the directory.
    pub key: &'static str,
    /// How the interface's value and that of `all` combine.
    pub combination: Combination,
    /// Which combined values are valid.
    pub condition: Condition,
    /// Who sets it.
    pub enforcement: Enforcement,
    /// Why, in one sentence for operators.
    pub why: &'static str,
}

impl RequiredSysctl {
    /// The sysctl of one interface, which may be `all`.
    pub fn setting(&self, interface: &str) -> Setting {
        match self.dir {
            SysctlDir::Conf => Setting::conf(interface, self.key),
            SysctlDir::Neigh => Setting::neigh(interface, self.key),
        }
    }

    /// The combined value that the kernel uses for the interface; `None` if a value cannot be read. `read` returns
    /// the value of a sysctl.
    pub fn effective(&self, interface: &str, read: &dyn Fn(&Setting) -> Option<i32>) -> Option<i32> {
        let own = read(&self.setting(interface))?;
        if self.combination == Combination::Own {
            return Some(own);
        }
        let all = read(&self.setting("all"))?;
        Some(match self.combination {
            Combination::Own => own,
            Combination::Either => i32::from(own != 0 || all != 0),
            Combination::Greater => own.max(all),
            Combination::BothOnRouters if read(&Setting::conf(interface, "forwarding"))? != 0 => {
                i32::from(own != 0 && all != 0)
            }
            Combination::BothOnRouters => i32::from(own != 0 || all != 0),
        })
    }

    /// The writes, in order, that make the combined value valid; empty if it is. `None` if a value cannot be
    /// read, usually because there is no such interface.
    ///
    /// [`Combination::BothOnRouters`] is judged as if the interface forwarded, because it is to forward.
    pub fn corrections(
        &self,
        interface: &str,
        read: &dyn Fn(&Setting) -> Option<i32>,
    ) -> Option<Vec<(Setting, i32)>> {
        let setting = self.setting(interface);
        let own = read(&setting)?;
        let all = if self.combination == Combination::Own { 0 } else { read(&self.setting("all"))? };
        let mut writes = Vec::new();
        match self.condition {
            Condition::On if own == 0 => writes.push((setting, 1)),
            Condition::AtLeast(least) if own.max(all) < least => writes.push((setting, least)),
            Condition::NotStrict if own.max(all) == 1 => writes.push((setting, 2)),
            Condition::Off if self.combination == Combination::BothOnRouters => {
                if own != 0 && (all != 0 || read(&Setting::conf(interface, "forwarding"))? == 0) {
                    writes.push((setting, 0));
                }
            }
            Condition::Off => {
                let both = [(self.setting("all"), all), (setting, own)];
                writes.extend(both.into_iter().filter(|(_, value)| *value != 0).map(|(which, _)| (which, 0)));
            }
            Condition::AtMostOne => {
                let both = [(self.setting("all"), all), (setting, own)];
                writes.extend(both.into_iter().filter(|(_, value)| *value > 1).map(|(which, _)| (which, 1)));
            }
            Condition::On | Condition::AtLeast(_) | Condition::NotStrict => {}
        }
        Some(writes)
    }
}

/// The shell command that makes these writes; empty if there are none.
pub fn command(writes: &[(Setting, i32)]) -> String {
    let arguments: Vec<_> = writes.iter().map(|(setting, value)| format!(" {setting}={value}")).collect();
    if arguments.is_empty() { String::new() } else { format!("sysctl -w{}", arguments.concat()) }
}

/// The sysctls that an interface needs in this mode, in the order in which they are to be set: first answering
/// that is not wanted is switched off, and last answering that is wanted is switched on, when everything that its
/// replies rely on is in place (with the default `proxy_delay` an interface would delay replies by up to 0.8 s).
pub fn required_sysctls(mode: SysctlMode) -> Vec<RequiredSysctl> {
    let mut table = Vec::new();
    if !mode.proxies {
        let why = if mode.entries { reasons::NO_PROXY_ENTRIES } else { reasons::NO_PROXY };
        table.push(conf("proxy_arp", Combination::Either, Condition::Off, why));
    }
    if !mode.answers_on_link {
        table.push(conf("proxy_arp_pvlan", Combination::Either, Condition::Off, reasons::NO_PVLAN));
    }
    if mode.answers() {
        table.push(neigh("proxy_delay", Condition::Off, reasons::PROXY_DELAY));
        table.push(neigh("proxy_qlen", Condition::AtLeast(LEAST_PROXY_QLEN), reasons::PROXY_QLEN));
    }
    table.push(conf("rp_filter", Combination::Greater, Condition::NotStrict, reasons::RP_FILTER));
    if mode.hairpins {
        table.push(conf("send_redirects", Combination::Either, Condition::Off, reasons::SEND_REDIRECTS));
    }
    table.push(conf("forwarding", Combination::Own, Condition::On, reasons::FORWARDING));
    let (both, why) = (Combination::BothOnRouters, reasons::ACCEPT_REDIRECTS);
    table.push(conf("accept_redirects", both, Condition::Off, why));
    if mode.proxies {
        table.push(conf("proxy_arp", Combination::Either, Condition::On, reasons::PROXY));
    }
    if mode.answers_on_link {
        table.push(conf("proxy_arp_pvlan", Combination::Either, Condition::On, reasons::PVLAN));
    }
    table.extend(recommended(mode));
    table
}

fn conf(
    key: &'static str,
    combination: Combination,
    condition: Condition,
    why: &'static str,
) -> RequiredSysctl {
    let (dir, enforcement) = (SysctlDir::Conf, Enforcement::Set);
    RequiredSysctl { dir, key, combination, condition, enforcement, why }
}

fn neigh(key: &'static str, condition: Condition, why: &'static str) -> RequiredSysctl {
    let (dir, combination, enforcement) = (SysctlDir::Neigh, Combination::Own, Enforcement::Set);
    RequiredSysctl { dir, key, combination, condition, enforcement, why }
}

/// The sysctls that are explained and not set.
fn recommended(mode: SysctlMode) -> Vec<RequiredSysctl> {
    let mut table = vec![
        conf("arp_ignore", Combination::Greater, Condition::AtMostOne, reasons::ARP_IGNORE),
        conf("arp_announce", Combination::Greater, Condition::AtLeast(2), reasons::ARP_ANNOUNCE),
        conf("arp_filter", Combination::Either, Condition::Off, reasons::ARP_FILTER),
    ];
    if mode.proxies {
        table.push(conf("medium_id", Combination::Own, Condition::Off, reasons::MEDIUM_ID));
    }
    for sysctl in &mut table {
        sysctl.enforcement = Enforcement::Recommend;
    }
    table
}
