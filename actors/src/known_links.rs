//! The links that there are, found by number and by name.

use std::collections::{BTreeMap, BTreeSet};

use crate::io::netlink::LinkInfo;

/// All links of one network namespace. A link is found in the same time however many there are: each notification
/// concerns one, and a provider's machine has thousands.
#[derive(Debug, Default)]
pub(crate) struct KnownLinks {
    /// Boxed, for the nodes of such a map are half empty.
    by_index: BTreeMap<u32, Box<LinkInfo>>,
    /// Names and alternative names, each with the number of one that is called so.
    by_name: BTreeSet<(String, u32)>,
}

impl KnownLinks {
    /// A link is like this now. Returns what it was.
    pub(crate) fn insert(&mut self, link: LinkInfo) -> Option<LinkInfo> {
        let before = self.remove(link.index);
        for name in link.names() {
            self.by_name.insert((name.to_owned(), link.index));
        }
        self.by_index.insert(link.index, Box::new(link));
        before
    }

    /// A link is gone. Returns what it was.
    pub(crate) fn remove(&mut self, index: u32) -> Option<LinkInfo> {
        let link = *self.by_index.remove(&index)?;
        for name in link.names() {
            self.by_name.remove(&(name.to_owned(), index));
        }
        Some(link)
    }

    /// The link of that number.
    pub(crate) fn get(&self, index: u32) -> Option<&LinkInfo> {
        self.by_index.get(&index).map(|link| &**link)
    }

    /// The link of that name or alternative name. While news of several changes is read a name may stand at two: the
    /// one whose own name it is comes first.
    pub(crate) fn find(&self, name: &str) -> Option<&LinkInfo> {
        self.called(name).find(|link| link.name == name).or_else(|| self.called(name).next())
    }

    /// All that are called so, in the order of their numbers.
    pub(crate) fn called(&self, name: &str) -> impl Iterator<Item = &LinkInfo> {
        let numbers = self.by_name.range((name.to_owned(), 0)..=(name.to_owned(), u32::MAX));
        numbers.filter_map(|(_, index)| self.get(*index))
    }
}

impl FromIterator<LinkInfo> for KnownLinks {
    fn from_iter<L: IntoIterator<Item = LinkInfo>>(list: L) -> Self {
        let mut links = Self::default();
        for link in list {
            links.insert(link);
        }
        links
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(index: u32, name: &str, alternative: &[&str]) -> LinkInfo {
        let alternative_names = alternative.iter().map(|name| (*name).to_owned()).collect();
        LinkInfo { index, name: name.to_owned(), alternative_names, ..LinkInfo::default() }
    }

    #[test]
    fn a_link_is_found_by_all_its_names_and_an_own_name_comes_first() {
        let mut links: KnownLinks =
            [link(2, "eth0", &["uplink", "eth1"]), link(3, "eth1", &[])].into_iter().collect();
        let index = |links: &KnownLinks, name| links.find(name).map(|link| link.index);
        assert_eq!(
            ["eth0", "uplink", "eth1", "eth2"].map(|name| index(&links, name)),
            [Some(2), Some(2), Some(3), None]
        );
        assert_eq!(links.insert(link(3, "eth2", &[])).map(|link| link.name), Some("eth1".to_owned()));
        assert_eq!(
            (index(&links, "eth1"), index(&links, "eth2")),
            (Some(2), Some(3)),
            "a name that was given up"
        );
        assert_eq!(links.remove(2).map(|link| link.index), Some(2));
        assert_eq!((index(&links, "eth1"), index(&links, "uplink"), links.get(2)), (None, None, None));
    }
}
