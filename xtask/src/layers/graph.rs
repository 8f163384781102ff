//! Which file of a crate imports which, and the circles among them.
//!
//! - A name that a module re-exports counts as an import of the file that *defines* it. So
//!   `use super::Name` is no import of the parent's file if the parent has the name from elsewhere.
//! - A re-export alone (`pub use child::Name`) is no import. It is one if the code beside it uses
//!   the name.
//! - `use crate::store` imports nothing yet; `store::Name` in the code does.
//! - Calling a method is not seen: `self.revoke()` may be defined in another file.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::source::{Crate, Import, Reach};

/// How many re-exports a name may go through.
const MAX_HOPS: usize = 32;

/// An import of one file by another, with the line that shows it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Edge {
    pub(crate) from: PathBuf,
    pub(crate) to: PathBuf,
    pub(crate) line: usize,
    pub(crate) path: String,
}

impl Edge {
    /// The import as one line for a reader: `a.rs:7 imports super::B from b.rs`.
    pub(crate) fn describe(&self) -> String {
        let Self { from, to, line, path } = self;
        format!("{}:{line} imports {path} from {}", from.display(), to.display())
    }
}

impl Crate {
    /// Every import between two files of this crate.
    pub(crate) fn edges(&self) -> BTreeSet<Edge> {
        let mut edges = BTreeSet::new();
        for (at, module) in self.modules.iter().enumerate() {
            let mut add = |path: &[String], target: Option<usize>, line: usize| {
                let Some(target) = target else { return };
                let (from, to) = (module.file.clone(), self.modules[target].file.clone());
                if from != to {
                    edges.insert(Edge { from, to, line, path: path.join("::") });
                }
            };
            for import in &module.imports {
                if import.reach != Reach::Private && !module.words.contains(&import.name) {
                    continue;
                }
                add(&import.path, self.resolve(at, &import.path, MAX_HOPS), import.line);
            }
            for mention in &module.mentions {
                add(&mention.path, self.resolve(at, &mention.path, MAX_HOPS), mention.line);
            }
        }
        edges
    }

    /// The module that defines what `path` names, as seen from module `from`. `None` if it names a
    /// module, something local, or something of another crate.
    fn resolve(&self, from: usize, path: &[String], hops: usize) -> Option<usize> {
        let hops = hops.checked_sub(1)?;
        let (first, mut rest) = path.split_first()?;
        let mut at = match first.as_str() {
            "crate" => 0,
            "self" => from,
            "super" => self.modules[from].parent?,
            name => {
                if let Some(child) = self.modules[from].children.get(name)
                    && !rest.is_empty()
                {
                    return self.find(*child, rest, hops);
                }
                let import = self.import(from, name, path)?;
                let path: Vec<String> = import.path.iter().chain(rest).cloned().collect();
                return self.resolve(from, &path, hops);
            }
        };
        while let Some(("super", below)) =
            rest.split_first().map(|(it, below)| (it.as_str(), below))
        {
            at = self.modules[at].parent?;
            rest = below;
        }
        self.find(at, rest, hops)
    }

    /// The import of `name`, unless it is `path` itself, as in `use a::b` beside an other crate `a`.
    fn import(&self, from: usize, name: &str, path: &[String]) -> Option<&Import> {
        let mut imports = self.modules[from].imports.iter();
        imports.find(|import| import.name == name && !path.starts_with(&import.path))
    }

    fn find(&self, at: usize, path: &[String], hops: usize) -> Option<usize> {
        let module = &self.modules[at];
        let (name, rest) = path.split_first()?;
        let child = module.children.get(name);
        if let (Some(child), false) = (child, rest.is_empty()) {
            return self.find(*child, rest, hops);
        }
        if module.defined.contains_key(name) {
            return Some(at);
        }
        if let Some(import) = module.imports.iter().find(|import| import.name == *name) {
            let path: Vec<String> = import.path.iter().chain(rest).cloned().collect();
            return self.resolve(at, &path, hops);
        }
        if child.is_some() {
            return None;
        }
        if let Some(found) = self.macros.get(name).filter(|_| at == 0) {
            return Some(*found);
        }
        let globs = module.imports.iter().filter(|import| import.name == "*");
        for glob in globs {
            let path: Vec<String> = glob.path.iter().chain(path).cloned().collect();
            if let Some(found) = self.resolve(at, &path, hops)
                && self.modules[found].defined.contains_key(name)
            {
                return Some(found);
            }
        }
        // A macro may have defined it.
        Some(at)
    }
}

/// The groups of files that import each other, directly or through others.
pub(crate) fn circles(edges: &BTreeSet<Edge>) -> Vec<BTreeSet<PathBuf>> {
    let mut next: BTreeMap<&Path, BTreeSet<&Path>> = BTreeMap::new();
    for edge in edges {
        next.entry(&edge.from).or_default().insert(&edge.to);
    }
    let reached: BTreeMap<&Path, BTreeSet<&Path>> =
        next.keys().map(|file| (*file, reachable(file, &next))).collect();
    let mut circles: Vec<BTreeSet<PathBuf>> = Vec::new();
    for (file, reach) in &reached {
        if !reach.contains(file) || circles.iter().any(|circle| circle.contains(*file)) {
            continue;
        }
        let returns = |other: &&&Path| reached.get(**other).is_some_and(|it| it.contains(file));
        circles.push(reach.iter().filter(returns).map(|it| it.to_path_buf()).collect());
    }
    circles
}

fn reachable<'a>(
    from: &'a Path,
    next: &BTreeMap<&'a Path, BTreeSet<&'a Path>>,
) -> BTreeSet<&'a Path> {
    let mut reached = BTreeSet::new();
    let mut open = vec![from];
    while let Some(file) = open.pop() {
        for other in next.get(file).into_iter().flatten() {
            if reached.insert(*other) {
                open.push(other);
            }
        }
    }
    reached
}
