//! Settings that do not exist, in the file and in the environment. The JSON Schema of the
//! configuration is what exists.

use serde_json::Value;
use toml::de::{DeTable, DeValue};

use super::error::{ConfigError, Place};
use super::places::ParsedFile;
use super::show::SCHEMA;

/// A setting that a variable of the environment may give.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Leaf {
    /// The sections and the name.
    pub(super) path: Vec<String>,
    /// The type of its value.
    pub(super) kind: LeafKind,
}

/// The type of a value in a variable.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum LeafKind {
    Text,
    Number,
    Decimal,
    Boolean,
    /// Texts with commas between them.
    List,
}

impl Leaf {
    /// Returns the name of its variable.
    pub(super) fn variable(&self) -> String {
        format!("{PREFIX}{}", self.path.join("_").to_ascii_uppercase())
    }
}

/// The beginning of the name of every variable.
pub(super) const PREFIX: &str = "KEYFOB_";

/// Returns every setting that has a fixed place.
pub(super) fn leaves() -> Vec<Leaf> {
    let mut leaves = Vec::new();
    collect(&SCHEMA, &mut Vec::new(), &mut leaves);
    leaves
}

fn collect(schema: &Value, path: &mut Vec<String>, leaves: &mut Vec<Leaf>) {
    for (name, schema) in properties(schema) {
        path.push(name.clone());
        let schema = variant(schema);
        if properties(schema).next().is_some() {
            collect(schema, path, leaves);
        } else if let Some(kind) = kind(schema) {
            leaves.push(Leaf { path: path.clone(), kind });
        }
        path.pop();
    }
}

/// Returns the names of the sections whose settings have a fixed place.
pub(super) fn sections() -> impl Iterator<Item = &'static str> {
    let is_section = |schema: &Value| properties(variant(schema)).next().is_some();
    properties(&SCHEMA).filter(move |(_, schema)| is_section(schema)).map(|(name, _)| &**name)
}

fn kind(schema: &Value) -> Option<LeafKind> {
    let is = |name: &str| match &schema["type"] {
        Value::String(kind) => kind == name,
        Value::Array(kinds) => kinds.iter().any(|kind| kind == name),
        // An enumeration whose values have descriptions.
        _ => name == "string" && schema["oneOf"].is_array(),
    };
    [
        ("string", LeafKind::Text),
        ("integer", LeafKind::Number),
        ("number", LeafKind::Decimal),
        ("boolean", LeafKind::Boolean),
        ("array", LeafKind::List),
    ]
    .into_iter()
    .find_map(|(name, kind)| is(name).then_some(kind))
}

/// Returns what a schema says about a value that is there.
fn variant(schema: &Value) -> &Value {
    let alternatives = schema["anyOf"].as_array();
    let is_value = |schema: &&Value| schema["type"] != "null";
    alternatives.and_then(|all| all.iter().find(is_value)).unwrap_or(schema)
}

fn properties(schema: &Value) -> impl Iterator<Item = (&String, &Value)> {
    schema["properties"].as_object().into_iter().flatten()
}

/// Reports every setting of a file that does not exist.
pub(super) fn check(file: &ParsedFile<'_>, errors: &mut Vec<ConfigError>) {
    walk(file, &SCHEMA, file.table(), &mut Vec::new(), errors);
}

fn walk(
    file: &ParsedFile<'_>,
    schema: &Value,
    table: &DeTable<'_>,
    path: &mut Vec<String>,
    errors: &mut Vec<ConfigError>,
) {
    for (key, value) in table {
        let name = key.get_ref().to_string();
        let known = schema["properties"].get(&*name);
        let of_map = Some(&schema["additionalProperties"]).filter(|schema| schema.is_object());
        path.push(name.clone());
        match known.or(of_map) {
            Some(schema) => walk_value(file, variant(schema), value.get_ref(), path, errors),
            None => {
                let siblings = properties(schema).map(|(name, _)| name.as_str());
                let message = message(&path.join("."), advice(&name, siblings));
                let place = file.place(&key.span());
                errors.push(ConfigError { place, setting: path.join("."), message });
            }
        }
        path.pop();
    }
}

fn walk_value(
    file: &ParsedFile<'_>,
    schema: &Value,
    value: &DeValue<'_>,
    path: &mut Vec<String>,
    errors: &mut Vec<ConfigError>,
) {
    match value {
        DeValue::Table(table) if schema["properties"].is_object() || is_map(schema) => {
            walk(file, schema, table, path, errors);
        }
        DeValue::Array(items) => {
            for item in items {
                walk_value(file, variant(&schema["items"]), item.get_ref(), path, errors);
            }
        }
        _ => {}
    }
}

fn is_map(schema: &Value) -> bool {
    schema["additionalProperties"].is_object()
}

/// Reports a variable that begins like a setting of a section and is none. Others may be there for
/// other reasons: an orchestrator makes `KEYFOB_PORT` for a service that is called keyfob.
pub(super) fn check_variable(name: &str) -> Option<ConfigError> {
    let rest = name.strip_prefix(PREFIX)?;
    let is_in = |section: &str| {
        let after = rest.strip_prefix(&*section.to_ascii_uppercase());
        after.is_some_and(|after| after.starts_with('_'))
    };
    let section = sections().find(|section| is_in(section))?;
    let variables: Vec<_> = leaves().iter().map(Leaf::variable).collect();
    let near = nearest(name, variables.iter().map(String::as_str));
    Some(ConfigError {
        place: Place::Variable(name.to_owned()),
        setting: section.to_owned(),
        message: message("it", near.map(ToOwned::to_owned)),
    })
}

fn message(setting: &str, near: Option<String>) -> String {
    match near {
        Some(near) => format!("{setting} is not a setting. Did you mean {near}?"),
        None => format!("{setting} is not a setting"),
    }
}

/// Returns the right name: one beside it that is near, or the same one in another section.
fn advice<'a>(name: &str, siblings: impl Iterator<Item = &'a str>) -> Option<String> {
    if let Some(near) = nearest(name, siblings) {
        return Some(near.to_owned());
    }
    let elsewhere = leaves().into_iter().find(|leaf| leaf.path.last().is_some_and(|l| l == name));
    elsewhere.map(|leaf| leaf.path.join("."))
}

/// Returns the nearest name, unless none is near: one that it abbreviates, or one with few other
/// letters.
pub(super) fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let known: Vec<_> = known.collect();
    if let Some(whole) = known.iter().find(|known| name.len() > 2 && known.starts_with(name)) {
        return Some(whole);
    }
    let distance = |known: &&str| strsim::damerau_levenshtein(name, known);
    let nearest = known.into_iter().min_by_key(distance)?;
    (distance(&nearest) <= 1 + name.len() / 4).then_some(nearest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_near_name_is_proposed_and_a_far_one_is_not() {
        let known = ["listen", "limits", "issuer"];
        assert_eq!(nearest("lisen", known.into_iter()), Some("listen"));
        assert_eq!(nearest("islistening", known.into_iter()), None);
        assert_eq!(nearest("lim", known.into_iter()), Some("limits"));
    }

    #[test]
    fn each_setting_with_a_fixed_place_has_a_variable() {
        let leaves = leaves();
        let of = |variable: &str| leaves.iter().find(|leaf| leaf.variable() == variable);
        let kind = |variable: &str| of(variable).map(|leaf| leaf.kind);
        assert_eq!(kind("KEYFOB_STORE"), Some(LeafKind::Text));
        assert_eq!(kind("KEYFOB_LISTEN"), Some(LeafKind::Text));
        assert_eq!(kind("KEYFOB_PUBLIC_CLIENTS"), Some(LeafKind::List));
        assert_eq!(kind("KEYFOB_HTTP_MAX_CONNECTIONS"), Some(LeafKind::Number));
        assert_eq!(kind("KEYFOB_HTTP_DRAIN_DELAY"), Some(LeafKind::Text));
        assert_eq!(kind("KEYFOB_LOG_FORMAT"), Some(LeafKind::Text));
        assert_eq!(kind("KEYFOB_MANAGEMENT_TLS"), Some(LeafKind::Boolean));
        assert_eq!(kind("KEYFOB_TRACES_SAMPLE_RATIO"), Some(LeafKind::Decimal));
        assert_eq!(kind("KEYFOB_CHAINS"), None);
    }
}
