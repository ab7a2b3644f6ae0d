//! Writes docs/reference/metrics.md from what the daemon serves: families, types and meanings as Prometheus gets them.

use std::collections::{BTreeMap, BTreeSet};

use super::snapshot;
use crate::metrics::{Format, ProcessView};

const HEADER: &str = "\
# Metrics reference

Every metric that arpherd has, as it serves them: this page is written from the daemon's own output.

`daemon.http` serves them on `/metrics`, and `arpherd metrics` prints them for node_exporter's textfile collector (without
those of HTTP and of the process, which only the daemon itself knows, and of times where they are not measured). Alert
rules are in `configs/prometheus-alerts.yaml`, a dashboard is in `configs/grafana-dashboard.json`.

No label is ever an address or a host, so the number of series follows from the configuration alone. Counters start at
zero with the daemon. A histogram has the series `_bucket`, `_sum` and `_count`.

## Labels
";

/// Labels and what their values are.
const LABELS: [(&str, &str); 11] = [
    ("domain", "the name of a domain in the configuration"),
    ("segment", "the name of a segment in the configuration"),
    ("netns", "the network namespace of the domain; only where it is not the daemon's own"),
    ("interface", "the interface of a segment, by its present name"),
    ("kind", "the kind of link of a segment: `ethernet`, `wifi`, `ipoib`, or `auto` while that is not known"),
    ("answer", "how requests are answered on a segment (`answer` in the configuration)"),
    ("state", "of a segment `up`, or why it is not; of hosts and routes as listed with the metric"),
    ("event", "the name of an event, see [events](events.md)"),
    ("outcome", "what became of a DHCP message"),
    ("version", "the daemon's version"),
    ("le", "the upper bound of a bucket in the metric's unit"),
];

const PARTS: [(&str, &str); 4] =
    [("The daemon", "arpherd_"), ("Segments", ""), ("HTTP", "arpherd_http_"), ("The process", "process_")];

#[derive(Default)]
struct Family {
    name: String,
    kind: String,
    unit: String,
    meaning: String,
    /// By label, the values in the sample.
    labels: BTreeMap<String, BTreeSet<String>>,
}

impl Family {
    /// The name under which its series are found.
    fn series(&self) -> String {
        let end = match self.kind.as_str() {
            "counter" => "_total",
            "info" => "_info",
            _ => "",
        };
        format!("{}{end}", self.name)
    }

    fn part(&self) -> usize {
        if self.labels.contains_key("segment") {
            return 1;
        }
        let fits = |(_, prefix): &(&str, &str)| !prefix.is_empty() && self.name.starts_with(prefix);
        PARTS.iter().rposition(fits).expect("a part of the page")
    }

    fn row(&self) -> String {
        let label = |(name, values): (&String, &BTreeSet<String>)| {
            let values: Vec<_> = values.iter().map(|value| format!("`{value}`")).collect();
            // Those that the daemon chooses; of others the sample says nothing.
            let is_listed = ["outcome", "state"].contains(&name.as_str()) && self.kind != "info";
            let values = if is_listed { format!(" ({})", values.join(", ")) } else { String::new() };
            format!("`{name}`{values}")
        };
        let labels: Vec<_> = self.labels.iter().map(label).collect();
        let (name, kind, unit) = (self.series(), &self.kind, &self.unit);
        format!("| `{name}` | {kind} | {unit} | {} | {} |\n", labels.join(", "), self.meaning)
    }
}

fn families() -> Vec<Family> {
    let mut snapshot = snapshot();
    snapshot.process = Some(ProcessView::sample());
    let latency = snapshot.segments[0].measured.latency.clone();
    for segment in &mut snapshot.segments {
        segment.segment = "eth0".into();
        segment.measured.latency.clone_from(&latency);
    }
    let text = snapshot.encode(Format::OpenMetrics);
    let mut families: Vec<Family> = Vec::new();
    for line in text.lines() {
        let described = line.strip_prefix("# ").and_then(|rest| {
            let (word, rest) = rest.split_once(' ')?;
            let (name, text) = rest.split_once(' ')?;
            Some((word, name, text))
        });
        match described {
            Some((word, name, text)) => {
                if families.last().is_none_or(|family| family.name != name) {
                    families.push(Family { name: name.to_owned(), ..Family::default() });
                }
                let family = families.last_mut().expect("one was added");
                let field = match word {
                    "HELP" => &mut family.meaning,
                    "TYPE" => &mut family.kind,
                    _ => &mut family.unit,
                };
                text.clone_into(field);
            }
            None => {
                let Some((_, labels)) = line.split_once('{') else { continue };
                let (labels, _) = labels.split_once('}').expect("labels end");
                let family = families.last_mut().expect("a family comes before its series");
                for label in labels.split("\",") {
                    let (name, value) = label.split_once("=\"").expect("a label and its value");
                    let value = value.trim_end_matches('"').to_owned();
                    family.labels.entry(name.to_owned()).or_default().insert(value);
                }
            }
        }
    }
    families
}

fn page() -> String {
    let families = families();
    let mut out = HEADER.to_owned();
    out.push_str("\n| label | value |\n|---|---|\n");
    for (name, value) in LABELS {
        out.push_str(&format!("| `{name}` | {value} |\n"));
    }
    for (number, (title, _)) in PARTS.iter().enumerate() {
        out.push_str(&format!(
            "\n## {title}\n\n| metric | type | unit | labels | meaning |\n|---|---|---|---|---|\n"
        ));
        families
            .iter()
            .filter(|family| family.part() == number)
            .for_each(|family| out.push_str(&family.row()));
    }
    out
}

#[test]
fn the_page_of_metrics_is_a_reference_file_of_what_is_served() {
    crate::reference::compare("docs/reference/metrics.md", &page());
}

#[test]
fn each_label_is_explained_and_each_explained_label_is_there() {
    let families = families();
    let used: BTreeSet<&str> = families.iter().flat_map(|it| it.labels.keys()).map(String::as_str).collect();
    assert_eq!(used, LABELS.iter().map(|(name, _)| *name).collect());
    assert!(families.iter().all(|it| !it.kind.is_empty() && it.meaning.ends_with('.')));
}
