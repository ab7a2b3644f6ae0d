//! Errors of malformed recordings.

use arpherd_core::Plan;
use proptest::prelude::*;

use super::replay;

const PLAN: &str = include_str!("../../tests/replay/questions.jsonl");

/// The first line of a good recording.
fn head() -> &'static str {
    PLAN.lines().next().expect("the recording has a first line")
}

fn error_of(recording: &str) -> String {
    let mut out = Vec::new();
    replay(recording.as_bytes(), &mut out, false).expect_err("the recording is malformed").to_string()
}

#[test]
fn an_empty_recording_is_refused() {
    assert_eq!(error_of(""), "line 1: found the end of the file, expected the plan: {\"plan\": {…}}");
}

#[test]
fn errors_name_the_line_and_the_column() {
    let text = error_of(&format!("{}\n{{\"at\": 1, \"fact\": \"time_passed\"}}\n{{\"at\": 1,, }}\n", head()));
    assert_eq!(text, "line 3, column 10: key must be a string");
    let text = error_of(&format!("{}\n{{\"at\": 1, \"fact\": \"time_flew\"}}\n", head()));
    // Whether the column is that of the start or the end of the name depends on serde_json's features.
    assert!(text.starts_with("line 2, column "), "{text}");
    assert!(text.contains(": unknown variant `time_flew`, expected one of `heard`"), "{text}");
    let text = error_of("{\"fact\": \"time_passed\"}");
    assert!(text.starts_with("line 1, column 7: unknown field `fact`, expected `why` or `plan`"), "{text}");
}

#[test]
fn time_does_not_run_backwards() {
    let late = "{\"at\": 7, \"fact\": \"time_passed\"}";
    let early = "{\"at\": 6, \"fact\": \"time_passed\"}";
    let text = error_of(&format!("{}\n{late}\n\n{early}\n", head()));
    assert!(text.starts_with("line 4: found the time 6, expected one from 7 to "), "{text}");
    let text = error_of(&format!("{}\n{{\"at\": {}, \"fact\": \"time_passed\"}}\n", head(), u64::MAX));
    assert!(text.starts_with("line 2: found the time 18446744073709551615"), "{text}");
}

#[test]
fn a_plan_whose_segments_have_no_domain_is_refused() {
    #[derive(serde::Deserialize)]
    struct Header {
        plan: Plan,
    }
    let Header { mut plan } = serde_json::from_str(head()).expect("the recording's plan is valid");
    plan.domains.clear();
    let text = serde_json::to_string(&plan).expect("a plan can be written");
    let text = error_of(&format!("{{\"plan\": {text}}}"));
    assert_eq!(text, "line 1: segment \"lan\" has domain 0, expected a number below 0");
}

#[test]
fn bytes_that_are_not_utf8_are_refused() {
    let mut out = Vec::new();
    let error = replay(&b"\xff\xfe\n"[..], &mut out, false).expect_err("not UTF-8");
    assert!(error.to_string().starts_with("line 1: cannot be read: "), "{error}");
}

#[test]
fn an_output_that_cannot_be_written_ends_the_replay() {
    let mut closed = [0; 8];
    let error = replay(PLAN.as_bytes(), &mut &mut closed[..], true).expect_err("there is no room");
    assert!(error.to_string().starts_with("cannot write the orders: "), "{error}");
}

#[test]
fn json_output_has_one_object_a_line() {
    let (mut text, mut objects) = (Vec::new(), Vec::new());
    let summary = replay(PLAN.as_bytes(), &mut text, false).expect("the recording is valid");
    assert_eq!(replay(PLAN.as_bytes(), &mut objects, true).expect("the recording is valid"), summary);
    let objects = String::from_utf8(objects).expect("JSON is text");
    for line in objects.lines() {
        let object: serde_json::Value = serde_json::from_str(line).expect("each line is an object");
        assert!(object["at"].is_u64() && !object["order"].is_null(), "{line}");
    }
    let text = String::from_utf8(text).expect("the output is UTF-8");
    assert_eq!(text.lines().count(), objects.lines().count());
    assert_eq!(text.lines().count() as u64, summary.orders);
    assert!(summary.why.is_some() && summary.facts > 0);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_handled(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = replay(&bytes[..], &mut Vec::new(), false);
    }

    #[test]
    fn any_changed_byte_is_handled(at in 0..PLAN.len(), byte in any::<u8>()) {
        let mut bytes = PLAN.as_bytes().to_vec();
        bytes[at] = byte;
        let _ = replay(&bytes[..], &mut Vec::new(), true);
    }
}
