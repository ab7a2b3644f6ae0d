//! What each way of answering needs of the kernel's settings, as one table: which setting, which value, how
//! the kernel combines it with that of `all`, why, and what mends it. Nothing here reads or writes a setting.
//!
//! The daemon sets what [`Weight::Must`] marks, in the table's order; `arpherd doctor` explains all of it.
//! How values combine is net/core's `IN_DEV_ORCONF`, `IN_DEV_MAXCONF` and `IN_DEV_ANDCONF`
//! (include/linux/inetdevice.h).
//!
//! Two settings are in no table because nothing is to be set. `net.ipv4.ip_forward` is never written: that
//! resets `forwarding` and redirects of every interface (`inet_forward_change`), and the interface's own
//! `forwarding` is all the kernel asks. For `net.ipv4.neigh.default.gc_thresh1..3` see [`GC_THRESH`].

use arpherd_core::plan::{KernelProxy, PrivateVlan, SegmentPlan};

use crate::io::sysctl::Setting;

#[cfg(test)]
mod tests;
mod why;

/// Why no `gc_thresh` is set, in one sentence for operators.
pub const GC_THRESH: &str = "gc_thresh1..3 bound the neighbour entries of all network namespaces together \
    and can be set in the initial one alone; entries of arpherd's are exempt (NTF_EXT_LEARNED) and its probes \
    make none, so only what the kernel asks for by itself counts against them";

/// How many questions may wait for the kernel's delayed answers, at least: the kernel's own default
/// (`arp_tbl.parms`, net/ipv4/arp.c).
pub const LEAST_PROXY_QLEN: i32 = 64;

/// What the kernel has to do on one interface, whoever wants it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Mode {
    /// It answers for every target that it routes elsewhere (`proxy_arp`).
    pub proxies: bool,
    /// It answers for single addresses (`ip neigh add proxy`).
    pub entries: bool,
    /// It answers for targets on the asker's own link (`proxy_arp_pvlan`).
    pub joins: bool,
    /// Packets leave by the interface they came in by, whoever answered: on a private VLAN, or where two
    /// segments share the interface.
    pub hairpins: bool,
}

impl Mode {
    /// What the segments reached through one interface want of it together.
    pub fn of<'a>(segments: impl IntoIterator<Item = &'a SegmentPlan>) -> Self {
        let mut mode = Self::default();
        for (before, segment) in segments.into_iter().enumerate() {
            let kernel = segment.kernel_proxy();
            mode.proxies |= kernel == Some(KernelProxy::ProxyArp);
            mode.entries |= kernel == Some(KernelProxy::Entries);
            mode.joins |= kernel.is_some() && segment.private_vlan == PrivateVlan::Open;
            mode.hairpins |= segment.private_vlan.is_on() || before > 0;
        }
        mode
    }

    /// Whether the kernel sends any proxied answer.
    fn answers(self) -> bool {
        self.proxies || self.entries || self.joins
    }
}

/// Where a setting lies below `net.ipv4`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Area {
    /// `conf.INTERFACE`
    Conf,
    /// `neigh.INTERFACE`
    Neigh,
}

/// How the kernel combines the interface's value with that of `all`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// The interface's alone counts.
    Own,
    /// On if either is on (`IN_DEV_ORCONF`).
    Either,
    /// The greater one (`IN_DEV_MAXCONF`).
    Greater,
    /// On if both are on, as long as the interface forwards; without forwarding as [`Rule::Either`]
    /// (`IN_DEV_RX_REDIRECTS`).
    BothOnRouters,
}

/// Which values will do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// On. The interface's own value is to say so: that of `all` may be switched off for another interface.
    On,
    /// Off, that is 0, as the sum of both values.
    Off,
    /// This or more.
    AtLeast(i32),
    /// 0 or 2 (loose), but not 1 (strict). Of `rp_filter`.
    NotStrict,
    /// 0 or 1. Of `arp_ignore`: more of it silences the router about a shared `/32`, and 8 about everything.
    AtMostOne,
}

/// Who sees to a need.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weight {
    /// Proxying is broken or harmful without it, and only one value can be right: the daemon sets it.
    Must,
    /// It touches nothing but the router's own addresses and may be as it is for a reason: it is explained
    /// and left to the administrator.
    Advice,
}

/// One line of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Need {
    /// Where the setting lies.
    pub area: Area,
    /// Its name there.
    pub key: &'static str,
    /// How values combine.
    pub rule: Rule,
    /// What is wanted of the combination.
    pub wanted: Wanted,
    /// Who sees to it.
    pub weight: Weight,
    /// Why, in one sentence for operators.
    pub why: &'static str,
}

impl Need {
    /// The setting of one interface, which may be `all`.
    pub fn setting(&self, interface: &str) -> Setting {
        match self.area {
            Area::Conf => Setting::conf(interface, self.key),
            Area::Neigh => Setting::neigh(interface, self.key),
        }
    }

    /// What the kernel goes by on the interface; `None` if a value cannot be read. `read` gives the value of
    /// a setting.
    pub fn effective(&self, interface: &str, read: &dyn Fn(&Setting) -> Option<i32>) -> Option<i32> {
        let own = read(&self.setting(interface))?;
        if self.rule == Rule::Own {
            return Some(own);
        }
        let all = read(&self.setting("all"))?;
        Some(match self.rule {
            Rule::Own => own,
            Rule::Either => i32::from(own != 0 || all != 0),
            Rule::Greater => own.max(all),
            Rule::BothOnRouters if read(&Setting::conf(interface, "forwarding"))? != 0 => {
                i32::from(own != 0 && all != 0)
            }
            Rule::BothOnRouters => i32::from(own != 0 || all != 0),
        })
    }

    /// What is to be written, in this order, so that the need is met; nothing if it is. `None` if a value
    /// cannot be read, mostly because there is no such interface.
    ///
    /// Of [`Rule::BothOnRouters`] what will count once the interface forwards is judged, for that is wanted,
    /// too.
    pub fn mend(
        &self,
        interface: &str,
        read: &dyn Fn(&Setting) -> Option<i32>,
    ) -> Option<Vec<(Setting, i32)>> {
        let setting = self.setting(interface);
        let own = read(&setting)?;
        let all = if self.rule == Rule::Own { 0 } else { read(&self.setting("all"))? };
        let mut writes = Vec::new();
        match self.wanted {
            Wanted::On if own == 0 => writes.push((setting, 1)),
            Wanted::AtLeast(least) if own.max(all) < least => writes.push((setting, least)),
            Wanted::NotStrict if own.max(all) == 1 => writes.push((setting, 2)),
            Wanted::Off if self.rule == Rule::BothOnRouters => {
                if own != 0 && (all != 0 || read(&Setting::conf(interface, "forwarding"))? == 0) {
                    writes.push((setting, 0));
                }
            }
            Wanted::Off => {
                let both = [(self.setting("all"), all), (setting, own)];
                writes.extend(both.into_iter().filter(|(_, value)| *value != 0).map(|(which, _)| (which, 0)));
            }
            Wanted::AtMostOne => {
                let both = [(self.setting("all"), all), (setting, own)];
                writes.extend(both.into_iter().filter(|(_, value)| *value > 1).map(|(which, _)| (which, 1)));
            }
            Wanted::On | Wanted::AtLeast(_) | Wanted::NotStrict => {}
        }
        Some(writes)
    }
}

/// The shell command that writes these.
pub fn command(writes: &[(Setting, i32)]) -> String {
    let words: Vec<_> = writes.iter().map(|(setting, value)| format!(" {setting}={value}")).collect();
    if words.is_empty() { String::new() } else { format!("sysctl -w{}", words.concat()) }
}

/// Everything an interface needs in this mode, in the order in which it is to be set: who must not answer is
/// silenced first, and who is to answer speaks last, when all that makes its answers good is in place
/// (`proxy_delay` above all: an interface that proxies with the default delay answers after 0.8 s).
pub fn needs(mode: Mode) -> Vec<Need> {
    let need = |area, key, rule, wanted, why| Need { area, key, rule, wanted, weight: Weight::Must, why };
    let conf = |key, rule, wanted, why| need(Area::Conf, key, rule, wanted, why);
    let neigh = |key, wanted, why| need(Area::Neigh, key, Rule::Own, wanted, why);
    let proxy = |wanted, why| conf("proxy_arp", Rule::Either, wanted, why);
    let pvlan = |wanted, why| conf("proxy_arp_pvlan", Rule::Either, wanted, why);
    let mut table = Vec::new();
    if !mode.proxies {
        table.push(proxy(Wanted::Off, if mode.entries { why::NO_PROXY_ENTRIES } else { why::NO_PROXY }));
    }
    if !mode.joins {
        table.push(pvlan(Wanted::Off, why::NO_PVLAN));
    }
    if mode.answers() {
        table.push(neigh("proxy_delay", Wanted::Off, why::PROXY_DELAY));
        table.push(neigh("proxy_qlen", Wanted::AtLeast(LEAST_PROXY_QLEN), why::PROXY_QLEN));
    }
    table.push(conf("rp_filter", Rule::Greater, Wanted::NotStrict, why::RP_FILTER));
    if mode.hairpins {
        table.push(conf("send_redirects", Rule::Either, Wanted::Off, why::SEND_REDIRECTS));
    }
    table.push(conf("forwarding", Rule::Own, Wanted::On, why::FORWARDING));
    table.push(conf("accept_redirects", Rule::BothOnRouters, Wanted::Off, why::ACCEPT_REDIRECTS));
    if mode.proxies {
        table.push(proxy(Wanted::On, why::PROXY));
    }
    if mode.joins {
        table.push(pvlan(Wanted::On, why::PVLAN));
    }
    table.extend(advice(mode));
    table
}

/// What is explained and not set.
fn advice(mode: Mode) -> Vec<Need> {
    let advise =
        |key, rule, wanted, why| Need { area: Area::Conf, key, rule, wanted, weight: Weight::Advice, why };
    let mut table = vec![
        advise("arp_ignore", Rule::Greater, Wanted::AtMostOne, why::ARP_IGNORE),
        advise("arp_announce", Rule::Greater, Wanted::AtLeast(2), why::ARP_ANNOUNCE),
        advise("arp_filter", Rule::Either, Wanted::Off, why::ARP_FILTER),
    ];
    if mode.proxies {
        table.push(advise("medium_id", Rule::Own, Wanted::Off, why::MEDIUM_ID));
    }
    table
}
