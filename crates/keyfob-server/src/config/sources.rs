//! Merges the sources of a configuration, and reads the result.

use serde_path_to_error::Segment;
use toml::{Table, Value};

use super::check::check;
use super::error::{ConfigError, ConfigErrors, Place};
use super::given::Given;
use super::places::ParsedFile;
use super::sections::Config;
use super::standard::Standard;
use super::unknown::{self, Leaf, LeafKind};

/// The filter of the log has a short name too.
const LOG_VARIABLE: &str = "KEYFOB_LOG";

/// The sources of a configuration.
#[derive(Debug, Default)]
#[must_use]
pub struct Sources {
    file: Option<(String, String)>,
    variables: Vec<(String, String)>,
    standard: Standard,
    flags: Vec<Given>,
}

/// A configuration, and where each setting comes from.
#[derive(Debug)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    given: Vec<Given>,
}

impl Sources {
    /// Returns no sources: every setting has its default.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the file. `name` is its name in errors.
    pub fn file(mut self, name: impl Into<String>, text: impl Into<String>) -> Self {
        self.file = Some((name.into(), text.into()));
        self
    }

    /// Adds the variables of an environment. Those whose names do not begin with `KEYFOB_` are left
    /// out, and so are those that are empty.
    pub fn variables(mut self, all: impl IntoIterator<Item = (String, String)>) -> Self {
        let is_ours = |name: &str| name.starts_with(unknown::PREFIX);
        self.variables
            .extend(all.into_iter().filter(|(name, value)| is_ours(name) && !value.is_empty()));
        self
    }

    /// Takes the endpoint and the name of the service in traces from the variables that OpenTelemetry
    /// defines for every program, where neither the file nor a variable of ours gives them.
    pub fn open_telemetry(mut self, all: impl IntoIterator<Item = (String, String)>) -> Self {
        self.standard = Standard::of(all);
        self
    }

    /// Adds a flag of the command line that gives a setting: its sections and its name.
    pub fn flag(mut self, flag: impl Into<String>, path: &[&str], value: impl Into<Value>) -> Self {
        let path = path.iter().map(|&name| name.to_owned()).collect();
        self.flags.push(Given { place: Place::Flag(flag.into()), path, value: value.into() });
        self
    }

    /// Reads the configuration.
    ///
    /// # Errors
    /// If a setting does not exist, if a value is not valid, or if settings contradict each other.
    pub fn read(self) -> Result<Loaded, ConfigErrors> {
        let one = |error| ConfigErrors::new(vec![error]);
        let file = match &self.file {
            Some((name, text)) => Some(ParsedFile::parse(name, text).map_err(one)?),
            None => None,
        };
        let mut errors = Vec::new();
        if let Some(file) = &file {
            unknown::check(file, &mut errors);
        }
        let by_variables = given_by_variables(&self.variables, &mut errors);
        let is_given = |path: &[String]| {
            file.as_ref().is_some_and(|file| file.has(path))
                || by_variables.iter().any(|given| given.path == path)
        };
        let mut given: Vec<_> = self.standard.given(is_given).collect();
        given.extend(by_variables);
        given.extend(self.flags);
        if !errors.is_empty() {
            return Err(ConfigErrors::new(errors));
        }
        let mut merged = match &self.file {
            Some((_, text)) => text.parse::<Table>().unwrap_or_default(),
            None => Table::new(),
        };
        for Given { path, value, .. } in &given {
            put(&mut merged, path, value.clone());
        }
        let place = |path: &[String]| place_of(path, &given, file.as_ref());
        let config: Config = serde_path_to_error::deserialize(merged)
            .map_err(|error| one(invalid(&error, &place)))?;
        let errors: Vec<_> = check(&config)
            .into_iter()
            .map(|wrong| {
                let setting = wrong.path.join(".");
                let message = format!("{setting} {}", wrong.problem);
                ConfigError { place: place(&wrong.path), setting, message }
            })
            .collect();
        match errors.is_empty() {
            true => Ok(Loaded { config, given }),
            false => Err(ConfigErrors::new(errors)),
        }
    }
}

impl Loaded {
    /// Returns the settings that the environment and the command line give, with their place, in the
    /// order in which they apply.
    pub fn given(&self) -> impl Iterator<Item = (&Place, String)> {
        self.given.iter().map(|given| (&given.place, given.path.join(".")))
    }
}

/// Reads the settings that variables give.
fn given_by_variables(variables: &[(String, String)], errors: &mut Vec<ConfigError>) -> Vec<Given> {
    let leaves = unknown::leaves();
    let mut given = Vec::new();
    for (name, text) in variables {
        let leaf = match &**name {
            LOG_VARIABLE => leaves.iter().find(|leaf| leaf.path == ["log", "filter"]),
            name => leaves.iter().find(|leaf| leaf.variable() == name),
        };
        let Some(leaf) = leaf else {
            errors.extend(unknown::check_variable(name));
            continue;
        };
        let place = Place::Variable(name.clone());
        match value_of(leaf, text) {
            Ok(value) => given.push(Given { place, path: leaf.path.clone(), value }),
            Err(expected) => errors.push(ConfigError {
                place,
                setting: leaf.path.join("."),
                message: format!("the value is not valid: write {expected}"),
            }),
        }
    }
    given
}

fn value_of(leaf: &Leaf, text: &str) -> Result<Value, &'static str> {
    match leaf.kind {
        LeafKind::Text => Ok(Value::String(text.to_owned())),
        LeafKind::Number => text.parse().map(Value::Integer).map_err(|_| "a whole number"),
        LeafKind::Decimal => text.parse().map(Value::Float).map_err(|_| "a number"),
        LeafKind::Boolean => text.parse().map(Value::Boolean).map_err(|_| "true or false"),
        LeafKind::List => {
            let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
            Ok(Value::Array(items.map(|item| Value::String(item.to_owned())).collect()))
        }
    }
}

/// Sets a value below the sections of its path.
fn put(table: &mut Table, path: &[String], value: Value) {
    let Some((name, rest)) = path.split_first() else { return };
    if rest.is_empty() {
        table.insert(name.clone(), value);
        return;
    }
    let section = table.entry(name.clone()).or_insert_with(|| Value::Table(Table::new()));
    if let Value::Table(inner) = section {
        put(inner, rest, value);
    }
}

/// Returns where a setting, or what is within it, comes from. The last one that gives it wins.
fn place_of(path: &[String], given: &[Given], file: Option<&ParsedFile<'_>>) -> Place {
    let by = given.iter().rev().find(|given| path.starts_with(&given.path));
    let in_file = || file.and_then(|file| file.find(path));
    // A section may be in the file while the setting is not.
    let exactly = || file.filter(|file| file.has(path)).and_then(|file| file.find(path));
    by.map(|given| given.place.clone()).or_else(exactly).or_else(in_file).unwrap_or(Place::Default)
}

fn invalid(
    error: &serde_path_to_error::Error<toml::de::Error>,
    place: &impl Fn(&[String]) -> Place,
) -> ConfigError {
    let path: Vec<String> = error
        .path()
        .iter()
        .filter_map(|segment| match segment {
            Segment::Map { key } => Some(key.clone()),
            Segment::Enum { variant } => Some(variant.clone()),
            Segment::Seq { .. } | Segment::Unknown => None,
        })
        .collect();
    let setting = path.join(".");
    let message = in_plain_words(error.inner().message());
    let message = match setting.is_empty() {
        true => message,
        false => format!("{setting} is not valid: {message}"),
    };
    ConfigError { place: place(&path), setting, message }
}

/// Replaces words of Rust by words of a configuration.
fn in_plain_words(message: &str) -> String {
    const WORDS: [(&str, &str); 7] = [
        ("invalid socket address syntax", "write an address and a port, such as 127.0.0.1:8700"),
        ("a nonzero usize", "a whole number from 1"),
        ("a nonzero u32", "a whole number from 1"),
        ("expected f64", "expected a number"),
        ("unknown variant", "unknown value"),
        ("missing field", "it lacks"),
        ("invalid type: ", ""),
    ];
    let message = match message.split_once("expected struct ") {
        Some((before, _)) => format!("{before}expected a section"),
        None => message.to_owned(),
    };
    WORDS.iter().fold(message, |message, (rust, plain)| message.replace(rust, plain))
}
