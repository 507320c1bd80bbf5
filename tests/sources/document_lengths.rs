//! Holds the documents that readers begin with to a length that they finish.

use crate::rust_files;

#[test]
fn the_documents_that_readers_begin_with_stay_short() {
    for (name, most) in [
        ("README.md", 130),
        ("ARCHITECTURE.md", 260),
        ("SECURITY.md", 260),
    ] {
        let text = std::fs::read_to_string(rust_files::root().join(name)).unwrap();
        let lines = text.lines().count();
        assert!(lines < most, "{name} has {lines} lines");
    }
}
