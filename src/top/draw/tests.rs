use std::path::Path;
use std::time::Duration;
use std::{env, fs};

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Cell;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::super::hosts::KEPT;
use super::super::model::News;
use super::super::model::tests::filled;
use super::super::testing::host;
use super::*;

fn drawn(model: &Model, colour: bool) -> Terminal<TestBackend> {
    let (width, height) = model.size;
    let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("a terminal in memory");
    terminal.draw(|frame| draw(frame, model, Theme { colour })).expect("memory does not fail");
    terminal
}

fn screen(model: &Model) -> String {
    let terminal = drawn(model, true);
    let buffer = terminal.backend().buffer();
    let lines = buffer.content.chunks(usize::from(buffer.area.width)).map(|cells| {
        let line: String = cells.iter().map(Cell::symbol).collect();
        line.trim_end().to_owned() + "\n"
    });
    lines.collect()
}

/// Compares the screen with `tests/NAME.txt`, which `UPDATE_SCREENS=1` writes anew.
fn shows(name: &str, model: &Model) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("src/top/draw/tests/{name}.txt"));
    let screen = screen(model);
    if env::var_os("UPDATE_SCREENS").is_some() {
        fs::write(&file, &screen).expect("the file can be written");
    }
    let expected = fs::read_to_string(&file).expect("there is an expected screen");
    assert!(screen == expected, "{name}, expected:\n{expected}\nfound:\n{screen}");
}

fn press(model: &mut Model, keys: &str) {
    for key in keys.chars() {
        let code = if key == '\n' { KeyCode::Enter } else { KeyCode::Char(key) };
        model.press(KeyEvent::new(code, KeyModifiers::NONE));
    }
}

#[test]
fn everything_at_80_by_24_and_at_120_by_40() {
    shows("80x24", &filled((80, 24)));
    shows("120x40", &filled((120, 40)));
}

#[test]
fn a_low_terminal_has_one_pane_and_a_smaller_one_says_so() {
    shows("62x12", &filled((62, 12)));
    shows("40x6", &filled((40, 6)));
}

#[test]
fn sorting_filtering_and_scrolling_are_seen() {
    let mut model = filled((80, 24));
    press(&mut model, "S/lan\n1/up\n3j/moved");
    model.hosts.matching = 3;
    shows("filtered", &model);
}

#[test]
fn help_lies_over_the_screen() {
    let mut model = filled((80, 24));
    press(&mut model, "?");
    shows("help", &model);
    model.size = (62, 12);
    shows("help_low", &model);
}

#[test]
fn a_lost_daemon_and_hosts_that_are_not_kept_are_said() {
    let mut model = filled((80, 24));
    model.hosts.rows = (0..).take(KEPT).map(host).collect();
    (model.hosts.matching, model.hosts.total) = (65_536, 65_536);
    press(&mut model, "G");
    for second in [3, 8] {
        let reason =
            "no daemon on /run/arpherd/control.sock: no such socket; start it with `arpherd run`".into();
        model.update(News::Lost { at: Duration::from_secs(second), reason });
    }
    shows("lost", &model);
}

#[test]
fn without_colours_there_are_none() {
    let mut model = filled((80, 24));
    press(&mut model, "p");
    for colour in [true, false] {
        let terminal = drawn(&model, colour);
        let plain = |cell: &Cell| cell.fg == Color::Reset && cell.bg == Color::Reset;
        assert_eq!(terminal.backend().buffer().content.iter().all(plain), !colour);
    }
}

#[test]
fn nothing_is_drawn_outside_of_any_terminal() {
    for size in [(0, 0), (1, 1), (62, 12), (63, 13), (80, 19), (80, 20), (81, 21), (300, 100)] {
        for keys in ["", "?", "z", "/漢字", "1s3", "3z"] {
            let mut model = filled(size);
            press(&mut model, keys);
            drawn(&model, true);
        }
    }
}
