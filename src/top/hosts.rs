//! The hosts that are shown: of 65,536 only the first in the order that is wanted.

use std::cmp::Ordering;

use arpherd_core::view::HostView;

use super::columns::HOSTS;
use super::filter::Filter;

/// Rows that are kept.
pub(super) const KEPT: usize = 2048;

/// Which hosts are wanted, and in which order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct HostsWanted {
    /// Those that the filter allows.
    pub(super) filter: Filter,
    /// By this column of [`HOSTS`].
    pub(super) column: usize,
    /// The greatest first.
    pub(super) descending: bool,
}

impl HostsWanted {
    /// Which of two comes first; hosts that are equal by the column are in the order of domain and address.
    pub(super) fn order(&self, a: &HostView, b: &HostView) -> Ordering {
        let order = HOSTS.get(self.column).map_or(Ordering::Equal, |column| (column.order)(a, b));
        let order = if self.descending { order.reverse() } else { order };
        order.then_with(|| (&a.domain, a.address, &a.netns).cmp(&(&b.domain, b.address, &b.netns)))
    }
}

/// The first hosts of all.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct HostsPage {
    /// In the order that was wanted, [`KEPT`] at the most.
    pub(super) rows: Vec<HostView>,
    /// How many the filter allows.
    pub(super) matching: usize,
    /// How many there are.
    pub(super) total: usize,
}

/// Collects a page from rows in any order, with room for twice of what it keeps.
#[derive(Debug)]
pub(super) struct HostsCollector {
    wanted: HostsWanted,
    page: HostsPage,
}

impl HostsCollector {
    pub(super) fn new(wanted: HostsWanted) -> Self {
        Self { wanted, page: HostsPage::default() }
    }

    pub(super) fn add(&mut self, host: HostView) {
        self.page.total += 1;
        if self.wanted.filter.allows_host(&host) {
            self.page.matching += 1;
            self.page.rows.push(host);
            if self.page.rows.len() >= 2 * KEPT {
                self.shorten();
            }
        }
    }

    pub(super) fn finish(mut self) -> HostsPage {
        self.shorten();
        let Self { wanted, mut page } = self;
        page.rows.sort_unstable_by(|a, b| wanted.order(a, b));
        page
    }

    fn shorten(&mut self) {
        if self.page.rows.len() > KEPT {
            let wanted = &self.wanted;
            self.page.rows.select_nth_unstable_by(KEPT, |a, b| wanted.order(a, b));
            self.page.rows.truncate(KEPT);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::host;
    use super::*;

    fn page(wanted: HostsWanted, hosts: u32) -> HostsPage {
        let mut collector = HostsCollector::new(wanted);
        // Neither sorted nor the reverse of it.
        for number in (0..hosts).map(|number| number * 7919 % hosts) {
            collector.add(host(number));
            assert!(collector.page.rows.len() < 2 * KEPT);
        }
        collector.finish()
    }

    #[test]
    fn of_65_536_hosts_the_first_are_kept() {
        let found = page(HostsWanted::default(), 65_536);
        let first: Vec<_> = (0..).take(KEPT).map(host).collect();
        assert_eq!((found.total, found.matching, found.rows == first), (65_536, 65_536, true));
    }

    #[test]
    fn a_filter_and_an_order_choose_others() {
        let filter = Filter::new("fabric 10.2.0.0/24");
        let found = page(HostsWanted { filter, column: 8, descending: true }, 1000);
        assert_eq!((found.total, found.matching), (1000, 128));
        let ages: Vec<_> = found.rows.iter().map(|host| host.age_seconds).collect();
        assert!(ages.is_sorted_by(|a, b| a >= b), "{ages:?}");
        assert!(found.rows.iter().all(|host| &*host.segment == "fabric"));
    }
}
