//! The check for plain words: old and rare expressions, each with the words to write instead.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

/// Where the check applies.
const FOLDERS: [&str; 6] = ["crates", "bench", "docs", "fuzz", "packaging", "xtask"];
/// What is built or recorded, and this list of expressions itself.
const LEFT_OUT: [&str; 4] = ["target", "corpus", "artifacts", "words.rs"];
const PAGES: [&str; 3] = ["README.md", "ARCHITECTURE.md", "SECURITY.md"];

/// Expressions, and what to write instead. Case does not matter, a name such as `is_told` counts as
/// two words, and an expression is also found if a line ends within it.
const EXPRESSIONS: [(&str, &str); 79] = [
    ("a outcome", "an outcome"),
    ("afresh", "again"),
    ("albeit", "although"),
    ("amid", "during"),
    ("amongst", "among"),
    ("anew", "again"),
    ("are told", "are notified; are reported"),
    ("as good as any", "is valid"),
    ("aught", "anything"),
    ("be told", "be notified; be reported"),
    ("bidden", "asked"),
    ("came about", "happened"),
    ("can be had", "is available"),
    ("come about", "happen"),
    ("comes not", "does not come"),
    ("counts out", "counts as revoked"),
    ("dead family", "revoked family"),
    ("dead token", "revoked token"),
    ("ere", "before"),
    ("every verb", "every store method"),
    ("falls with", "is revoked with"),
    ("fell with", "was revoked with"),
    ("forthwith", "immediately"),
    ("gave way", "was replaced; was evicted"),
    ("give way", "is replaced; is evicted"),
    ("gives way", "is replaced; is evicted"),
    ("go on", "continue"),
    ("goes on", "continues"),
    ("gravest", "most severe"),
    ("has not got", "does not have"),
    ("have not got", "do not have"),
    ("held against a", "compared with a"),
    ("held to the contract", "tested with the contract suite"),
    ("held to the list", "compared with the list"),
    ("hence", "so"),
    ("henceforth", "from now on"),
    ("hitherto", "until now"),
    ("hold it for", "consider it"),
    ("in clear", "in plaintext"),
    ("in its turn", "when it is next"),
    ("in vain", "without effect"),
    ("is against it", "prevents it"),
    ("is told", "is notified; is reported"),
    ("its time is over", "it expires; it ends"),
    ("kin", "relatives"),
    ("lest", "so that … not"),
    ("listed under all", "has an entry for all tokens"),
    ("live on", "stay valid"),
    ("makes no sense", "is not possible"),
    ("makings", "configuration"),
    ("naught", "zero; nothing"),
    ("need not", "does not have to"),
    ("nought", "zero; nothing"),
    ("perchance", "possibly"),
    ("roster", "session index"),
    ("rosters", "session indexes"),
    ("seldom", "rarely"),
    ("still stands", "is unchanged"),
    ("take back", "revoke"),
    ("taken back", "revoked"),
    ("that there are not", "that do not exist"),
    ("thereby", "so"),
    ("therein", "in it"),
    ("thereof", "of it"),
    ("thereupon", "then"),
    ("to be had", "available"),
    ("to do better", "possible improvement"),
    ("told apart", "distinguished"),
    ("told from", "distinguished from"),
    ("unto", "to"),
    ("upon", "on; when"),
    ("was told", "was notified; was reported"),
    ("went on", "continued"),
    ("whence", "from where"),
    ("whereby", "by which"),
    ("whereof", "of which"),
    ("whilst", "while"),
    ("whoever", "the caller; the node; anyone who"),
    ("whomever", "anyone whom"),
];

/// The beginnings of function names that are a clause instead of a sentence.
const CLAUSES: [&str; 5] = ["what_", "who_", "whoever_", "whatever_", "whichever_"];

/// An input of a stored digest, which must not change.
const STORED: &str = "b\"roster\"";

/// Checks the shipped sources, the scripts and the pages.
pub(crate) fn check() -> Result<()> {
    let root = crate::cargo::root();
    let mut files: Vec<_> = PAGES.map(|page| root.join(page)).into();
    for folder in FOLDERS {
        collect(&root.join(folder), &mut files)?;
    }
    let mut found = Vec::new();
    for file in &files {
        let shown = file.strip_prefix(&root).unwrap_or(file).display();
        let faults = faults(&fs::read_to_string(file)?);
        found.extend(faults.into_iter().map(|(line, fault)| format!("{shown}:{line}: {fault}")));
    }
    if !found.is_empty() {
        bail!("use plain words (see CONTRIBUTING.md):\n  {}", found.join("\n  "));
    }
    Ok(())
}

fn faults(text: &str) -> Vec<(usize, String)> {
    let words = words(text);
    let mut faults = Vec::new();
    for (expression, instead) in EXPRESSIONS {
        let expected: Vec<_> = expression.split(' ').collect();
        let is_expected = |found: &[Word]| {
            let is_together = found[1..].iter().all(|word| word.follows);
            is_together && found.iter().map(|word| &word.text).eq(&expected)
        };
        for found in words.windows(expected.len()).filter(|found| is_expected(found)) {
            faults.push((found[0].line, format!("\"{expression}\": write \"{instead}\"")));
        }
    }
    for (line, text) in text.lines().enumerate() {
        let name = text.split_once("fn ").map_or("", |(_, name)| name);
        if let Some(clause) = CLAUSES.iter().find(|clause| name.starts_with(**clause)) {
            let fault = format!("the name begins with {clause}: write a sentence, subject first");
            faults.push((line + 1, fault));
        }
    }
    faults
}

/// A word of a text, in lower case.
struct Word {
    text: String,
    line: usize,
    /// Whether only blanks, `_`, a line break or a comment marker separate it from the word before.
    follows: bool,
}

fn words(text: &str) -> Vec<Word> {
    let mut words: Vec<Word> = Vec::new();
    for (line, text) in text.lines().enumerate() {
        let (mut follows, mut is_inside) = (!text.trim().is_empty(), false);
        // A line may continue the sentence of the line before it.
        let continues = text.trim_start().trim_start_matches(['/', '!', '-', '*', '>']);
        let text = continues.replace(STORED, "");
        follows &= text.starts_with(|c: char| c.is_whitespace() || c.is_alphanumeric());
        for character in text.chars() {
            if character.is_alphanumeric() || (character == '\'' && is_inside) {
                if !is_inside {
                    words.push(Word { text: String::new(), line: line + 1, follows });
                    follows = true;
                }
                let word = words.last_mut().map(|word| &mut word.text);
                word.into_iter().for_each(|word| word.extend(character.to_lowercase()));
                is_inside = true;
            } else {
                follows &= character.is_whitespace() || character == '_';
                is_inside = false;
            }
        }
        // The end of a sentence at the end of a line separates it from the next.
        if !follows {
            words.push(Word { text: String::new(), line: line + 1, follows: false });
        }
    }
    words
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if LEFT_OUT.iter().any(|name| path.ends_with(name)) {
            continue;
        }
        if path.is_dir() {
            collect(&path, files)?;
        } else if path
            .extension()
            .is_some_and(|extension| ["rs", "lua", "md"].iter().any(|known| extension == *known))
        {
            files.push(path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{EXPRESSIONS, faults};

    fn lines(text: &str) -> Vec<usize> {
        faults(text).into_iter().map(|(line, _)| line).collect()
    }

    #[test]
    fn each_expression_is_found_in_prose_names_and_across_lines() {
        for (expression, _) in EXPRESSIONS {
            for text in [
                format!("// It {expression} here."),
                format!("fn it_{}_here() {{}}", expression.replace(' ', "_")),
                format!("let text = \"{}\";", expression.to_uppercase()),
                format!("    /// Before\n    /// {}.", expression.replace(' ', "\n    /// ")),
            ] {
                assert!(!faults(&text).is_empty(), "{text}");
            }
        }
    }

    #[test]
    fn other_words_and_sentences_are_not_found() {
        for text in [
            "// The kind of skin that is there, where he was taken.",
            "// The result is. Told first: nothing.",
            "fn whatsoever() {}\nfn what(&self) {}",
            "self.digest(b\"roster\", &parts)",
            "// They go.\n// On the server it is quiet.",
            "They go\n\non the server",
        ] {
            assert_eq!(lines(text), [0; 0], "{text}");
        }
    }

    #[test]
    fn the_repository_is_in_plain_words() {
        super::check().unwrap();
    }

    #[test]
    fn a_name_that_is_a_clause_is_found_with_its_line() {
        assert_eq!(lines("//! Text.\n\n    fn what_is_read_is_kept() {}"), [3]);
    }
}
