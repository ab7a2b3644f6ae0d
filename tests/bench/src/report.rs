//! What was measured, as a table for people and as JSON.

use serde_json::{Value, json};

use crate::stats::Spread;

/// What a number counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    /// Nanoseconds, shown in what fits.
    Time,
    /// Bytes, shown in MiB.
    Bytes,
    /// Things.
    Count,
}

/// What arpherd is to reach.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Goal {
    /// At most this many times the reference's median, and its 99th percentile.
    Ratio(f64, Option<f64>),
    /// The largest value at most this.
    AtMost(f64),
    /// Less than this.
    Below(f64),
    /// The median at most this.
    Median(f64),
    /// Nothing: it is shown because it explains another line.
    Told,
}

/// One line of the report.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    /// The scenario it belongs to, as `--only` names it.
    pub(crate) scenario: &'static str,
    /// What was measured.
    pub(crate) what: String,
    /// What the numbers count.
    pub(crate) unit: Unit,
    /// What arpherd is compared with: the floor, unless `what` says otherwise.
    pub(crate) base: Option<Spread>,
    /// arpherd's numbers.
    pub(crate) arpherd: Spread,
    /// What they are to be.
    pub(crate) goal: Goal,
}

impl Row {
    /// Arpherd's median and 99th percentile as multiples of the base's.
    fn ratios(&self) -> Option<(f64, f64)> {
        let base = self.base.filter(|base| base.median > 0.0 && base.p99 > 0.0)?;
        Some((self.arpherd.median / base.median, self.arpherd.p99 / base.p99))
    }

    /// Whether the goal is reached; none where there is none.
    pub(crate) fn met(&self) -> Option<bool> {
        match self.goal {
            Goal::Ratio(median, p99) => {
                let (m, p) = self.ratios()?;
                Some(m <= median && p99.is_none_or(|p99| p <= p99))
            }
            Goal::AtMost(limit) => Some(self.arpherd.largest <= limit),
            Goal::Median(limit) => Some(self.arpherd.median <= limit),
            Goal::Below(limit) => Some(self.arpherd.largest < limit),
            Goal::Told => None,
        }
    }

    fn cells(&self) -> [String; 6] {
        let spread = |spread: &Spread| shown(spread, self.unit);
        let ratio = self.ratios().map(|(m, p)| match self.arpherd.count {
            0 | 1 => format!("{m:.2}"),
            _ => format!("{m:.2} / {p:.2}"),
        });
        let goal = match self.goal {
            Goal::Ratio(m, Some(p)) => format!("{m} / {p}"),
            Goal::Ratio(m, None) => format!("{m}"),
            Goal::AtMost(limit) => format!("≤ {}", alone(limit, self.unit)),
            Goal::Median(limit) => format!("≤ {}", alone(limit, self.unit)),
            Goal::Below(limit) => format!("< {}", alone(limit, self.unit)),
            Goal::Told => String::new(),
        };
        let verdict = self.met().map_or("", |met| if met { "ok" } else { "MISSED" });
        [
            self.what.clone(),
            self.base.as_ref().map(spread).unwrap_or_default(),
            spread(&self.arpherd),
            ratio.unwrap_or_default(),
            goal,
            verdict.to_owned(),
        ]
    }

    fn json(&self) -> Value {
        let spread = |spread: &Spread| {
            let Spread { count, median, p99, largest } = spread;
            json!({ "count": count, "median": median, "p99": p99, "max": largest })
        };
        let goal = match self.goal {
            Goal::Ratio(median, p99) => json!({ "ratio_median": median, "ratio_p99": p99 }),
            Goal::AtMost(limit) => json!({ "at_most": limit }),
            Goal::Median(limit) => json!({ "median": limit }),
            Goal::Below(limit) => json!({ "below": limit }),
            Goal::Told => Value::Null,
        };
        let unit = match self.unit {
            Unit::Time => "ns",
            Unit::Bytes => "bytes",
            Unit::Count => "count",
        };
        json!({
            "scenario": self.scenario,
            "what": self.what,
            "unit": unit,
            "base": self.base.as_ref().map(spread),
            "arpherd": spread(&self.arpherd),
            "ratio": self.ratios().map(|(median, p99)| json!({ "median": median, "p99": p99 })),
            "goal": goal,
            "met": self.met(),
        })
    }
}

const HEAD: [&str; 6] = ["median / p99", "floor", "arpherd", "ratio", "goal", ""];
/// Octets of a line at most 100.
const WIDTHS: [usize; 6] = [36, 16, 16, 11, 9, 6];

/// The table's first two lines.
pub(crate) fn head() -> String {
    let rule: Vec<String> = WIDTHS.iter().map(|width| "-".repeat(*width)).collect();
    format!("{}\n{}", line(&HEAD.map(str::to_owned)), rule.join(" "))
}

/// A row as a line of the table.
pub(crate) fn body(row: &Row) -> String {
    line(&row.cells())
}

/// The whole report.
pub(crate) fn json(rows: &[Row], quick: bool) -> Value {
    let rows: Vec<Value> = rows.iter().map(Row::json).collect();
    let cpus = std::thread::available_parallelism().map_or(0, usize::from);
    json!({ "quick": quick, "cpus": cpus, "rows": rows })
}

fn line(cells: &[String; 6]) -> String {
    let mut line = String::new();
    for (place, (cell, width)) in cells.iter().zip(WIDTHS).enumerate() {
        let pad = " ".repeat(width.saturating_sub(cell.chars().count()));
        // Words to the left, numbers to the right.
        let words = place == 0 || place == 5;
        line += &if words { format!("{cell}{pad} ") } else { format!("{pad}{cell} ") };
    }
    line.trim_end().to_owned()
}

/// `12.3 / 45.6 µs`; only one number when there was one sample.
fn shown(spread: &Spread, unit: Unit) -> String {
    let (factor, name) = scale(spread.median, unit);
    let number = |value: f64| match (unit, value * factor) {
        (Unit::Count, value) => format!("{value}"),
        (_, value) if value < 9.995 => format!("{value:.2}"),
        (_, value) if value < 999.5 => format!("{value:.1}"),
        (_, value) => format!("{value:.0}"),
    };
    let numbers = match spread.count {
        0 => "none".to_owned(),
        1 => number(spread.median),
        _ => format!("{} / {}", number(spread.median), number(spread.p99)),
    };
    format!("{numbers} {name}").trim_end().to_owned()
}

fn alone(value: f64, unit: Unit) -> String {
    let (factor, name) = scale(value, unit);
    format!("{} {name}", value * factor).trim_end().to_owned()
}

fn scale(value: f64, unit: Unit) -> (f64, &'static str) {
    match unit {
        Unit::Time if value < 1e6 => (1e-3, "µs"),
        Unit::Time if value < 1e9 => (1e-6, "ms"),
        Unit::Time => (1e-9, "s"),
        Unit::Bytes => (1.0 / f64::from(1 << 20), "MiB"),
        Unit::Count => (1.0, ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::Samples;

    fn samples(values: [u64; 2]) -> Spread {
        let mut samples = Samples::default();
        values.into_iter().for_each(|value| samples.push(value));
        samples.spread()
    }

    fn row(goal: Goal) -> Row {
        let (base, arpherd) = (Some(samples([40_000, 80_000])), samples([48_000, 240_000]));
        Row { scenario: "s", what: "w".to_owned(), unit: Unit::Time, base, arpherd, goal }
    }

    #[test]
    fn a_goal_is_met_by_all_of_its_numbers() {
        assert_eq!(row(Goal::Ratio(1.3, None)).met(), Some(true));
        assert_eq!(row(Goal::Ratio(1.3, Some(2.5))).met(), Some(false));
        assert_eq!(row(Goal::AtMost(240_000.0)).met(), Some(true));
        assert_eq!(row(Goal::Below(240_000.0)).met(), Some(false));
        assert_eq!(row(Goal::Told).met(), None);
    }

    #[test]
    fn lines_fit_a_hundred_columns() {
        assert!(head().lines().all(|line| line.chars().count() <= 100));
        let text = body(&row(Goal::Ratio(1.3, Some(2.5))));
        assert_eq!(
            text.split_whitespace().collect::<Vec<_>>().join(" "),
            "w 40.0 / 80.0 µs 48.0 / 240.0 µs 1.20 / 3.00 1.3 / 2.5 MISSED"
        );
        assert_eq!(shown(&Spread::once(3 << 19), Unit::Bytes), "1.50 MiB");
        assert_eq!(alone(2e9, Unit::Time), "2 s");
    }
}
