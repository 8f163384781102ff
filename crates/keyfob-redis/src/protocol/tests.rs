//! Compares the description with the scripts, and the assembled scripts with the snapshots in
//! `tests/scripts`.

use std::fs;
use std::path::{Path, PathBuf};

use super::signatures::SIGNATURES;
use super::template::{SHARED, assemble};

/// The capacity of an index leaf in the snapshots.
const LEAF_CAPACITY: u16 = 104;

/// Run the tests with this variable set to write new snapshots.
const UPDATE: &str = "KEYFOB_UPDATE_SNAPSHOTS";

fn sources() -> Vec<(&'static str, &'static str)> {
    let methods = SIGNATURES.iter().map(|signature| (signature.name, signature.source));
    methods.chain(SHARED.iter().copied()).collect()
}

fn code(source: &str) -> impl Iterator<Item = &str> {
    source.lines().filter(|line| !line.trim_start().starts_with("--"))
}

#[test]
fn each_assembled_script_is_as_its_snapshot() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scripts");
    let mut differing = Vec::new();
    for signature in SIGNATURES {
        let path = folder.join(format!("{}.lua", signature.name));
        let text = assemble(signature, LEAF_CAPACITY);
        if std::env::var_os(UPDATE).is_some() {
            fs::create_dir_all(&folder).unwrap();
            fs::write(&path, &text).unwrap();
        }
        if fs::read_to_string(&path).unwrap_or_default() != text {
            differing.push(signature.name);
        }
    }
    assert!(differing.is_empty(), "{differing:?} differ: check the changes, then set {UPDATE}=1");
}

#[test]
fn there_is_no_snapshot_and_no_lua_file_without_a_script() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let names = |folder: &str| -> Vec<String> {
        let entries = fs::read_dir(root.join(folder)).unwrap();
        let paths =
            entries.map(|entry| entry.unwrap().path()).filter(|path: &PathBuf| path.is_file());
        paths.map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned()).collect()
    };
    let is_script = |name: &String| SIGNATURES.iter().any(|signature| signature.name == *name);
    for folder in ["tests/scripts", "src/lua"] {
        assert!(names(folder).iter().all(is_script), "{folder}");
    }
    let is_shared = |name: &String| SHARED.iter().any(|(shared, _)| shared == name);
    assert!(names("src/lua/shared").iter().all(is_shared));
}

#[test]
fn every_placeholder_stands_for_something() {
    for signature in SIGNATURES {
        let text = assemble(signature, LEAF_CAPACITY);
        let left: Vec<_> = text.lines().filter(|line| line.contains('@')).collect();
        assert!(left.is_empty(), "{}: {left:#?}", signature.name);
    }
}

#[test]
fn every_key_and_argument_is_used_by_its_script() {
    for signature in SIGNATURES {
        let text = assemble(signature, LEAF_CAPACITY);
        let tables = [("KEYS", signature.keys), ("ARGV", signature.args)];
        for (table, names) in tables {
            for (position, name) in names.iter().enumerate() {
                let used = text.contains(&format!("{table}[{}]", position + 1));
                assert!(used, "{}: {name}", signature.name);
            }
        }
    }
}

#[test]
fn every_shared_file_is_included_somewhere() {
    for (name, _) in SHARED {
        let line = format!("@include {name}@");
        let included =
            sources().iter().any(|(_, source)| code(source).any(|code| code.trim_start() == line));
        assert!(included, "{name}");
    }
}

#[test]
fn no_script_counts_keys_arguments_or_bytes_by_hand() {
    for (name, source) in sources() {
        for line in code(source) {
            for table in ["KEYS[", "ARGV["] {
                let by_number = line.match_indices(table).any(|(at, _)| {
                    line[at + table.len()..].starts_with(|next: char| next.is_ascii_digit())
                });
                assert!(!by_number, "{name}: {line}");
            }
            for call in ["sub(", "byte(", "unpack_bytes(", "'GETRANGE',", "'SETRANGE',"] {
                for (at, _) in line.match_indices(call) {
                    let positions = positions_after(&line[at + call.len()..]);
                    assert!(positions.is_empty(), "{name}: {positions:?} in {line}");
                }
            }
        }
    }
}

/// The arguments of a call after its first that are numbers, except 0 and 1: a whole begins there.
fn positions_after(call: &str) -> Vec<&str> {
    let (mut depth, mut from, mut arguments) = (0, 0, Vec::new());
    for (at, character) in call.char_indices() {
        match character {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' if depth > 0 => depth -= 1,
            ')' => {
                arguments.push(call[from..at].trim());
                break;
            }
            ',' if depth == 0 => {
                arguments.push(call[from..at].trim());
                from = at + 1;
            }
            _ => {}
        }
    }
    let is_position = |argument: &str| {
        let digits = argument.trim_start_matches('-');
        !matches!(argument, "0" | "1") && digits.starts_with(|digit: char| digit.is_ascii_digit())
    };
    arguments.into_iter().skip(1).filter(|argument| is_position(argument)).collect()
}

#[test]
fn positions_that_are_written_as_numbers_are_found() {
    assert_eq!(positions_after("record, 7, 14) == id"), ["7", "14"]);
    assert_eq!(positions_after("KEYS[i], -10)"), ["-10"]);
    assert_eq!(positions_after("f(a, 3), 1, at - 1) + g(2, 3)"), [""; 0]);
}
