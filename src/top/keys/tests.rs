use super::super::layout::Pane;
use super::super::model::News;
use super::super::model::tests::filled;
use super::*;

fn press(model: &mut Model, keys: &[KeyCode]) -> Outcome {
    let mut outcome = Outcome::Draw;
    for key in keys {
        outcome = model.press(KeyEvent::new(*key, KeyModifiers::NONE));
    }
    outcome
}

fn typed(model: &mut Model, text: &str) -> Outcome {
    press(model, &text.chars().map(KeyCode::Char).collect::<Vec<_>>())
}

#[test]
fn three_keys_quit() {
    let control_c = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
    assert_eq!(filled((80, 24)).press(control_c), Outcome::Quit);
    assert_eq!(press(&mut filled((80, 24)), &[KeyCode::Char('q')]), Outcome::Quit);
    assert_eq!(press(&mut filled((80, 24)), &[KeyCode::Esc]), Outcome::Quit);
    let mut typing = filled((80, 24));
    assert_ne!(typed(&mut typing, "/q"), Outcome::Quit, "it is typed");
    assert_eq!(typing.press(control_c), Outcome::Quit);
    let mut help = filled((80, 24));
    assert_eq!(press(&mut help, &[KeyCode::Char('?'), KeyCode::Esc]), Outcome::Draw, "only the help closes");
    assert!(!help.help);
}

#[test]
fn sorting_goes_through_the_columns_that_are_seen_and_asks_for_other_hosts() {
    let mut model = filled((80, 24));
    let mut seen = vec![model.pane().column];
    while {
        assert_eq!(typed(&mut model, "s"), Outcome::Ask);
        model.pane().column != 0
    } {
        seen.push(model.pane().column);
    }
    assert_eq!(seen, model.sort_columns());
    typed(&mut model, "S");
    assert_eq!((model.pane().column, model.pane().descending), (8, true), "the age, oldest first");
    typed(&mut model, "r");
    assert!(!model.pane().descending);
}

#[test]
fn segments_are_sorted_and_filtered_here() {
    let mut model = filled((120, 40));
    typed(&mut model, "1");
    let names = |model: &Model| -> Vec<String> {
        model.shown_segments().iter().map(|row| row.view.segment.to_string()).collect()
    };
    assert_eq!(names(&model), ["lan", "fabric"], "the order of the configuration");
    assert_eq!(typed(&mut model, "s"), Outcome::Draw, "the daemon need not be asked");
    assert_eq!(names(&model), ["fabric", "lan"]);
    typed(&mut model, "/no_carr");
    press(&mut model, &[KeyCode::Enter]);
    assert_eq!((names(&model), model.typing.is_none()), (vec!["fabric".to_owned()], true));
    typed(&mut model, "c");
    assert_eq!(names(&model).len(), 2);
}

#[test]
fn a_filter_is_typed_corrected_and_undone() {
    let mut model = filled((80, 24));
    assert_eq!(typed(&mut model, "/fabX"), Outcome::Ask);
    press(&mut model, &[KeyCode::Backspace, KeyCode::Enter]);
    assert_eq!(model.pane().filter.text(), "fab");
    typed(&mut model, "/ric");
    assert_eq!(model.pane().filter.text(), "fabric");
    press(&mut model, &[KeyCode::Esc]);
    assert_eq!((model.pane().filter.text(), model.typing.is_none()), ("fab", true));
    model.press(KeyEvent::new(KeyCode::Char('/'), KeyModifiers::NONE));
    model.press(KeyEvent::new(KeyCode::Char('u'), KeyModifiers::CONTROL));
    assert!(model.pane().filter.is_empty());
}

#[test]
fn scrolling_stays_within_the_rows() {
    let mut model = filled((80, 12));
    let seen = model.page();
    let offset = |model: &Model| model.pane().offset;
    assert!(seen < 20);
    model.hosts.rows = (0..50).map(super::super::testing::host).collect();
    press(&mut model, &[KeyCode::Up]);
    assert_eq!(offset(&model), 0);
    press(&mut model, &[KeyCode::Down, KeyCode::PageDown]);
    assert_eq!(offset(&model), 1 + seen);
    press(&mut model, &[KeyCode::End]);
    assert_eq!(offset(&model), 50 - seen);
    press(&mut model, &[KeyCode::PageDown, KeyCode::PageUp]);
    assert_eq!(offset(&model), 50 - 2 * seen);
    model.hosts.rows.truncate(3);
    model.update(News::Lost { at: model.now, reason: String::new() });
    assert_eq!(offset(&model), 0, "rows went away");
}

#[test]
fn panes_are_chosen_and_shown_alone() {
    let mut model = filled((80, 24));
    press(&mut model, &[KeyCode::Tab]);
    assert_eq!(model.chosen, Pane::Events);
    press(&mut model, &[KeyCode::BackTab, KeyCode::BackTab]);
    assert_eq!(model.chosen, Pane::Segments);
    assert_eq!(press(&mut model, &[KeyCode::Char('z')]), Outcome::Ask, "hosts are not wanted any more");
    assert_eq!(press(&mut model, &[KeyCode::Char('2')]), Outcome::Ask, "now they are");
    assert_eq!(press(&mut model, &[KeyCode::Char('p')]), Outcome::Ask);
    assert!(model.paused);
}
