//! The shape of the ledger, judged by its calls: `impl` blocks of one type in many files hide circles from whoever
//! looks at imports alone.
//!
//! The sources are read as text. A call is a name that exactly one file defines as a function, followed by an
//! opening parenthesis in another; names that several files define, or that the standard library has too, say
//! nothing of who is meant and are passed over.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Files in one circle of calls at the most.
const CIRCLE: usize = 2;
/// Fields of one struct at the most.
const FIELDS: usize = 14;
/// Methods of one type at the most, over all files.
const METHODS: usize = 60;
/// Names that std's own types have as well.
const COMMON: [&str; 12] = [
    "new", "default", "from", "insert", "remove", "get", "clear", "is_empty", "contains", "next", "len",
    "find",
];

/// The core's sources by path, without comments, strings and unit tests.
fn sources() -> BTreeMap<PathBuf, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut folders = vec![root];
    let mut sources = BTreeMap::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("the core's sources are there") {
            let path = entry.expect("a readable folder").path();
            if path.is_dir() && path.file_name().is_some_and(|name| name != "tests") {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "rs") {
                let text = fs::read_to_string(&path).expect("a readable file");
                sources.insert(path, code_of(&text));
            }
        }
    }
    sources
}

fn code_of(text: &str) -> String {
    let code = text.split("\n#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    code.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

/// The identifiers of a text, each with what follows it.
fn words(code: &str) -> impl Iterator<Item = (&str, &str)> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut rest = code;
    std::iter::from_fn(move || {
        let start = rest.find(is_word)?;
        let from = &rest[start..];
        let end = from.find(|c| !is_word(c)).unwrap_or(from.len());
        rest = &from[end..];
        Some((&from[..end], rest))
    })
}

/// The functions a text defines.
fn functions(code: &str) -> Vec<&str> {
    let names: Vec<_> = words(code).map(|(word, _)| word).collect();
    names.windows(2).filter(|pair| pair[0] == "fn").map(|pair| pair[1]).collect()
}

/// Which file calls into which others.
fn calls(sources: &BTreeMap<PathBuf, String>) -> BTreeMap<&Path, BTreeSet<&Path>> {
    let mut homes: BTreeMap<&str, BTreeSet<&Path>> = BTreeMap::new();
    for (path, code) in sources {
        for name in functions(code) {
            homes.entry(name).or_default().insert(path);
        }
    }
    let home_of = |name: &str| match homes.get(name) {
        Some(homes) if homes.len() == 1 && !COMMON.contains(&name) => homes.first().copied(),
        _ => None,
    };
    let called = |path: &Path, code: &str| -> BTreeSet<&Path> {
        let calls = words(code).filter(|(_, rest)| rest.starts_with('('));
        calls.filter_map(|(name, _)| home_of(name)).filter(|home| *home != path).collect()
    };
    sources.iter().map(|(path, code)| (path.as_path(), called(path, code))).collect()
}

/// All that can be reached from a file.
fn reach<'a>(calls: &BTreeMap<&'a Path, BTreeSet<&'a Path>>, from: &'a Path) -> BTreeSet<&'a Path> {
    let mut seen = BTreeSet::new();
    let mut waiting = vec![from];
    while let Some(path) = waiting.pop() {
        waiting.extend(calls[path].iter().filter(|next| seen.insert(**next)));
    }
    seen
}

#[test]
fn files_do_not_call_in_circles() {
    let sources = sources();
    let calls = calls(&sources);
    assert!(calls.values().map(BTreeSet::len).sum::<usize>() > 100, "the calls are not found: {calls:?}");
    let reached: BTreeMap<_, _> = calls.keys().map(|path| (*path, reach(&calls, path))).collect();
    for (path, from_here) in &reached {
        let circle: Vec<_> = from_here.iter().filter(|other| reached[*other].contains(path)).collect();
        assert!(circle.len() <= CIRCLE, "these call one another in a circle: {circle:?}");
    }
}

#[test]
fn no_struct_has_too_many_fields() {
    let mut most = 0;
    for (path, code) in &sources() {
        for body in code.split("struct ").skip(1).filter(|it| it.contains(" {\n")) {
            let Some(fields) = body.split("\n}").next() else { continue };
            let is_field =
                |line: &&str| line.starts_with("    ") && !line.starts_with("     ") && line.contains(": ");
            let count = fields.lines().skip(1).filter(is_field).count();
            most = most.max(count);
            let name = body.split_whitespace().next().unwrap_or_default();
            assert!(count <= FIELDS, "{name} in {} has {count} fields", path.display());
        }
    }
    assert!(most > 5, "no struct was found");
}

#[test]
fn no_type_has_too_many_methods() {
    let mut methods: BTreeMap<String, usize> = BTreeMap::new();
    for code in sources().values() {
        for block in code.split("\nimpl").skip(1) {
            let Some((head, rest)) = block.split_once('{') else { continue };
            let body = rest.split("\n}").next().unwrap_or_default();
            let head = head.split(" for ").last().unwrap_or_default();
            let name = head.split('<').next().unwrap_or_default().trim();
            *methods.entry(name.to_owned()).or_default() += functions(body).len();
        }
    }
    assert!(methods.get("Ledger").is_some_and(|count| *count > 10), "methods are not found: {methods:?}");
    let many: Vec<_> = methods.iter().filter(|(_, count)| **count > METHODS).collect();
    assert!(many.is_empty(), "too many methods: {many:?}");
}
