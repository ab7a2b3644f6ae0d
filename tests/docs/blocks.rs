//! The pages and their fenced blocks.

use std::fs;
use std::path::{Path, PathBuf};

/// The repository's root.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// README or a page of `docs`.
pub(crate) struct Page {
    /// Its path below the root.
    pub(crate) name: String,
    /// Its text without fenced blocks; a block's lines are empty there.
    pub(crate) prose: String,
    /// Its fenced blocks.
    pub(crate) blocks: Vec<Block>,
}

/// A fenced block.
#[derive(Clone)]
pub(crate) struct Block {
    /// The line of its fence, from 1.
    pub(crate) line: usize,
    /// The language: the first word after the fence.
    pub(crate) language: String,
    /// What follows the language, separated by commas.
    pub(crate) tags: Vec<String>,
    /// Its lines, without the fence's indentation.
    pub(crate) text: String,
}

impl Block {
    /// Whether its language and tags are these.
    pub(crate) fn is(&self, info: &str) -> bool {
        std::iter::once(&self.language).chain(&self.tags).map(String::as_str).eq(info.split(','))
    }

    /// The value of the tag `NAME=VALUE`.
    pub(crate) fn tag(&self, name: &str) -> Option<&str> {
        self.tags.iter().find_map(|tag| tag.strip_prefix(name)?.strip_prefix('='))
    }

    /// Its lines that say something.
    pub(crate) fn lines(&self) -> impl Iterator<Item = &str> {
        self.text.lines().map(str::trim_end).filter(|line| !line.is_empty() && !line.starts_with('#'))
    }
}

/// README and every page of `docs`.
pub(crate) fn pages() -> Vec<Page> {
    let mut files = vec![root().join("README.md")];
    collect(&root().join("docs"), &mut files);
    assert!(files.len() > 20, "the pages are found: {files:?}");
    files.iter().map(|file| page(file)).collect()
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "md") {
            files.push(path);
        }
    }
    files.sort();
}

fn page(file: &Path) -> Page {
    let text = fs::read_to_string(file).expect("a page");
    let name = file.strip_prefix(root()).expect("below the root").display().to_string();
    let (mut prose, mut blocks) = (String::new(), Vec::new());
    let mut open: Option<(Block, usize)> = None;
    for (number, line) in text.lines().enumerate() {
        let indent = line.len() - line.trim_start().len();
        let fence = line.trim_start().strip_prefix("```");
        match (&mut open, fence) {
            (None, Some(info)) => {
                let mut words = info.split(',').map(|word| word.trim().to_owned());
                let language = words.next().unwrap_or_default();
                let block = Block { line: number + 1, language, tags: words.collect(), text: String::new() };
                open = Some((block, indent));
            }
            (Some(_), Some(_)) => blocks.extend(open.take().map(|(block, _)| block)),
            (Some((block, indent)), None) => {
                block.text.push_str(line.get(*indent..).unwrap_or_default());
                block.text.push('\n');
            }
            (None, None) => prose.push_str(line),
        }
        prose.push('\n');
    }
    assert!(open.is_none(), "{name}: a block that does not end");
    Page { name, prose, blocks }
}

/// Nothing escapes by its language.
#[harness::test]
fn every_block_has_a_language_that_says_what_is_done_with_it() {
    let known = ["text", "console", "sh", "sh,ip", "sh,cargo", "sh,package", "sh,systemd"];
    let mut faults = Vec::new();
    for page in pages() {
        for block in &page.blocks {
            let configuration = ["yaml", "toml"].contains(&block.language.as_str())
                && block.tags.iter().all(|tag| tag.starts_with("fragment=") || tag.starts_with("file="));
            // Of another program: a file that a test of its own gives to it.
            let other_file =
                block.language == "text" && matches!(&block.tags[..], [tag] if tag.starts_with("file="));
            if !configuration && !other_file && !known.iter().any(|info| block.is(info)) {
                faults.push(format!("{}:{}: {} {:?}", page.name, block.line, block.language, block.tags));
            }
        }
    }
    assert_eq!(faults, Vec::<String>::new());
}

/// Lines that need cargo, a package manager or systemd are run where these are.
#[harness::test]
fn lines_for_other_programs_are_those_of_other_tests() {
    let justfile = fs::read_to_string(root().join("Justfile")).expect("the Justfile");
    let elsewhere = |folder: &str| -> String {
        let files = fs::read_dir(root().join("tests").join(folder)).into_iter().flatten().flatten();
        files.filter_map(|file| fs::read_to_string(file.path()).ok()).collect()
    };
    let installation = fs::read_to_string(root().join("docs/install.md")).expect("the page");
    let (packages, systemd) = (elsewhere("packages"), elsewhere("systemd"));
    let mut faults = Vec::new();
    for page in pages() {
        for block in &page.blocks {
            for line in block.lines().map(|line| line.split(" #").next().unwrap_or_default().trim()) {
                let found = if block.is("sh,cargo") {
                    justfile.lines().any(|recipe| {
                        let recipe = recipe.replace(" --locked", "");
                        recipe.trim().starts_with(line)
                            || line.strip_prefix("just ").is_some_and(|it| recipe == format!("{it}:"))
                    })
                } else if block.is("sh,package") {
                    // The package's test reads the page and runs its blocks.
                    installation.contains(line) && packages.contains("/srv/install.md\", \"sh,package\"")
                } else if block.is("sh,systemd") {
                    systemd.contains(&page.name)
                } else {
                    true
                };
                if !found {
                    faults.push(format!("{}:{}: {line}", page.name, block.line));
                }
            }
        }
    }
    assert_eq!(faults, Vec::<String>::new());
}
