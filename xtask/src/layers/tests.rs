//! The checker on small crates that are made up here.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use super::crates::faults_of;
use super::graph::circles;
use super::{Crate, circle_faults, upward_imports};

fn read(files: &[(&str, &str)]) -> Crate {
    let files: HashMap<PathBuf, String> =
        files.iter().map(|(name, text)| (PathBuf::from(name), (*text).to_owned())).collect();
    Crate::read(Path::new("src/lib.rs"), &|file| files.get(file).cloned()).unwrap()
}

fn pairs(source: &Crate) -> Vec<(String, String)> {
    let short = |path: &Path| path.strip_prefix("src").unwrap().display().to_string();
    let pairs: BTreeSet<_> =
        source.edges().iter().map(|edge| (short(&edge.from), short(&edge.to))).collect();
    pairs.into_iter().collect()
}

fn pair(from: &str, to: &str) -> (String, String) {
    (from.to_owned(), to.to_owned())
}

#[test]
fn an_import_leads_to_the_file_that_defines_the_name() {
    let source = read(&[
        ("src/lib.rs", "mod a; mod b; pub use a::Item;"),
        ("src/a/mod.rs", "mod inner; pub use inner::Item;"),
        ("src/a/inner.rs", "pub struct Item;"),
        ("src/b.rs", "use crate::Item; fn f(_: Item) {}"),
    ]);
    assert_eq!(pairs(&source), [pair("b.rs", "a/inner.rs")]);
}

#[test]
fn a_path_in_code_and_in_a_macro_is_an_import() {
    let source = read(&[
        ("src/lib.rs", "mod a; mod b; mod c;"),
        ("src/a.rs", "pub fn f() {}"),
        ("src/b.rs", "fn g() { crate::a::f() }"),
        ("src/c.rs", "use crate::a; fn g() { assert_eq!((), a::f()) }"),
    ]);
    assert_eq!(pairs(&source), [pair("b.rs", "a.rs"), pair("c.rs", "a.rs")]);
}

#[test]
fn groups_renames_and_globs_are_followed() {
    let source = read(&[
        ("src/lib.rs", "mod a; mod b; mod c; mod d;"),
        ("src/a.rs", "pub struct One; pub struct Two;"),
        ("src/b.rs", "use crate::a::{One as First, Two};"),
        ("src/c.rs", "pub use crate::a::*;"),
        ("src/d.rs", "use super::c::One;"),
    ]);
    assert_eq!(pairs(&source), [pair("b.rs", "a.rs"), pair("d.rs", "a.rs")]);
}

#[test]
fn tests_and_other_crates_are_left_out() {
    let source = read(&[
        ("src/lib.rs", "mod a; mod b;"),
        ("src/a.rs", "pub fn f() {} #[cfg(test)] mod tests { use crate::b::g; }"),
        (
            "src/b.rs",
            "use std::fmt; use other::a::f; pub fn g() { fmt::x(); s.a(); <T as Q>::a() }",
        ),
    ]);
    assert_eq!(pairs(&source), []);
}

#[test]
fn a_child_may_take_what_its_parent_only_passes_on() {
    let source = read(&[
        ("src/lib.rs", "mod a;"),
        ("src/a/mod.rs", "mod left; mod right; pub use left::Left; pub use right::Right;"),
        ("src/a/left.rs", "pub struct Left;"),
        ("src/a/right.rs", "use super::Left; pub struct Right(Left);"),
    ]);
    assert_eq!(pairs(&source), [pair("a/right.rs", "a/left.rs")]);
    assert!(circles(&source.edges()).is_empty());
}

#[test]
fn a_parent_that_uses_a_child_that_uses_it_is_a_circle() {
    let source = read(&[
        ("src/lib.rs", "mod a;"),
        ("src/a/mod.rs", "mod child; pub use child::Child; pub struct Parent(Child);"),
        ("src/a/child.rs", "use super::Parent; pub struct Child; fn f(_: Parent) {}"),
    ]);
    let found = circles(&source.edges());
    let files = ["src/a/child.rs", "src/a/mod.rs"].map(PathBuf::from);
    assert_eq!(found, [BTreeSet::from(files)]);
    let faults = circle_faults(&source.edges());
    assert_eq!(faults.len(), 3, "{faults:#?}");
    assert!(faults[1].contains("src/a/child.rs:1 imports super::Parent from src/a/mod.rs"));
}

#[test]
fn circles_over_several_files_are_found_and_apart() {
    let source = read(&[
        ("src/lib.rs", "mod a; mod b; mod c; mod d; mod e;"),
        ("src/a.rs", "use crate::b::B; pub struct A;"),
        ("src/b.rs", "use crate::c::C; pub struct B;"),
        ("src/c.rs", "use crate::a::A; use crate::d::D; pub struct C;"),
        ("src/d.rs", "use crate::e::E; pub struct D;"),
        ("src/e.rs", "use crate::d::D; pub struct E;"),
    ]);
    let sizes: Vec<usize> = circles(&source.edges()).iter().map(BTreeSet::len).collect();
    assert_eq!(sizes, [3, 2]);
}

#[test]
fn an_upward_import_is_a_fault_and_a_downward_one_is_not() {
    let source = read(&[
        ("src/lib.rs", "mod values; mod rules;"),
        ("src/values.rs", "use crate::rules::Rule; pub struct Value;"),
        ("src/rules.rs", "use crate::values::Value; pub struct Rule;"),
    ]);
    let faults = upward_imports("made", &source, &source.edges(), &[&["values"], &["rules"]]);
    assert_eq!(faults.len(), 1, "{faults:#?}");
    assert!(faults[0].contains("src/values.rs:1 imports crate::rules::Rule from src/rules.rs"));
}

#[test]
fn a_module_in_no_band_is_a_fault() {
    let source = read(&[("src/lib.rs", "mod a; mod b;"), ("src/a.rs", ""), ("src/b.rs", "")]);
    let faults = upward_imports("made", &source, &source.edges(), &[&["a"]]);
    assert_eq!(faults.len(), 1, "{faults:#?}");
    assert!(faults[0].contains("module b is in no band"));
}

#[test]
fn a_crate_may_depend_on_what_its_row_lists_and_no_more() {
    let names = |names: &[&str]| names.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>();
    assert!(faults_of("keyfob-store", &names(&["keyfob-core", "async-trait"])).is_empty());
    assert_eq!(faults_of("keyfob-store", &names(&["keyfob"])).len(), 1);
    assert_eq!(faults_of("keyfob-core", &names(&["tokio"])).len(), 1);
    assert_eq!(faults_of("keyfob-store", &names(&["aws-lc-rs"])).len(), 1);
    assert_eq!(faults_of("keyfob-made-up", &[]).len(), 1);
}
