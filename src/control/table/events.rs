//! Output of events.

use std::io;

use super::Output;
use crate::events::EventView;
use crate::log::Escaped;

/// Writes each event as a line: text as in the log, or with `json` one object.
pub(in super::super) fn write_events(
    out: &mut impl Output,
    events: &[EventView],
    json: bool,
) -> io::Result<()> {
    for event in events {
        if json {
            serde_json::to_writer(&mut *out, event)?;
            out.write_all(b"\n")?;
        } else {
            write_line(out, event)?;
        }
    }
    Ok(())
}

fn write_line(out: &mut impl Output, event: &EventView) -> io::Result<()> {
    let EventView { sequence: _, time, level, event: name, netns, values } = event;
    write!(out, "{} {:7} {}", Escaped(time), Escaped(level).to_string(), Escaped(name))?;
    let netns = netns.iter().map(|netns| ("netns", &**netns));
    let values = values.iter().map(|(key, value)| (key.as_str(), value.as_str()));
    for (number, (key, value)) in netns.chain(values).enumerate() {
        let separator = if number == 0 { " " } else { ", " };
        write!(out, "{separator}{}: {}", Escaped(key), Escaped(value))?;
    }
    writeln!(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event() -> EventView {
        EventView {
            sequence: 7,
            time: "2026-01-31T08:00:00.5Z".into(),
            level: "info".into(),
            event: "host_moved".into(),
            netns: None,
            values: [("address".into(), "10.2.0.9".into()), ("segment".into(), "a\nb".into())].into(),
        }
    }

    fn written(json: bool) -> String {
        let mut out = Vec::new();
        write_events(&mut out, &[event(), event()], json).expect("memory does not fail");
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn an_event_is_one_harmless_line() {
        let line = "2026-01-31T08:00:00.5Z info    host_moved address: 10.2.0.9, segment: a\\nb\n";
        assert_eq!(written(false), line.repeat(2));
    }

    #[test]
    fn as_json_it_is_one_object_a_line_with_the_values_beside_its_name() {
        let text = written(true);
        let first: serde_json::Value =
            serde_json::from_str(text.lines().next().expect("a line")).expect("a JSON object");
        assert_eq!(
            (text.lines().count(), &first["event"], &first["address"]),
            (2, &"host_moved".into(), &"10.2.0.9".into())
        );
    }
}
