//! Files that a page of the documentation shows: the page shows exactly what is in the file.
//!
//! A page names the file in a comment before the code block: `<!-- file: interop/nginx/nginx.conf -->`.
//! `cargo xtask interop` runs these files, so what a page shows has worked.

use std::fs;
use std::path::Path;

use anyhow::{Result, bail};

use crate::cargo;

const MARK: &str = "<!-- file: ";

/// Compares every page with the files that it shows.
pub(crate) fn check() -> Result<()> {
    let root = cargo::root();
    let mut faults = Vec::new();
    for entry in fs::read_dir(root.join("docs"))? {
        let page = entry?.path();
        if page.extension().is_some_and(|extension| extension == "md") {
            let text = fs::read_to_string(&page)?;
            let found = shown(&text).filter(|(file, block)| !is_same(&root.join(file), block));
            let shown = page.strip_prefix(&root).unwrap_or(&page).display();
            faults
                .extend(found.map(|(file, _)| format!("{shown}: shows another text than {file}")));
        }
    }
    match faults.is_empty() {
        true => Ok(()),
        false => bail!("the documentation shows files as they are not:\n  {}", faults.join("\n  ")),
    }
}

fn is_same(file: &Path, block: &str) -> bool {
    fs::read_to_string(file).is_ok_and(|text| text == block)
}

/// Returns the names of the files that a page shows, each with the block that follows.
fn shown(page: &str) -> impl Iterator<Item = (&str, &str)> {
    page.split(MARK).skip(1).filter_map(|part| {
        let (file, rest) = part.split_once(" -->\n")?;
        let block = rest.trim_start().strip_prefix("```").and_then(|rest| {
            let (_, rest) = rest.split_once('\n')?;
            let (block, _) = rest.split_once("\n```")?;
            rest.get(..block.len() + 1)
        });
        Some((file, block.unwrap_or_default()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_belongs_to_the_file_that_is_named_before_it() {
        let page = "a\n<!-- file: b/c -->\n\n```nginx\none\n\ntwo\n```\n\n```\nthree\n```\n";
        let found: Vec<_> = shown(page).collect();
        assert_eq!(found, [("b/c", "one\n\ntwo\n")]);
        assert_eq!(shown("<!-- file: d -->\nno block").next(), Some(("d", "")));
    }
}
