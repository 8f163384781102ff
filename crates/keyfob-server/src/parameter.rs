//! The parameters of a request as data: of its path, its query, its form, and its headers.
//!
//! A handler reads a parameter by the same value from which the OpenAPI document describes it.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

/// Returns the schema of a type.
pub(crate) type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

/// Returns the schema of `T`.
pub(crate) fn schema_of<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

/// One parameter.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Parameter {
    pub(crate) name: &'static str,
    /// What it is, in one or two sentences.
    pub(crate) about: &'static str,
    pub(crate) value: Value,
    pub(crate) is_required: bool,
}

/// The values of a parameter.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Value {
    /// A text.
    Text(SchemaOf),
    /// A whole number from 1 to `max`.
    Number { default: usize, max: usize },
    /// `true` or `false`. Default: false.
    Flag,
    /// One of these words. The first is the default.
    Word(&'static [&'static str]),
    /// Several texts: the parameter may be given more than once.
    Texts(SchemaOf),
    /// Parameters whose names start with that of this one and a dot: `bind.NAME`.
    Named(SchemaOf),
}

impl Parameter {
    /// Returns a parameter that may be left out.
    pub(crate) const fn new(name: &'static str, value: Value, about: &'static str) -> Self {
        Self { name, about, value, is_required: false }
    }

    /// Returns a text of the schema of `T` that may be left out.
    pub(crate) const fn text<T: JsonSchema>(name: &'static str, about: &'static str) -> Self {
        Self::new(name, Value::Text(schema_of::<T>), about)
    }

    /// Returns the parameter as one that has to be there.
    pub(crate) const fn required(self) -> Self {
        Self { is_required: true, ..self }
    }

    /// Returns whether a request that has `name` means this parameter.
    pub(crate) fn is_named(&self, name: &str) -> bool {
        match self.value {
            Value::Named(_) => self.suffix(name).is_some(),
            _ => self.name == name,
        }
    }

    /// Returns the part of `name` after the name of this parameter and a dot.
    pub(crate) fn suffix<'a>(&self, name: &'a str) -> Option<&'a str> {
        name.strip_prefix(self.name)?.strip_prefix('.')
    }

    /// Returns the name as it is shown.
    pub(crate) fn shown(&self) -> String {
        match self.value {
            Value::Named(_) => format!("{}.NAME", self.name),
            _ => self.name.to_owned(),
        }
    }

    /// Returns the schema of the values.
    pub(crate) fn schema(&self, generator: &mut SchemaGenerator) -> Schema {
        match self.value {
            Value::Text(schema) => schema(generator),
            Value::Number { default, max } => json_schema!({
                "type": "integer", "minimum": 1, "maximum": max, "default": default,
            }),
            Value::Flag => json_schema!({ "type": "boolean", "default": false }),
            Value::Word(words) => {
                json_schema!({ "type": "string", "enum": words, "default": words.first() })
            }
            Value::Texts(schema) => json_schema!({
                "type": "array", "items": (schema(generator)), "maxItems": 64,
            }),
            Value::Named(schema) => {
                let names = format!(r"^{}\.[A-Za-z_][A-Za-z0-9_]{{0,31}}$", self.name);
                json_schema!({
                    "type": "object",
                    "patternProperties": { (names): (schema(generator)) },
                    "additionalProperties": false,
                })
            }
        }
    }
}
