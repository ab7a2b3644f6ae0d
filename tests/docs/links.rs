//! Every relative link leads somewhere.

use std::fs;
use std::path::Path;

use crate::blocks::{pages, root};

/// The anchor that a heading gets.
fn anchor(heading: &str) -> String {
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
    kept.flat_map(char::to_lowercase).map(|c| if c == ' ' { '-' } else { c }).collect()
}

fn leads_somewhere(page: &str, target: &str) -> bool {
    let (file, fragment) = target.split_once('#').unwrap_or((target, ""));
    let folder = Path::new(page).parent().unwrap_or(Path::new(""));
    let path = if file.is_empty() { root().join(page) } else { root().join(folder).join(file) };
    if fragment.is_empty() {
        return path.exists();
    }
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines().any(|line| line.starts_with('#') && anchor(line.trim_start_matches('#').trim()) == fragment)
}

#[harness::test]
fn every_relative_link_and_anchor_leads_somewhere() {
    let (mut faults, mut followed) = (Vec::new(), 0);
    for page in pages() {
        for part in page.prose.split("](").skip(1) {
            let target = part.split(')').next().unwrap_or_default();
            if target.contains("://") || target.is_empty() {
                continue;
            }
            followed += 1;
            if !leads_somewhere(&page.name, target) {
                faults.push(format!("{}: {target}", page.name));
            }
        }
    }
    assert_eq!(faults, Vec::<String>::new());
    assert!(followed > 50, "{followed} links were found");
}

/// A page that the book does not list cannot be found there.
#[harness::test]
fn every_page_is_in_the_summary() {
    let summary = fs::read_to_string(root().join("docs/SUMMARY.md")).expect("the summary");
    let names = pages().into_iter().filter_map(|page| page.name.strip_prefix("docs/").map(str::to_owned));
    let missing: Vec<_> =
        names.filter(|name| name != "SUMMARY.md" && !summary.contains(&format!("({name})"))).collect();
    assert_eq!(missing, Vec::<String>::new());
}
