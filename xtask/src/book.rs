//! The documentation as a book: every page is in the summary, every link leads to a page and a heading,
//! and `mdbook` renders it, if it is installed.

use std::fs;
use std::path::{Component, Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::cargo;
use crate::programs::in_path;

const SUMMARY: &str = "SUMMARY.md";
/// Pages outside the book whose links are checked too.
const PAGES: [&str; 5] =
    ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"];

/// Checks the pages, and renders the book.
pub(crate) fn check() -> Result<()> {
    let root = cargo::root();
    let docs = root.join("docs");
    let mut pages: Vec<_> = PAGES.map(|page| root.join(page)).into();
    collect(&docs, &mut pages)?;
    let mut faults = unlisted(&docs, &pages)?;
    for page in &pages {
        let shown = page.strip_prefix(&root).unwrap_or(page).display();
        let broken = broken_links(page)?;
        faults.extend(broken.into_iter().map(|fault| format!("{shown}: {fault}")));
    }
    if !faults.is_empty() {
        bail!("the documentation has faults:\n  {}", faults.join("\n  "));
    }
    if in_path("mdbook").is_none() {
        crate::say("note: mdbook is not installed, so the book is not rendered");
        return Ok(());
    }
    render(&root)
}

fn render(root: &Path) -> Result<()> {
    let status = Command::new("mdbook").arg("build").arg(root).status()?;
    if !status.success() {
        bail!("mdbook does not render the book");
    }
    Ok(())
}

fn collect(folder: &Path, pages: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, pages)?;
        } else if path.extension().is_some_and(|extension| extension == "md") {
            pages.push(path);
        }
    }
    Ok(())
}

/// Returns the pages of the book's top folder that the summary does not name.
fn unlisted(docs: &Path, pages: &[PathBuf]) -> Result<Vec<String>> {
    let summary = fs::read_to_string(docs.join(SUMMARY))?;
    let listed: Vec<_> = links(&summary).map(|(_, target)| docs.join(target)).collect();
    let is_unlisted = |page: &&PathBuf| {
        page.parent() == Some(docs) && !page.ends_with(SUMMARY) && !listed.contains(page)
    };
    let unlisted = pages.iter().filter(is_unlisted);
    Ok(unlisted.map(|page| format!("{}: not in docs/{SUMMARY}", page.display())).collect())
}

fn broken_links(page: &Path) -> Result<Vec<String>> {
    let text = fs::read_to_string(page)?;
    let folder = page.parent().context("a page is in a folder")?;
    let mut broken = Vec::new();
    for (line, link) in links(&text) {
        if link.contains("://") || link.starts_with("mailto:") {
            continue;
        }
        let (file, heading) = link.split_once('#').unwrap_or((link, ""));
        let target = if file.is_empty() { page.to_owned() } else { plain(&folder.join(file)) };
        if !target.exists() {
            broken.push(format!("line {line}: {link}: there is no such file"));
        } else if !heading.is_empty() && !has_heading(&target, heading)? {
            broken.push(format!("line {line}: {link}: there is no such heading"));
        }
    }
    Ok(broken)
}

/// Returns the targets of the links in a text, with their lines. Code is left out.
fn links(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut is_code = false;
    let lines = text.lines().enumerate().filter(move |(_, line)| {
        let is_fence = line.trim_start().starts_with("```");
        is_code ^= is_fence;
        !is_code && !is_fence
    });
    lines.flat_map(|(number, line)| {
        let parts = line.split("](").skip(1);
        parts.filter_map(move |part| Some((number + 1, part.split_once(')')?.0)))
    })
}

fn has_heading(page: &Path, anchor: &str) -> Result<bool> {
    let text = fs::read_to_string(page)?;
    let headings = text.lines().filter_map(|line| line.strip_prefix('#'));
    Ok(headings.map(|heading| slug(heading.trim_start_matches('#'))).any(|slug| slug == anchor))
}

/// Returns the anchor of a heading.
fn slug(heading: &str) -> String {
    let kept = |c: char| c.is_alphanumeric() || c == '-' || c == '_' || c == ' ';
    let text: String = heading.trim().chars().filter(|c| kept(*c)).collect();
    text.to_lowercase().replace(' ', "-")
}

/// Returns the path without `.` and `..`.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => drop(plain.pop()),
            Component::CurDir => {}
            part => plain.push(part),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_in_code_are_left_out() {
        let text = "see [a](b.md#c) and [d](e)\n```\n[f](g)\n```\n[h](i)";
        let found: Vec<_> = links(text).collect();
        assert_eq!(found, [(1, "b.md#c"), (1, "e"), (5, "i")]);
    }

    #[test]
    fn an_anchor_is_made_of_words() {
        assert_eq!(slug(" What a party, that writes: `can` do"), "what-a-party-that-writes-can-do");
    }
}
