//! Assembles the text of a script: includes the shared files that it names, and replaces each
//! placeholder by what it stands for.
//!
//! | placeholder | becomes |
//! |---|---|
//! | `@include clock@`, alone on a line | the text of `lua/shared/clock.lua`, indented as the line |
//! | `@key.lane@`, `@arg.deadline@` | `KEYS[1]`, `ARGV[1]` |
//! | `@first_key.heads@`, `@first_arg.records@` | the position of the first of a list |
//! | `@new_record[at].score@`, `@new_record.stride@` | `ARGV[at + 3]`, the size of a group |
//! | `@header[record].stamp@` | the expression that reads the field, a number or a string |
//! | `@header[record].inserted_by:id_suffix@` | the bytes from the first field to the last |
//! | `@header.tombstone.first@`, `.last@`, `.size@` | the field's first and last position in a Lua string, its length |
//! | `@header.tombstone.offset@` | its offset for SETRANGE |
//! | `@header.format:id_suffix.range@` | the first and the last offset for GETRANGE |
//! | `@flags[flags].has_client@`, `@flags[flags].ancestors@` | 0 or 1, the number of ancestors |
//! | `@reply.stale@`, `@lane.birth@` | a short string of [`constants`] |
//! | `@TICK_MS@` | a number of [`constants`] |
//! | `@NEEDED_COMMANDS@` | the commands without which the script fails, as strings; others in [`commands::list`] |
//!
//! Lines that hold only a comment are left out. A placeholder that stands for nothing is left as it is:
//! the server would not compile such a script, and the tests find it before.

use super::commands;
use super::constants;
use super::constants::flags;
use super::layout::{Content, Field, LAYOUTS, Layout};
use super::signature::{Group, Signature};

macro_rules! shared_files {
    ($($name:literal),+ $(,)?) => {
        /// The files in `lua/shared`.
        pub(super) const SHARED: &[(&str, &str)] =
            &[$(($name, include_str!(concat!("../lua/shared/", $name, ".lua")))),+];
    };
}

shared_files! {
    "advance_epoch",
    "append_entries",
    "clock",
    "count_bucket",
    "count_out",
    "count_out_buckets",
    "count_out_listed",
    "count_record",
    "count_records",
    "debt",
    "each_leaf",
    "header_fields",
    "id_order",
    "index",
    "lane",
    "lane_epochs",
    "lane_state",
    "lifetime_class",
    "list_id",
    "list_id_function",
    "load_records",
    "move_count",
    "names",
    "namespace",
    "newest_leaves",
    "permissions",
    "rare_permissions",
    "read_lane",
    "record_header",
    "recovery",
    "refusal",
    "remove_stored",
    "signal",
    "spent_epochs",
    "stamp_bounds",
    "store_records",
    "undo_permissions",
    "verdict",
}

/// Returns the text of a script.
pub(super) fn assemble(signature: &Signature, leaf_capacity: u16) -> String {
    let mut text = String::new();
    include(signature.source, "", &mut text);
    let text = replace_placeholders(&text, |name| resolve(name, signature, leaf_capacity));
    replace_placeholders(&text, |name| Some(quoted(&commands::list(name, &text)?)))
}

fn quoted(words: &[String]) -> String {
    let words: Vec<_> = words.iter().map(|word| format!("'{word}'")).collect();
    words.join(", ")
}

/// Adds a file without its comments, and the files that it includes.
fn include(source: &str, indent: &str, text: &mut String) {
    for line in source.lines() {
        let code = line.trim_start();
        let included = code.strip_prefix("@include ").and_then(|rest| rest.strip_suffix('@'));
        match included.and_then(shared) {
            Some(source) => {
                let own_indent = &line[..line.len() - code.len()];
                include(source, &format!("{indent}{own_indent}"), text);
            }
            None if code.is_empty() || code.starts_with("--") => {}
            None => {
                text.push_str(indent);
                text.push_str(line);
                text.push('\n');
            }
        }
    }
}

fn shared(name: &str) -> Option<&'static str> {
    SHARED.iter().find(|(file, _)| *file == name).map(|(_, source)| *source)
}

fn replace_placeholders(text: &str, resolve: impl Fn(&str) -> Option<String>) -> String {
    let mut replaced = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('@') {
        replaced.push_str(before);
        let found = after.split_once('@').and_then(|(name, after)| Some((resolve(name)?, after)));
        match found {
            Some((value, after)) => {
                replaced.push_str(&value);
                rest = after;
            }
            None => {
                replaced.push('@');
                rest = after;
            }
        }
    }
    replaced.push_str(rest);
    replaced
}

fn resolve(name: &str, signature: &Signature, leaf_capacity: u16) -> Option<String> {
    if name == "LEAF_CAPACITY" {
        return Some(leaf_capacity.to_string());
    }
    if let Some((_, number)) = constants::numbers().into_iter().find(|(known, _)| *known == name) {
        return Some(number.to_string());
    }
    if let Some((scope, rest)) = name.split_once('[') {
        let (value, field) = rest.rsplit_once("].")?;
        return match scope {
            "flags" => read_flags(value, field),
            _ => read_group(signature.groups, scope, value, field)
                .or_else(|| read_layout(scope, value, field)),
        };
    }
    let (scope, field) = name.split_once('.')?;
    match scope {
        "key" => element("KEYS", signature.keys, field),
        "arg" => element("ARGV", signature.args, field),
        "first_key" => first(signature.keys, signature.more_keys, field),
        "first_arg" => first(signature.args, signature.more_args, field),
        _ => named_string(scope, field)
            .or_else(|| stride(signature.groups, scope, field))
            .or_else(|| layout_position(scope, field)),
    }
}

fn element(table: &str, names: &[&str], name: &str) -> Option<String> {
    let position = names.iter().position(|known| *known == name)?;
    Some(format!("{table}[{}]", position + 1))
}

fn first(fixed: &[&str], more: &[&str], name: &str) -> Option<String> {
    more.first().filter(|list| **list == name).map(|_| (fixed.len() + 1).to_string())
}

fn read_group(groups: &[Group], name: &str, at: &str, field: &str) -> Option<String> {
    let group = groups.iter().find(|known| known.name == name)?;
    let position = group.fields.iter().position(|known| *known == field)?;
    Some(match position {
        0 => format!("{}[{at}]", group.table),
        _ => format!("{}[{at} + {position}]", group.table),
    })
}

fn stride(groups: &[Group], name: &str, attribute: &str) -> Option<String> {
    let group = groups.iter().find(|known| known.name == name && attribute == "stride")?;
    Some(group.fields.len().to_string())
}

fn named_string(scope: &str, name: &str) -> Option<String> {
    let (_, names) = constants::NAMES.iter().find(|(known, _)| *known == scope)?;
    let (_, value) = names.iter().find(|(known, _)| known.eq_ignore_ascii_case(name))?;
    Some(format!("'{value}'"))
}

fn read_flags(value: &str, flag: &str) -> Option<String> {
    if flag == "ancestors" {
        return Some(format!("floor({value} / {})", 1u32 << flags::ANCESTORS_SHIFT));
    }
    let (_, bit) = flags::ALL.iter().find(|(known, _)| *known == flag)?;
    Some(match bit {
        1 => format!("{value} % 2"),
        bit => format!("floor({value} / {bit}) % 2"),
    })
}

fn layout(name: &str) -> Option<&'static Layout> {
    LAYOUTS.iter().find(|layout| layout.name == name)
}

impl Layout {
    fn field(&self, name: &str) -> Option<&'static Field> {
        self.fields.iter().find(|field| field.name.eq_ignore_ascii_case(name))
    }

    /// The first and the last byte, counted from 0, of one field or of `first:last`.
    fn range(&self, name: &str) -> Option<(usize, usize)> {
        let (from, to) = name.split_once(':').unwrap_or((name, name));
        let (from, to) = (self.field(from)?, self.field(to)?);
        Some((from.offset.checked_sub(self.skipped)?, to.end().checked_sub(self.skipped + 1)?))
    }
}

fn read_layout(scope: &str, value: &str, name: &str) -> Option<String> {
    let layout = layout(scope)?;
    let (first, last) = layout.range(name)?;
    let number = layout.field(name).filter(|field| field.content == Content::Number);
    Some(match number.map(|field| field.size) {
        Some(1) => format!("byte({value}, {})", first + 1),
        Some(size) => format!("(unpack_bytes('>I{size}', {value}, {}))", first + 1),
        None => format!("sub({value}, {}, {})", first + 1, last + 1),
    })
}

fn layout_position(scope: &str, field: &str) -> Option<String> {
    let (name, attribute) = field.rsplit_once('.')?;
    let (first, last) = layout(scope)?.range(name)?;
    match attribute {
        "first" => Some((first + 1).to_string()),
        "last" => Some((last + 1).to_string()),
        "offset" => Some(first.to_string()),
        "size" => Some((last + 1 - first).to_string()),
        "range" => Some(format!("{first}, {last}")),
        _ => None,
    }
}
