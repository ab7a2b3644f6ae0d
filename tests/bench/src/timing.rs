//! When the next sample comes.

use std::time::Duration;

use crate::sys;

/// The pauses between samples.
#[derive(Clone, Debug)]
pub(crate) enum Timing {
    /// None: caches are warm, and the processors had no time to fall asleep.
    BackToBack,
    /// Exponentially spread, so that they fall together with nothing periodic.
    Random(Dice),
}

impl Timing {
    /// The same pauses in every run.
    pub(crate) fn random() -> Self {
        Self::Random(Dice(0x9e37_79b9_7f4a_7c15))
    }

    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::BackToBack => "back to back",
            Self::Random(_) => "at random",
        }
    }

    /// Waits for the next sample's moment.
    pub(crate) fn pause(&mut self) {
        if let Self::Random(dice) = self {
            sys::pause(dice.pause());
        }
    }
}

/// A small generator of evenly spread numbers (xorshift64*).
#[derive(Clone, Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    /// 1 to 20 ms, exponential with a mean of 5 ms before it is cut.
    fn pause(&mut self) -> Duration {
        let milliseconds = -5.0 * self.fraction().ln();
        Duration::from_secs_f64(milliseconds.clamp(1.0, 20.0) / 1e3)
    }

    /// Above 0, at most 1.
    fn fraction(&mut self) -> f64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let top = u32::try_from(self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32).unwrap_or(0);
        (f64::from(top) + 1.0) / 4_294_967_296.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_are_spread_around_their_mean() {
        let Timing::Random(mut dice) = Timing::random() else { panic!("random is random") };
        let pauses: Vec<f64> = (0..10_000).map(|_| dice.pause().as_secs_f64()).collect();
        let mean = pauses.iter().sum::<f64>() / 1e4;
        assert!((0.0045..0.0055).contains(&mean), "{mean}");
        assert!(pauses.iter().all(|pause| (0.001..=0.02).contains(pause)));
    }
}
