//! Files that are written from the code's own tables. They are committed, and a test fails while one differs.

/// Compares a committed file with what the code gives; with UPDATE_REFERENCE=1 in the environment writes it first.
pub(crate) fn compare(file: &str, expected: &str) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    if std::env::var_os("UPDATE_REFERENCE").is_some() {
        std::fs::write(&path, expected).expect("the reference file is written");
    }
    let committed = std::fs::read_to_string(&path).expect("the reference file is read");
    assert!(
        committed == expected,
        "{file} differs from the code's table; write it again with \
         UPDATE_REFERENCE=1 cargo test -p arpherd --bin arpherd reference_file"
    );
}
