//! Which crate of the workspace may depend on which, and the libraries that only one crate may use.
//!
//! Dependencies of tests are free.

use anyhow::{Context, Result};
use serde_json::Value;

use super::bands::{CRATES, FORBIDDEN, ONLY_USERS};

/// The faults in what `cargo metadata` says.
pub(super) fn faults(metadata: &Value) -> Result<Vec<String>> {
    let mut faults = Vec::new();
    let packages = metadata["packages"].as_array().context("cargo metadata has no packages")?;
    let name_of = |value: &Value| value["name"].as_str().unwrap_or_default().to_owned();
    for package in packages {
        let name = name_of(package);
        if name == "xtask" {
            continue;
        }
        let dependencies: Vec<String> = package["dependencies"]
            .as_array()
            .into_iter()
            .flatten()
            .filter(|dependency| dependency["kind"].is_null())
            .map(name_of)
            .collect();
        faults.extend(faults_of(&name, &dependencies));
    }
    Ok(faults)
}

pub(super) fn faults_of(name: &str, dependencies: &[String]) -> Vec<String> {
    let Some((_, allowed)) = CRATES.iter().find(|(of, _)| *of == name) else {
        return vec![format!("  crate {name} is not listed: add it in xtask/src/layers/bands.rs")];
    };
    let mut faults = Vec::new();
    for dependency in dependencies.iter().map(String::as_str) {
        if CRATES.iter().any(|(of, _)| *of == dependency) && !allowed.contains(&dependency) {
            faults.push(format!("  {name} may not depend on {dependency}"));
        }
        if let Some((_, only)) = ONLY_USERS.iter().find(|(of, _)| *of == dependency)
            && !only.contains(&name)
        {
            let only = only.join(" and ");
            faults.push(format!("  {name} uses {dependency}, which only {only} may use"));
        }
        if FORBIDDEN.contains(&(name, dependency)) {
            faults.push(format!("  {name} may not use {dependency}"));
        }
    }
    faults
}
