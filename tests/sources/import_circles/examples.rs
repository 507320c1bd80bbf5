//! Small crates with circles and without.

use std::path::Path;

use super::crate_files::Crate;
use super::graph::Graph;

/// The circles of a crate of these files, each as its files.
fn circles(files: &[(&str, &str)]) -> Vec<Vec<String>> {
    let folder = tempfile::tempdir().unwrap();
    for (name, source) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, source).unwrap();
    }
    let name = |path: &Path| {
        let path = path.strip_prefix(folder.path()).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let read = Crate::read(&folder.path().join("lib.rs"), &name);
    let circles = Graph::of(&read).circles();
    circles.into_iter().map(|circle| circle.files).collect()
}

const ROOT: &str = "mod a; mod b;";

#[test]
fn files_that_use_each_others_items_are_a_circle() {
    for b in [
        "use crate::a::A; pub struct B;",
        "use super::a::A; pub struct B;",
        "use crate::{a::{self, A}}; pub struct B;",
        "use crate::a; pub struct B; fn f() { a::A::new() }",
        "pub struct B; fn f() { crate::a::A::new() }",
        "pub struct B; fn f() { println!(\"{}\", crate::a::A) }",
        "pub struct B; fn f() { use crate::a::A; }",
        "use crate::a::*; pub struct B;",
        "pub struct B; mod inner { use super::super::a::A; }",
        "pub struct B; impl From<crate::a::A> for B {}",
        "pub struct B; fn f() { crate::made_in_a!() }",
    ] {
        let files = [
            ("lib.rs", ROOT),
            (
                "a.rs",
                "use crate::b::B; pub struct A; #[macro_export] macro_rules! made_in_a { () => {} }",
            ),
            ("b.rs", b),
        ];
        assert_eq!(circles(&files), [["a.rs", "b.rs"]], "{b}");
    }
}

#[test]
fn one_way_is_no_circle_nor_are_comments_texts_tests_and_visibilities() {
    for b in [
        "pub struct B;",
        "/// See [`crate::a::A`].\npub struct B; // use crate::a::A;",
        "pub struct B; const TEXT: &str = \"use crate::a::A;\";",
        "pub struct B; #[cfg(test)] mod tests { use crate::a::A; }",
        "pub struct B; #[cfg(test)] use crate::a::A;",
        "pub(in crate::a) struct B;",
        "use other::a::A; pub struct B;",
        "use crate::a; pub struct B;",
    ] {
        let files = [
            ("lib.rs", ROOT),
            ("a.rs", "use crate::b::B; pub struct A;"),
            ("b.rs", b),
        ];
        assert_eq!(circles(&files), [] as [Vec<String>; 0], "{b}");
    }
}

#[test]
fn a_parent_that_re_exports_its_child_is_a_circle_where_it_defines_what_the_child_uses() {
    let parent = "mod child; mod other; pub use child::Child; pub use other::Other;";
    let files = |parent| {
        [
            ("lib.rs", "mod p;"),
            ("p/mod.rs", parent),
            ("p/child.rs", "use super::Other; pub struct Child;"),
            ("p/other.rs", "pub struct Other;"),
        ]
    };
    assert_eq!(circles(&files(parent)), [] as [Vec<String>; 0]);
    let glob = "mod child; mod other; pub use child::*; pub use other::*;";
    assert_eq!(circles(&files(glob)), [] as [Vec<String>; 0]);
    let defines = "mod child; mod other; pub use child::Child; pub struct Other;";
    assert_eq!(circles(&files(defines)), [["p/mod.rs", "p/child.rs"]]);
}

#[test]
fn a_renamed_re_export_leads_to_the_file_that_defines_the_item() {
    let files = [
        ("lib.rs", "mod a; mod b; mod c; pub use a::A as Renamed;"),
        ("a.rs", "use crate::c::C; pub struct A;"),
        ("b.rs", "pub struct B;"),
        ("c.rs", "use crate::Renamed; use crate::b::B; pub struct C;"),
    ];
    assert_eq!(circles(&files), [["a.rs", "c.rs"]]);
}

#[test]
fn a_longer_circle_is_told_with_the_names_that_tie_it() {
    let folder = tempfile::tempdir().unwrap();
    for (name, source) in [
        ("lib.rs", "mod a; mod b; mod c;"),
        ("a.rs", "pub const A: u8 = crate::b::B;"),
        ("b.rs", "pub const B: u8 = crate::c::C;"),
        ("c.rs", "pub const C: u8 = 0; fn f() -> u8 { crate::a::A }"),
    ] {
        std::fs::write(folder.path().join(name), source).unwrap();
    }
    let name = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
    let read = Crate::read(&folder.path().join("lib.rs"), &name);
    let circles = Graph::of(&read).circles();
    assert_eq!(circles.len(), 1);
    let text = circles[0].to_string();
    assert!(text.starts_with("a.rs, b.rs, c.rs\n"), "{text}");
    assert!(text.contains("  c.rs needs a.rs for crate::a::A"), "{text}");
}
