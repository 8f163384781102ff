//! The variables that OpenTelemetry defines for every program
//! (<https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/>).
//!
//! They apply where a setting is given nowhere else: they are often set for all programs of a machine.

use toml::Value;

use super::error::Place;
use super::given::Given;

const DISABLED: &str = "OTEL_SDK_DISABLED";
const EXPORTER: &str = "OTEL_TRACES_EXPORTER";
const SERVICE_NAME: &str = "OTEL_SERVICE_NAME";

/// The endpoint of traces comes before that of everything. So does its protocol.
const ENDPOINTS: [&str; 2] = ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"];
const PROTOCOLS: [&str; 2] = ["OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"];

/// What the variables of OpenTelemetry say.
#[derive(Debug, Default)]
pub(super) struct Standard {
    endpoint: Option<(&'static str, String)>,
    service_name: Option<String>,
}

impl Standard {
    /// Reads the variables. There is no endpoint if they turn traces off, or if the collector speaks
    /// another protocol there.
    pub(super) fn of(all: impl IntoIterator<Item = (String, String)>) -> Self {
        let all: Vec<_> = all.into_iter().filter(|(name, _)| name.starts_with("OTEL_")).collect();
        let value = |name: &str| {
            let found = all.iter().find(|(other, value)| other == name && !value.is_empty());
            found.map(|(_, value)| value.clone())
        };
        let is = |name: &str, text: &str| value(name).is_some_and(|v| v.eq_ignore_ascii_case(text));
        let protocol = PROTOCOLS.into_iter().find_map(value);
        let is_on = !is(DISABLED, "true")
            && value(EXPORTER).is_none_or(|exporter| exporter == "otlp")
            && protocol.is_none_or(|protocol| protocol == "grpc");
        let endpoint = ENDPOINTS.into_iter().find_map(|name| Some((name, value(name)?)));
        Self { endpoint: endpoint.filter(|_| is_on), service_name: value(SERVICE_NAME) }
    }

    /// Returns the settings that are not given elsewhere.
    pub(super) fn given(self, is_given: impl Fn(&[String]) -> bool) -> impl Iterator<Item = Given> {
        let named = self.service_name.map(|name| ("service_name", SERVICE_NAME, name));
        let endpoint = self.endpoint.map(|(variable, url)| ("endpoint", variable, url));
        let given = endpoint.into_iter().chain(named).map(|(setting, variable, value)| Given {
            place: Place::Variable(variable.to_owned()),
            path: vec!["traces".to_owned(), setting.to_owned()],
            value: Value::String(value),
        });
        given.filter(move |given| !is_given(&given.path))
    }
}
