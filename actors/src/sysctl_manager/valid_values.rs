//! The values that sysctls had when they were last found, or made, valid.

use std::collections::BTreeMap;

use crate::io::sysctl::{Setting, SettingName};

/// By interface, so that its name is not kept once for each of its sysctls.
#[derive(Debug, Default)]
pub(super) struct ValidValues(BTreeMap<String, Vec<(SettingName, i32)>>);

impl ValidValues {
    /// That of a sysctl, if it is known.
    pub(super) fn get(&self, setting: &Setting) -> Option<i32> {
        let name = setting.name();
        let values = self.0.get(setting.interface())?;
        values.iter().find(|(its, _)| *its == name).map(|(_, value)| *value)
    }

    /// That of a sysctl is this now.
    pub(super) fn set(&mut self, setting: &Setting, value: i32) {
        let name = setting.name();
        if !self.0.contains_key(setting.interface()) {
            self.0.insert(setting.interface().to_owned(), Vec::new());
        }
        let Some(values) = self.0.get_mut(setting.interface()) else { return };
        match values.iter_mut().find(|(its, _)| *its == name) {
            Some((_, known)) => *known = value,
            None => {
                values.reserve_exact(1);
                values.push((name, value));
            }
        }
    }

    /// There is no interface of this name any more.
    pub(super) fn forget_interface(&mut self, interface: &str) {
        self.0.remove(interface);
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
