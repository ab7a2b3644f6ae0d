//! Samples and what is reported of them.

/// A set of measurements of one kind.
#[derive(Clone, Debug, Default)]
pub(crate) struct Samples(Vec<f64>);

impl Samples {
    /// Adds a time, or another whole number.
    pub(crate) fn push(&mut self, value: u64) {
        self.0.push(as_float(value));
    }

    /// Adds a quotient: so much `whole` for each of `parts`.
    pub(crate) fn push_share(&mut self, whole: u64, parts: u64) {
        self.0.push(as_float(whole) / as_float(parts.max(1)));
    }

    /// What is reported of them; all zeros when there are none.
    pub(crate) fn spread(&self) -> Spread {
        let mut sorted = self.0.clone();
        sorted.sort_unstable_by(f64::total_cmp);
        Spread {
            count: sorted.len(),
            median: quantile(&sorted, 50),
            p99: quantile(&sorted, 99),
            largest: quantile(&sorted, 100),
        }
    }
}

/// Median, 99th percentile and maximum. With fewer than a hundred samples the last two are the same.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Spread {
    /// How many samples.
    pub(crate) count: usize,
    /// Half of them are at most this.
    pub(crate) median: f64,
    /// 99 of a hundred are at most this.
    pub(crate) p99: f64,
    /// All are at most this.
    pub(crate) largest: f64,
}

impl Spread {
    /// One value, measured once.
    pub(crate) fn once(value: u64) -> Self {
        let mut samples = Samples::default();
        samples.push(value);
        samples.spread()
    }

    /// Its largest value alone.
    pub(crate) fn worst(self) -> Self {
        Self { count: 1, median: self.largest, p99: self.largest, largest: self.largest }
    }
}

/// Nearest rank.
fn quantile(sorted: &[f64], percent: usize) -> f64 {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied().unwrap_or(0.0)
}

/// Exact up to 2^53.
fn as_float(value: u64) -> f64 {
    value as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_samples() {
        let mut samples = Samples::default();
        (1..=200).rev().for_each(|value| samples.push(value));
        assert_eq!(samples.spread(), Spread { count: 200, median: 100.0, p99: 198.0, largest: 200.0 });
        assert_eq!(Spread::once(7), Spread { count: 1, median: 7.0, p99: 7.0, largest: 7.0 });
        assert_eq!(Samples::default().spread().count, 0);
    }
}
