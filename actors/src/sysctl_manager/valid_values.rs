//! The values that sysctls had when they were last found, or made, valid.

use std::collections::BTreeMap;

use crate::io::sysctl::{Setting, SettingName};

/// The values of a handful of sysctls of each interface, of which there may be thousands: what the sysctls are called is
/// kept once.
#[derive(Debug, Default)]
pub(super) struct ValidValues {
    names: Vec<SettingName>,
    /// By interface, in the order of the names; none of those that are not known.
    values: BTreeMap<String, Vec<Option<i32>>>,
}

impl ValidValues {
    /// That of a sysctl, if it is known.
    pub(super) fn get(&self, setting: &Setting) -> Option<i32> {
        let place = self.place(&setting.name())?;
        self.values.get(setting.interface())?.get(place).copied().flatten()
    }

    fn place(&self, name: &SettingName) -> Option<usize> {
        self.names.iter().position(|known| known == name)
    }

    /// That of a sysctl is this now.
    pub(super) fn set(&mut self, setting: &Setting, value: i32) {
        let name = setting.name();
        let place = self.place(&name).unwrap_or_else(|| {
            self.names.push(name);
            self.names.len() - 1
        });
        if !self.values.contains_key(setting.interface()) {
            self.values.insert(setting.interface().to_owned(), Vec::new());
        }
        let Some(values) = self.values.get_mut(setting.interface()) else { return };
        if values.len() <= place {
            values.reserve_exact(self.names.len() - values.len());
            values.resize(self.names.len(), None);
        }
        values[place] = Some(value);
    }

    /// There is no interface of this name any more.
    pub(super) fn forget_interface(&mut self, interface: &str) {
        self.values.remove(interface);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_that_of_one_setting_of_one_interface() {
        let mut values = ValidValues::default();
        let all = [
            Setting::conf("eth0", "rp_filter"),
            Setting::conf("eth0", "forwarding"),
            Setting::neigh("eth0", "proxy_delay"),
            Setting::conf("eth1", "rp_filter"),
        ];
        for (setting, value) in all.iter().zip(0..) {
            assert_eq!(values.get(setting), None);
            values.set(setting, 100);
            values.set(setting, value);
        }
        let present = |values: &ValidValues| all.each_ref().map(|setting| values.get(setting));
        assert_eq!(present(&values), [Some(0), Some(1), Some(2), Some(3)]);
        values.forget_interface("eth0");
        assert_eq!(present(&values), [None, None, None, Some(3)]);
    }
}
