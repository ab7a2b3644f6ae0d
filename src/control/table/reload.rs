//! Output of a reload.

use std::io;

use serde_json::Value;

use super::{Left, Output, TextTable, none, text};
use crate::reload::command::{KeyChange, ReloadView};

/// Writes what changed, or would change; with `json` as one object.
pub(in super::super) fn write_reload(out: &mut impl Output, view: &ReloadView, json: bool) -> io::Result<()> {
    if json {
        serde_json::to_writer(&mut *out, view)?;
        return out.write_all(b"\n");
    }
    let applied = if view.applied { "in effect" } else { "not applied" };
    let keys = if view.changes.len() == 1 { "key" } else { "keys" };
    writeln!(out, "{} {keys} changed, {applied}", view.changes.len())?;
    if view.changes.is_empty() {
        return Ok(());
    }
    let mut table = TextTable::new(&[Left("key"), Left("before"), Left("after")]);
    for KeyChange { key, before, after } in &view.changes {
        table.add([text(key), value(before), value(after)]);
    }
    table.write(out)
}

fn value(value: &Value) -> String {
    match value {
        Value::Null => none(),
        Value::String(plain) => text(plain),
        other => text(&other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_changed_key_is_a_row() {
        let change = KeyChange { key: "routes.metric".into(), before: 50.into(), after: Value::Null };
        let view = ReloadView { applied: true, changes: vec![change] };
        let mut out = Vec::new();
        write_reload(&mut out, &view, false).expect("memory does not fail");
        let expected = "1 key changed, in effect\nkey            before  after\nroutes.metric  50      -\n";
        assert_eq!(String::from_utf8(out).expect("text"), expected);
    }
}
