//! The public names of the crate `keyfob`, held to a list that is checked in.
//!
//! A name counts with the path by which an application reaches it. Names that another crate of the
//! workspace defines and `keyfob` re-exports count too. Methods and fields do not: they are for
//! `cargo-public-api`, which needs a nightly compiler.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use anyhow::{Context, Result, bail};

use crate::layers::{Crate, Import, Module, Reach, read_crate};

const CRATE: &str = "keyfob";
const LIST: &str = "crates/keyfob/public-names.txt";

/// Compares the public names with the list, or writes the list.
pub(crate) fn run(args: &[String]) -> Result<()> {
    let file = crate::cargo::root().join(LIST);
    let names = Workspace::default().names(CRATE)?;
    match args {
        [] => {
            let listed = fs::read_to_string(&file).with_context(|| format!("{LIST} is missing"))?;
            compare(&listed.lines().map(str::to_owned).collect(), &names)
        }
        [flag] if flag == "--bless" => {
            let mut text = String::new();
            for name in &names {
                text.push_str(name);
                text.push('\n');
            }
            fs::write(&file, text)?;
            crate::say(&format!("{LIST}: {} names", names.len()));
            Ok(())
        }
        _ => bail!("usage: cargo xtask surface [--bless]"),
    }
}

fn compare(listed: &BTreeSet<String>, found: &BTreeSet<String>) -> Result<()> {
    let new = found.difference(listed).map(|name| format!("  + {name}"));
    let gone = listed.difference(found).map(|name| format!("  - {name}"));
    let changes: Vec<_> = new.chain(gone).collect();
    if !changes.is_empty() {
        bail!(
            "the public names of {CRATE} changed:\n{}\nIf that is meant, run `cargo xtask surface \
             --bless` and commit {LIST}",
            changes.join("\n")
        );
    }
    Ok(())
}

/// The crates that were read so far.
#[derive(Default)]
struct Workspace {
    crates: BTreeMap<String, Crate>,
}

/// A module of a crate, by name and number.
type Place = (String, usize);

impl Workspace {
    fn names(&mut self, name: &str) -> Result<BTreeSet<String>> {
        let mut names = BTreeSet::new();
        self.read(name)?;
        self.collect((name.to_owned(), 0), name, &mut BTreeSet::new(), &mut names)?;
        Ok(names)
    }

    /// Reads a crate of the workspace by the name that code has for it. Returns `None` if it is not
    /// one of the workspace.
    fn read(&mut self, name: &str) -> Result<Option<String>> {
        let name = name.replace('_', "-");
        if self.crates.contains_key(&name) {
            return Ok(Some(name));
        }
        if !crate::cargo::root().join("crates").join(&name).is_dir() {
            return Ok(None);
        }
        let source = read_crate(&name)?;
        self.crates.insert(name.clone(), source);
        Ok(Some(name))
    }

    fn module(&self, place: &Place) -> Result<&Module> {
        let source = self.crates.get(&place.0).context("a crate that was not read")?;
        source.modules.get(place.1).context("a module that is not there")
    }

    /// Adds what is public in a module, under the path `prefix`.
    fn collect(
        &mut self,
        place: Place,
        prefix: &str,
        open: &mut BTreeSet<Place>,
        names: &mut BTreeSet<String>,
    ) -> Result<()> {
        // A module that re-exports one that it is in would not end.
        if !open.insert(place.clone()) {
            return Ok(());
        }
        let module = self.module(&place)?;
        let defined = module.defined.iter().filter(|(_, is_public)| **is_public);
        names.extend(defined.map(|(name, _)| format!("{prefix}::{name}")));
        let children: Vec<(String, usize)> =
            module.children.iter().map(|(name, child)| (name.clone(), *child)).collect();
        let imports: Vec<(Vec<String>, String)> = module
            .imports
            .iter()
            .filter(|import| import.reach == Reach::Public && !import.is_hidden)
            .map(|Import { path, name, .. }| (path.clone(), name.clone()))
            .collect();
        if place.1 == 0 {
            let source = self.crates.get(&place.0).context("a crate that was not read")?;
            names.extend(source.macros.keys().map(|name| format!("{prefix}::{name}!")));
        }
        for (name, child) in children {
            let child = (place.0.clone(), child);
            if self.module(&child)?.is_public {
                let prefix = format!("{prefix}::{name}");
                names.insert(prefix.clone());
                self.collect(child, &prefix, open, names)?;
            }
        }
        for (path, name) in imports {
            let target = self.find_module(&place, &path)?;
            match (name.as_str(), target) {
                ("*", Some(target)) => self.collect(target, prefix, open, names)?,
                ("*" | "_", _) => {}
                (name, target) => {
                    let name = format!("{prefix}::{name}");
                    names.insert(name.clone());
                    if let Some(target) = target {
                        self.collect(target, &name, open, names)?;
                    }
                }
            }
        }
        open.remove(&place);
        Ok(())
    }

    /// The module that a path leads to, over re-exports and into other crates of the workspace.
    /// `None` if it leads to an item.
    fn find_module(&mut self, from: &Place, path: &[String]) -> Result<Option<Place>> {
        let mut at = from.clone();
        for (step, name) in path.iter().enumerate() {
            let module = self.module(&at)?;
            let next = match name.as_str() {
                "crate" => Some((at.0.clone(), 0)),
                "self" => Some(at.clone()),
                "super" => module.parent.map(|parent| (at.0.clone(), parent)),
                name => {
                    let child = module.children.get(name).map(|child| (at.0.clone(), *child));
                    let import = module
                        .imports
                        .iter()
                        .find(|import| import.name == name && import.path.as_slice() != path);
                    let import = import.map(|import| import.path.clone());
                    match (child, import) {
                        (Some(child), _) => Some(child),
                        (None, Some(path)) => self.find_module(&at, &path)?,
                        // Only the first name of a path can be a crate.
                        (None, None) if step == 0 => self.read(name)?.map(|name| (name, 0)),
                        (None, None) => None,
                    }
                }
            };
            let Some(next) = next else { return Ok(None) };
            at = next;
        }
        Ok(Some(at))
    }
}

#[cfg(test)]
mod tests {
    //! The comparison, and the names of this workspace.

    use super::*;

    fn set(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn a_new_name_and_a_missing_one_are_both_shown() {
        assert!(compare(&set(&["a", "b"]), &set(&["a", "b"])).is_ok());
        let error = compare(&set(&["a", "b"]), &set(&["b", "c"])).unwrap_err().to_string();
        assert!(error.contains("  + c\n  - a\n"), "{error}");
    }

    #[test]
    fn names_are_found_in_the_root_in_modules_and_in_other_crates() {
        let names = Workspace::default().names(CRATE).unwrap();
        for name in ["keyfob::TokenManager", "keyfob::Grant", "keyfob::store::RecordStore"] {
            assert!(names.contains(name), "{name}");
        }
        assert!(!names.iter().any(|name| name.contains("fuzzing")));
    }
}
