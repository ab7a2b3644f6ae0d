//! The forms of values as regular expressions of JavaScript (ECMA-262), for the JSON Schema.
//!
//! They accept at least what the readers of the values do. What an expression cannot say, such as a network's host bits,
//! only the readers know.

use std::time::Duration;

/// A name of the operator's choice: `check_name` of `name`.
pub(super) const NAME: &str = r"\S{1,127}";
/// The path of a Unix socket.
pub(super) const SOCKET: &str = r"[^\0]{1,107}";
/// An interface's name or alternative name.
pub(super) const INTERFACE: &str = r"(?!\.{1,2}$)[^\s/:]{1,127}";
/// The name of a network namespace.
pub(super) const NETNS: &str = r"(?!\.{1,2}$)[^\s/]{1,255}";
/// A link-layer address of 6 or 20 octets.
pub(super) const LLADDR: &str = "[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2}){5}((:[0-9A-Fa-f]{2}){14})?";
/// A locally administered unicast address of 6 octets: of its first octet's last two bits the first is set alone.
pub(super) const LOCAL_LLADDR: &str = "[0-9A-Fa-f][26AEae](:[0-9A-Fa-f]{2}){5}";

const OCTET: &str = "(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])";
/// The first octet of an address that a host can have: 1 to 223 without 127.
const FIRST_OCTET: &str = "(22[0-3]|2[01][0-9]|1[3-9][0-9]|12[0-689]|1[01][0-9]|[1-9][0-9]?)";

/// All of a text is of this form.
pub(super) fn whole(form: &str) -> String {
    format!("^{form}$")
}

/// An IPv4 address of a host.
pub(super) fn host() -> String {
    format!(r"{FIRST_OCTET}(\.{OCTET}){{3}}")
}

/// An IPv4 network with a prefix length from 8 to 32.
pub(super) fn network() -> String {
    format!("{}/0?(0?[89]|[12][0-9]|3[0-2])", host())
}

/// What `daemon.http` listens on: an address with its port, or the path of a Unix socket.
pub(super) fn listen() -> String {
    let port = number(1, u16::MAX.into());
    format!(r"(/[^\0]{{0,106}}|(({OCTET}\.){{3}}{OCTET}|\[[0-9A-Fa-f:.%]+\]):{port})")
}

/// A duration from a range, with its unit.
pub(super) fn duration(from: Duration, to: Duration) -> String {
    let (from, to) = (millis(from), millis(to));
    let units = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000)];
    let in_unit = |(unit, size): (&str, u64)| {
        let (least, most) = (from.div_ceil(size), to / size);
        (least <= most).then(|| format!("{}{unit}", number(least, most)))
    };
    let forms: Vec<_> = units.into_iter().filter_map(in_unit).collect();
    whole(&format!("({})", forms.join("|")))
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

/// A whole number from a range, both ends included.
pub(super) fn number(from: u64, to: u64) -> String {
    let mut forms: Vec<String> = (from == 0).then(|| "0".to_owned()).into_iter().collect();
    let mut least = from.max(1);
    while least <= to {
        // As far as the last digits run from zeroes to nines.
        let mut most = least;
        let mut size = 1_u64;
        while let Some(next) = size.checked_mul(10) {
            let end = (least / next).checked_mul(next).and_then(|start| start.checked_add(next - 1));
            let has_more_digits = |end: u64| end.to_string().len() > least.to_string().len();
            match end {
                Some(end) if least.is_multiple_of(next) && end <= to && !has_more_digits(end) => {
                    (most, size) = (end, next);
                }
                _ => break,
            }
        }
        // And then as far as the digit before them goes.
        while let Some(end) = most.checked_add(size) {
            if end > to || end / size / 10 != least / size / 10 {
                break;
            }
            most = end;
        }
        forms.push(digits(least, most, size));
        match most.checked_add(1) {
            Some(next) => least = next,
            None => break,
        }
    }
    format!("0*({})", forms.join("|"))
}

/// Numbers that differ in one digit and all digits after it, of which there are as many as the size has zeroes.
fn digits(least: u64, most: u64, size: u64) -> String {
    let (first, last) = (least / size, most / size);
    let before = if first / 10 > 0 { (first / 10).to_string() } else { String::new() };
    let digit =
        if first == last { (first % 10).to_string() } else { format!("[{}-{}]", first % 10, last % 10) };
    match size.ilog10() {
        0 => format!("{before}{digit}"),
        1 => format!("{before}{digit}[0-9]"),
        zeroes => format!("{before}{digit}[0-9]{{{zeroes}}}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_of_numbers_are_written_digit_by_digit() {
        for (from, to, form) in [
            (1, 5, "0*([1-5])"),
            (0, 100, "0*(0|[1-9]|[1-9][0-9]|100)"),
            (5, 255, "0*([5-9]|[1-9][0-9]|1[0-9]{2}|2[0-4][0-9]|25[0-5])"),
            (
                100,
                604_800,
                "0*([1-9][0-9]{2}|[1-9][0-9]{3}|[1-9][0-9]{4}|[1-5][0-9]{5}|60[0-3][0-9]{3}|604[0-7][0-9]{2}|604800)",
            ),
        ] {
            assert_eq!(number(from, to), form, "{from} to {to}");
        }
        assert!(number(u64::MAX - 1, u64::MAX).ends_with("[4-5])"));
    }

    #[test]
    fn durations_have_a_range_in_each_unit() {
        let form = duration(Duration::from_millis(1500), Duration::from_secs(120));
        assert!(
            form.starts_with("^(0*(1[5-9][0-9]{2}|")
                && form.contains("|0*([2-9]|")
                && form.ends_with("|0*([1-2])m)$"),
            "{form}"
        );
    }
}
