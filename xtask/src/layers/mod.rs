//! Checks what may import what: between crates, between the bands of a crate, between its files.
//!
//! The rules are the tables in `bands.rs`. Circles between files are never allowed; `graph.rs` says
//! what counts as an import.

mod bands;
mod crates;
mod graph;
mod source;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Result, bail};

use bands::BANDS;
use graph::Edge;
pub(crate) use source::{Crate, Import, Module, Reach};

/// Checks every crate in `crates`.
pub(crate) fn check() -> Result<()> {
    let root = crate::cargo::root();
    let mut faults = crates::faults(&crate::cargo::metadata()?)?;
    for entry in fs::read_dir(root.join("crates"))? {
        let folder = entry?.path();
        let Some(name) = folder.file_name().and_then(|name| name.to_str()) else { continue };
        if folder.join("Cargo.toml").is_file() {
            faults.extend(crate_faults(name, &read_crate(name)?));
        }
    }
    if !faults.is_empty() {
        bail!("imports that go the wrong way (see ARCHITECTURE.md):\n{}", faults.join("\n"));
    }
    Ok(())
}

/// Reads the crate `crates/name`.
pub(crate) fn read_crate(name: &str) -> Result<Crate> {
    let root = crate::cargo::root();
    let source = Path::new("crates").join(name).join("src");
    let main = ["lib.rs", "main.rs"].into_iter().find(|it| root.join(&source).join(it).is_file());
    let Some(main) = main else { bail!("{name} has neither lib.rs nor main.rs") };
    Crate::read(&source.join(main), &|file| fs::read_to_string(root.join(file)).ok())
}

fn crate_faults(name: &str, source: &Crate) -> Vec<String> {
    let edges = source.edges();
    let bands = BANDS.iter().find(|(of, _)| *of == name).map_or(&[][..], |(_, bands)| bands);
    let mut faults = upward_imports(name, source, &edges, bands);
    faults.extend(circle_faults(&edges));
    faults
}

/// The imports of a higher band by a lower one, and the modules that are in no band.
fn upward_imports(
    name: &str,
    source: &Crate,
    edges: &BTreeSet<Edge>,
    bands: &[&[&str]],
) -> Vec<String> {
    if bands.is_empty() {
        return Vec::new();
    }
    let band = |module: &Module| {
        let top = module.path.first()?;
        bands.iter().position(|band| band.contains(&top.as_str()))
    };
    let of = |file: &Path| {
        let module = source.modules.iter().find(|it| it.file == file && !it.path.is_empty())?;
        band(module)
    };
    let mut faults: Vec<String> = source
        .modules
        .iter()
        .filter(|module| module.path.len() == 1 && module.file != source.modules[0].file)
        .filter(|module| band(module).is_none())
        .map(|module| {
            let module = module.path.join("::");
            format!("  {name}: module {module} is in no band: add it in xtask/src/layers/bands.rs")
        })
        .collect();
    for edge in edges {
        if let (Some(lower), Some(higher)) = (of(&edge.from), of(&edge.to))
            && lower < higher
        {
            faults.push(format!("  {name}: upward import: {}", edge.describe()));
        }
    }
    faults
}

fn circle_faults(edges: &BTreeSet<Edge>) -> Vec<String> {
    let mut faults = Vec::new();
    for circle in graph::circles(edges) {
        faults.push(format!("  a circle of {} files:", circle.len()));
        let within = |edge: &&Edge| circle.contains(&edge.from) && circle.contains(&edge.to);
        faults.extend(edges.iter().filter(within).map(|edge| format!("    {}", edge.describe())));
    }
    faults
}
