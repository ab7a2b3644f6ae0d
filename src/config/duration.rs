//! Durations as the configuration writes them: `500ms`, `60s`, `2m`, `1h`.

use std::time::Duration;

/// Reads a whole number with one unit; a bare number has no unit and is refused.
pub(crate) fn parse(text: &str) -> Option<Duration> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).filter(|at| *at > 0)?;
    let (number, unit) = text.split_at_checked(digits)?;
    let number: u64 = number.parse().ok()?;
    let millis = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return None,
    };
    number.checked_mul(millis).map(Duration::from_millis)
}

/// Writes a duration in the largest unit that leaves a whole number; below a millisecond nothing is kept.
pub(crate) fn show(duration: Duration) -> String {
    let millis = duration.as_millis();
    // 60s reads better than 1m, so minutes start at two.
    for (unit, size, least) in [("h", 3_600_000, 1), ("m", 60_000, 2), ("s", 1_000, 1)] {
        if millis.is_multiple_of(size) && millis >= least * size {
            return format!("{}{unit}", millis / size);
        }
    }
    format!("{millis}ms")
}

/// Reads durations in fillarpd's forms: bare seconds (`60`), or Go's form (`1m30s`, `1.5h`, `500ms`).
pub(crate) fn parse_go(text: &str) -> Option<Duration> {
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        return text.parse().ok().map(Duration::from_secs);
    }
    let mut rest = text;
    let mut total = 0.0_f64;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, tail) = rest.split_at_checked(digits)?;
        let number: f64 = number.parse().ok()?;
        let units =
            [("ms", 1e-3), ("us", 1e-6), ("µs", 1e-6), ("ns", 1e-9), ("h", 3600.0), ("m", 60.0), ("s", 1.0)];
        let (tail, size) = units.iter().find_map(|(unit, size)| Some((tail.strip_prefix(unit)?, *size)))?;
        total += number * size;
        rest = tail;
    }
    if text.is_empty() { None } else { Duration::try_from_secs_f64(total).ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_is_required() {
        assert_eq!(parse("500ms"), Some(Duration::from_millis(500)));
        assert_eq!(parse("2m"), Some(Duration::from_secs(120)));
        for bad in
            ["", "60", "s", "1.5s", "-1s", "1d", "60 s", "99999999999999999999s", "18446744073709551615h"]
        {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn what_is_shown_reads_back() {
        for (text, shown) in
            [("60s", "60s"), ("120s", "2m"), ("90s", "90s"), ("1500ms", "1500ms"), ("60m", "1h")]
        {
            let duration = parse(text).expect("parses");
            assert_eq!(show(duration), shown);
            assert_eq!(parse(shown), Some(duration));
        }
    }

    #[test]
    fn go_durations_and_bare_seconds_are_read() {
        for (text, millis) in
            [("60", 60_000), ("1m30s", 90_000), ("1.5h", 5_400_000), ("1h0m0.5s", 3_600_500)]
        {
            assert_eq!(parse_go(text), Some(Duration::from_millis(millis)), "{text}");
        }
        for bad in ["", "s", "1x", "-5", "1m30", "..s", "99999999999999999999h"] {
            assert_eq!(parse_go(bad), None, "{bad}");
        }
    }
}
