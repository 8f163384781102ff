//! Every command has help, a manual page and completions, with examples.

use crate::harness::Keyfob;

const COMMANDS: [&str; 27] = [
    "config",
    "demo",
    "issue",
    "validate",
    "refresh",
    "derive",
    "rotate",
    "show",
    "list",
    "count",
    "revoke",
    "update",
    "history",
    "events",
    "limit",
    "stats",
    "doctor",
    "keys",
    "leaked",
    "serve",
    "init",
    "client",
    "completions",
    "man",
    "recover",
    "scanner-regex",
    "webhook",
];

/// The other tests of this file go through the list, so it has to be complete.
#[test]
fn the_list_has_every_command() {
    let page = Keyfob::new().run(&["man"]).exits(0).stdout;
    let name =
        |line: &str| Some(line.strip_prefix("keyfob\\-")?.strip_suffix("(1)")?.replace('\\', ""));
    let mut found: Vec<_> = page.lines().filter_map(name).collect();
    let mut listed = COMMANDS.to_vec();
    found.sort_unstable();
    listed.sort_unstable();
    assert_eq!(found, listed);
}

#[test]
fn every_command_has_help_with_examples() {
    let keyfob = Keyfob::new();
    let overview = keyfob.run(&["--help"]).exits(0).stdout;
    for words in ["Exit codes", "KEYFOB_STORE", "redis+cluster://", "\"uses_left\"", "cloudevents"]
    {
        assert!(overview.to_lowercase().contains(&words.to_lowercase()), "{words}");
    }
    for command in COMMANDS {
        assert!(overview.contains(command), "{command}");
        let help = keyfob.run(&[command, "--help"]).exits(0).stdout;
        assert!(help.contains("Examples:\n  keyfob"), "{command}: {help}");
        assert_eq!(keyfob.run(&["help", command]).exits(0).stdout, help);
    }
}

#[test]
fn every_flag_is_explained() {
    let keyfob = Keyfob::new();
    for command in COMMANDS {
        let help = keyfob.run(&[command, "-h"]).exits(0).stdout;
        for line in help.lines().filter(|line| line.trim_start().starts_with("--")) {
            let explained = line.trim().split("  ").count() > 1;
            assert!(explained, "{command}: {line}");
        }
    }
}

#[test]
fn every_command_has_a_manual_page_and_completions() {
    let keyfob = Keyfob::new();
    let page = keyfob.run(&["man"]).exits(0).stdout;
    assert!(page.contains(".TH keyfob 1"), "{page}");
    for command in COMMANDS {
        let page = keyfob.run(&["man", command]).exits(0).stdout;
        assert!(page.contains(&format!(".TH keyfob-{command} 1")), "{page}");
        assert!(page.contains("EXAMPLES") || page.contains("Examples:"), "{page}");
    }
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = keyfob.run(&["completions", shell]).exits(0).stdout;
        assert!(script.contains("scanner-regex"), "{shell}");
    }
}

#[test]
fn the_regex_finds_bearers() {
    let keyfob = Keyfob::new();
    let regex = keyfob.run(&["scanner-regex", "--prefix=acme"]).exits(0).stdout;
    assert_eq!(regex, "\\bacme_(?:at|rt|ak|st)_[0-9A-Za-z]{61}\\b\n");
    let object = keyfob.run(&["scanner-regex", "--json"]).exits(0).object();
    assert_eq!(object["prefix"], "fob");
    let (_, bearer) = keyfob.issue(&["--prefix=acme"]);
    assert!(bearer.starts_with("acme_at_"));
    keyfob.feed(&["validate", "--prefix=acme"], bearer.as_bytes()).exits(0);
    keyfob.feed(&["validate"], bearer.as_bytes()).exits(1);
}

#[test]
fn an_unknown_argument_or_command_is_named() {
    let keyfob = Keyfob::new();
    keyfob.run(&["issue", "--frobnicate"]).exits(2).says("error: unknown argument '--frobnicate'");
    keyfob.run(&["frobnicate"]).exits(2).says("error: unknown command 'frobnicate'");
}
