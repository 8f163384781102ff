//! JSON Schemas of the values of keyfob, which know no schema themselves.

use std::borrow::Cow;
use std::marker::PhantomData;

use keyfob_core::token::{Kind, TokenState};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

/// A text of 1 to `MAX` bytes without control characters.
#[derive(Debug)]
pub struct Text<const MAX: u32>;

/// An array of at most 64 different names.
#[derive(Debug)]
pub struct Names<T>(PhantomData<T>);

impl<const MAX: u32> JsonSchema for Text<MAX> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("Text{MAX}").into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "minLength": 1,
            "maxLength": MAX,
            "pattern": r"^[^\u0000-\u001f\u007f-\u009f]+$",
        })
    }
}

impl<T: JsonSchema> JsonSchema for Names<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("Names_{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "array",
            "items": T::json_schema(generator),
            "maxItems": 64,
        })
    }
}

/// Defines types that stand for values in a schema.
macro_rules! schemas {
    ($generator:ident: $($(#[$doc:meta])* $name:ident => $schema:tt;)+) => {$(
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $name;

        impl JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            #[allow(unused_variables, reason = "most schemas stand alone")]
            fn json_schema($generator: &mut SchemaGenerator) -> Schema {
                json_schema!($schema)
            }
        }
    )+};
}

schemas! { generator:
    /// One scope (RFC 6749 section 3.3).
    ScopeText => {
        "type": "string",
        "minLength": 1,
        "maxLength": 128,
        "pattern": r"^[\x21\x23-\x5b\x5d-\x7e]+$",
    };
    /// A duration.
    TtlText => {
        "type": "string",
        "pattern": r"^[0-9]{1,9}(ms|s|m|h|d|w)( ?[0-9]{1,9}(ms|s|m|h|d|w))*$",
        "examples": ["15m", "1h 30m", "90d"],
    };
    /// Permits per period.
    RateText => {
        "type": "string",
        "pattern": r"^[1-9][0-9]{0,6}/([1-9][0-9]{0,2})?(s|m|h|d)$",
        "examples": ["100/1m", "10000/30d"],
    };
    /// How long an older secret stays valid.
    OverlapText => {
        "type": "string",
        "pattern": r"^(0|[0-9]{1,9}(ms|s|m|h|d|w)( ?[0-9]{1,9}(ms|s|m|h|d|w))*)$",
        "examples": ["24h", "7d", "0"],
    };
    /// A time.
    TimeText => { "type": "string", "format": "date-time" };
    /// The id of a token or of a family.
    TokenIdText => {
        "type": "string",
        "pattern": r"^tok_[0-7][0-9a-hjkmnp-tv-z]{25}$",
        "examples": ["tok_00d1h88n000000000000000001"],
    };
    /// The key of a label.
    LabelKeyText => { "type": "string", "pattern": "^[A-Za-z0-9._/-]{1,64}$" };
    /// Labels: keys and values.
    Labels => {
        "type": "object",
        "propertyNames": (LabelKeyText::json_schema(generator)),
        "additionalProperties": (Text::<256>::json_schema(generator)),
        "maxProperties": 64,
    };
    /// Values for the names `$NAME` in a filter.
    Bindings => {
        "type": "object",
        "propertyNames": { "type": "string", "pattern": "^[A-Za-z0-9_-]{1,32}$" },
        "additionalProperties": { "type": "string" },
    };
    /// An address of IP version 4 or 6.
    Address => {
        "anyOf": [{ "type": "string", "format": "ipv4" }, { "type": "string", "format": "ipv6" }],
    };
    /// An object.
    Object => { "type": "object" };
    /// The value `true`.
    True => { "type": "boolean", "const": true };
    /// The kind of a token.
    KindSchema => { "type": "string", "enum": (Kind::ALL.map(Kind::as_str)) };
    /// The state of a token.
    StateSchema => { "type": "string", "enum": (TokenState::ALL.map(TokenState::as_str)) };
    /// A public key as a JWK (RFC 7517). `alg` may be left out for a key on a curve.
    ClientKeySchema => {
        "type": "object",
        "properties": {
            "kty": { "type": "string", "enum": ["EC", "OKP", "RSA"] },
            "crv": { "type": "string", "enum": ["P-256", "P-384", "Ed25519"] },
            "x": { "type": "string", "maxLength": 64 },
            "y": { "type": "string", "maxLength": 64 },
            "n": { "type": "string", "maxLength": 683 },
            "e": { "type": "string", "maxLength": 6 },
            "alg": {
                "type": "string",
                "enum": ["ES256", "ES384", "EdDSA", "Ed25519", "PS256", "RS256"],
            },
        },
        "required": ["kty"],
    };
    /// What a holder may hand out: all, or the names of an array.
    MayIssueSchema => {
        "type": "object",
        "properties": {
            "scopes": { "oneOf": [
                { "type": "string", "const": "all" },
                { "type": "array", "maxItems": 64, "items": (ScopeText::json_schema(generator)) },
            ] },
            "audiences": { "oneOf": [
                { "type": "string", "const": "all" },
                { "type": "array", "maxItems": 64, "items": (Text::<256>::json_schema(generator)) },
            ] },
        },
        "additionalProperties": false,
    };
    /// The key whose possession the presenter must prove.
    ConfirmationSchema => {
        "type": "object",
        "properties": {
            "jkt": (Text::<256>::json_schema(generator)),
            "x5t#S256": (Text::<256>::json_schema(generator)),
        },
        "minProperties": 1,
        "maxProperties": 1,
        "additionalProperties": false,
    };
}

/// Device, application, labels and tags.
#[derive(Debug, JsonSchema)]
#[serde(rename = "Metadata", deny_unknown_fields)]
#[allow(dead_code, reason = "only its schema is used")]
pub struct MetadataSchema {
    /// The device that holds the bearer.
    #[serde(default)]
    #[schemars(with = "DeviceSchema")]
    device: (),
    /// The application that holds the bearer.
    #[serde(default)]
    #[schemars(with = "Option<Text<128>>")]
    app: (),
    /// The version of the application.
    #[serde(default)]
    #[schemars(with = "Option<Text<64>>")]
    app_version: (),
    /// Keys and values to find the token by.
    #[serde(default)]
    #[schemars(with = "Labels")]
    labels: (),
    /// Words to find the token by.
    #[serde(default)]
    #[schemars(with = "Names<Text<64>>")]
    tags: (),
}

/// The device that holds a bearer.
#[derive(Debug, JsonSchema)]
#[serde(rename = "Device", deny_unknown_fields)]
#[allow(dead_code, reason = "only its schema is used")]
pub struct DeviceSchema {
    /// The application's id of the device.
    #[serde(default)]
    #[schemars(with = "Option<Text<128>>")]
    id: (),
    /// The `User-Agent` of the request.
    #[serde(default)]
    #[schemars(with = "Option<Text<512>>")]
    user_agent: (),
    /// The client address of the request.
    #[serde(default)]
    #[schemars(with = "Option<Address>")]
    ip: (),
    /// The platform of the device.
    #[serde(default)]
    #[schemars(with = "Option<Text<64>>")]
    platform: (),
    /// The version of the platform.
    #[serde(default)]
    #[schemars(with = "Option<Text<64>>")]
    version: (),
}
