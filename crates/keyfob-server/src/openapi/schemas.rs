//! The schemas that routes share, under `#/components/schemas`.

use schemars::generate::SchemaSettings;
use schemars::{Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

use crate::parameter::SchemaOf;
use crate::respond::codes;
use crate::routes::reply::FormBody;

/// Collects schemas. A body that is read may leave out what has a default; one that is written has it.
/// So the two have a generator each.
pub(super) struct Schemas {
    requests: SchemaGenerator,
    answers: SchemaGenerator,
    forms: Map<String, Value>,
}

impl Schemas {
    pub(super) fn new() -> Self {
        let settings = SchemaSettings::draft2020_12()
            .with(|settings| settings.definitions_path = "/components/schemas".into());
        Self {
            requests: settings.clone().for_deserialize().into_generator(),
            answers: settings.for_serialize().into_generator(),
            forms: Map::new(),
        }
    }

    /// Returns the generator for what the service reads.
    pub(super) fn requests(&mut self) -> &mut SchemaGenerator {
        &mut self.requests
    }

    /// Returns the schema of what the service reads.
    pub(super) fn request(&mut self, schema: SchemaOf) -> Value {
        value(schema(&mut self.requests))
    }

    /// Returns the schema of what the service writes.
    pub(super) fn answer(&mut self, schema: SchemaOf) -> Value {
        value(schema(&mut self.answers))
    }

    /// Returns a reference to the schema of a form.
    pub(super) fn form(&mut self, form: &FormBody) -> Value {
        let mut properties = Map::new();
        let mut required = Vec::new();
        for parameter in form.parameters {
            let mut schema = value(parameter.schema(&mut self.requests));
            schema["description"] = parameter.about.into();
            properties.insert(parameter.name.to_owned(), schema);
            if parameter.is_required {
                required.push(parameter.name);
            }
        }
        let schema = json!({
            "type": "object",
            "description": form.about,
            "properties": properties,
            "required": required,
        });
        self.forms.insert(form.name.to_owned(), schema);
        json!({ "$ref": format!("#/components/schemas/{}", form.name) })
    }

    /// Returns all schemas by name. A type that is both read and written is described as it is read:
    /// fewer of its members are required.
    pub(super) fn into_components(mut self) -> Map<String, Value> {
        let mut components = self.answers.take_definitions(true);
        components.values_mut().for_each(tidy);
        for (name, mut schema) in self.requests.take_definitions(true) {
            tidy(&mut schema);
            let written = components.insert(name.clone(), schema.clone());
            debug_assert!(
                written.is_none_or(|written| are_alike(written, schema)),
                "two schemas have the name {name}"
            );
        }
        if let Some(code) =
            components.get_mut("Problem").and_then(|it| it.pointer_mut("/properties/code"))
        {
            code["enum"] = codes::all().into();
        }
        components.extend(self.forms);
        components
    }
}

/// Returns whether two schemas differ at most in what they require.
fn are_alike(mut one: Value, mut other: Value) -> bool {
    for schema in [&mut one, &mut other] {
        schema.as_object_mut().map(|members| members.remove("required"));
    }
    one == other
}

fn value(schema: Schema) -> Value {
    let mut value = schema.to_value();
    tidy(&mut value);
    value
}

/// Removes the brackets of Rust's links from descriptions, and defaults that say nothing.
fn tidy(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            // The default of a value that has no schema of its own.
            if members.get("default").is_some_and(Value::is_null) {
                members.remove("default");
            }
            for (name, member) in members {
                match member {
                    Value::String(text) if name == "description" => {
                        *text = text.replace("[`", "`").replace("`]", "`");
                    }
                    member => tidy(member),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(tidy),
        _ => {}
    }
}
