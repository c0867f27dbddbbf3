//! The import graph of small crates: files and, below them, the arrows that are read from them.

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Reads a crate of these files; the first is its root.
fn check(files: &[(&str, &str)], expected: &[&str]) {
    let folder = write(files);
    let imports = layers::imports(&folder.join(files[0].0)).expect("source that can be read");
    let arrows = imports.iter().flat_map(|(file, arrows)| {
        arrows.iter().map(move |(target, names)| {
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            format!("{} -> {}: {}", file.display(), target.display(), names.join(", "))
        })
    });
    let arrows: Vec<String> = arrows.collect();
    fs::remove_dir_all(folder).expect("a folder of this test's own");
    assert_eq!(arrows, expected, "{files:#?}");
}

fn write(files: &[(&str, &str)]) -> PathBuf {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let name = format!("gateway-layers-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    let folder = std::env::temp_dir().join(name);
    for (name, text) in files {
        let file = folder.join(name);
        fs::create_dir_all(file.parent().expect("a folder")).expect("a folder that can be made");
        fs::write(file, text).expect("a file that can be written");
    }
    folder
}

#[test]
fn use_declarations() {
    check(
        &[
            ("lib.rs", "mod a; mod b; mod c;"),
            ("a.rs", "use crate::b::One;\nuse crate::{b::{Two, three as four}, c::{self, Five}};\nuse std::fmt;"),
            ("b.rs", "pub struct One; pub struct Two; pub fn three() {}"),
            ("c.rs", "pub struct Five;"),
        ],
        &["a.rs -> b.rs: One, Two, three", "a.rs -> c.rs: Five"],
    );
}

#[test]
fn a_module_is_only_the_way_to_its_names() {
    check(
        &[
            ("lib.rs", "mod a; mod b;"),
            ("a.rs", "use crate::b;\nuse crate::b as other;\nfn f() { b::one(); other::two(); }"),
            ("b.rs", "pub fn one() {} pub fn two() {}"),
        ],
        &["a.rs -> b.rs: one, two"],
    );
}

#[test]
fn paths_in_code_and_in_macros() {
    check(
        &[
            ("lib.rs", "mod a; mod b;"),
            (
                "a.rs",
                "static X: &dyn crate::b::Trait = &crate::b::One;
                 fn f(x: Option<crate::b::Two>) { println!(\"{}\", crate::b::three()); <u8 as crate::b::Four>::b::c(); }
                 macro_rules! m { () => { $crate::b::five() } }",
            ),
            ("b.rs", ""),
        ],
        &["a.rs -> b.rs: Four, One, Trait, Two, five, three"],
    );
}

#[test]
fn re_exported_names_belong_to_the_module_that_defines_them() {
    check(
        &[
            ("lib.rs", "mod a; mod b;"),
            ("a.rs", "use crate::b::{One, Renamed, Two};"),
            ("b.rs", "mod c; pub use c::{One, Other as Renamed}; pub(crate) use c::*;"),
            ("b/c.rs", "pub struct One; pub struct Other; pub struct Two;"),
        ],
        &["a.rs -> b/c.rs: One, Other, Two", "b.rs -> b/c.rs: *, One, Other"],
    );
}

#[test]
fn a_child_takes_what_its_parent_has_taken() {
    check(
        &[
            ("lib.rs", "mod a; mod b;"),
            ("a.rs", "mod child; use crate::b::One;"),
            ("a/child.rs", "use super::One; use super::super::b::Two; fn f() { self::g(); super::h() }"),
            ("b.rs", "pub struct One; pub struct Two;"),
        ],
        &["a/child.rs -> a.rs: h", "a/child.rs -> b.rs: One, Two", "a.rs -> b.rs: One"],
    );
}

#[test]
fn globs_take_the_names_that_are_written() {
    check(
        &[
            ("lib.rs", "mod a; mod b; mod c; mod d;"),
            ("a.rs", "use crate::b::*; fn f(one: One) -> Passed { two() }"),
            ("b.rs", "pub use crate::c::Passed; pub struct One; pub fn two() {} pub struct Unused;"),
            ("c.rs", "pub struct Passed;"),
            // The methods of a trait are called without naming it.
            ("d.rs", "use crate::b::*; fn f() { x.y() }"),
        ],
        &["a.rs -> b.rs: One, two", "a.rs -> c.rs: Passed", "b.rs -> c.rs: Passed", "d.rs -> b.rs: *"],
    );
}

#[test]
fn inline_modules_belong_to_their_file() {
    check(
        &[
            ("lib.rs", "mod a; mod b;"),
            ("a.rs", "mod inner { use super::f; use crate::b::One; mod deeper; } fn f() {} use inner::deeper::g;"),
            ("a/inner/deeper.rs", "pub fn g() { super::super::f() }"),
            ("b.rs", "pub struct One;"),
        ],
        &["a/inner/deeper.rs -> a.rs: f", "a.rs -> a/inner/deeper.rs: g", "a.rs -> b.rs: One"],
    );
}

#[test]
fn tests_are_left_out() {
    check(
        &[
            ("lib.rs", "mod a; mod b; #[cfg(test)] mod missing; mod only_tests;"),
            (
                "a.rs",
                "/// Words.
                 #[cfg(test)] use crate::b::One;
                 #[cfg(test)] impl<A, B> Two for crate::b::Three {}
                 #[cfg(all(test, unix))] fn f() { crate::b::four() }
                 #[cfg(any(test, fuzzing))] fn g() { crate::b::five() }
                 #[cfg(not(test))] fn h() { crate::b::six() }
                 struct S { #[cfg(test)] x: Map<u8, crate::b::Seven>, y: crate::b::Eight }
                 #[cfg(test)] mod tests { use super::*; use crate::b::Nine; }",
            ),
            ("b.rs", ""),
            ("only_tests.rs", "#![cfg(test)]\nuse crate::b::Ten;"),
        ],
        &["a.rs -> b.rs: Eight, five, six"],
    );
}

#[test]
fn places_and_names_of_modules() {
    check(
        &[
            ("lib.rs", "#[path = \"elsewhere/x.rs\"] mod a; mod r#async; mod old; extern crate self as own;"),
            ("elsewhere/x.rs", "use crate::r#async::r#type;"),
            ("async.rs", "pub fn r#type() { own::old::f() }"),
            ("old/mod.rs", "mod below; pub use below::f;"),
            ("old/below.rs", "pub fn f() {}"),
        ],
        &["async.rs -> old/below.rs: f", "elsewhere/x.rs -> async.rs: type", "old/mod.rs -> old/below.rs: f"],
    );
}

#[test]
fn a_circle_of_three() {
    let folder = write(&[
        ("lib.rs", "mod a; mod b; mod c; mod d;"),
        ("a.rs", "use crate::b::B;"),
        ("b.rs", "use crate::c::C;"),
        ("c.rs", "use crate::a::A; use crate::d::D;"),
        ("d.rs", "pub struct D;"),
    ]);
    let imports = layers::imports(&folder.join("lib.rs")).expect("source that can be read");
    fs::remove_dir_all(folder).expect("a folder of this test's own");
    let circles: Vec<Vec<PathBuf>> =
        layers::circles(&imports).into_iter().map(|circle| circle.into_iter().collect()).collect();
    assert_eq!(circles, [["a.rs", "b.rs", "c.rs"].map(PathBuf::from)]);
}

#[test]
fn declarations_inside_functions() {
    check(
        &[
            ("lib.rs", "mod a; mod b;"),
            ("a.rs", "fn f() { use crate::b; use crate::b::Two; b::one(); }"),
            ("b.rs", "pub fn one() {} pub struct Two;"),
        ],
        &["a.rs -> b.rs: Two, one"],
    );
}
