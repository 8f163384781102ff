//! The configuration: what overrides what, and what is refused with which words.

use keyfob::LimitBy;
use keyfob_server::config::{LogFormat, Place, Sources, schema};

fn refused(text: &str) -> String {
    Sources::new().file("keyfob.toml", text).read().unwrap_err().to_string()
}

fn variables(all: &[(&str, &str)]) -> Vec<(String, String)> {
    all.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect()
}

#[test]
fn without_a_source_each_setting_has_its_default() {
    let config = Sources::new().read().unwrap().config;
    assert_eq!(config.listen.to_string(), "127.0.0.1:8700");
    insta::assert_snapshot!(config.to_toml().unwrap());
}

#[test]
fn a_variable_overrides_the_file_and_a_flag_overrides_both() {
    let text = "listen = \"127.0.0.1:1\"\nissuer = \"https://file\"\nprefix = \"file\"\n";
    let read = |sources: Sources| sources.file("f", text).read().unwrap();
    let all = variables(&[
        ("KEYFOB_LISTEN", "127.0.0.1:2"),
        ("KEYFOB_ISSUER", "https://variable"),
        ("KEYFOB_HTTP_MAX_CONNECTIONS", "7"),
        ("KEYFOB_PUBLIC_CLIENTS", "spa, tv"),
        ("KEYFOB_MANAGEMENT_TLS", "false"),
        ("KEYFOB_LOG", "debug"),
        ("KEYFOB_LOG_FORMAT", "json"),
        ("KEYFOB_PREFIX", ""),
        ("KEYFOB_PORT_8700_TCP", "an orchestrator makes this"),
        ("PATH", "/bin"),
    ]);
    let flagged = Sources::new().variables(all).flag("--listen", &["listen"], "127.0.0.1:3");
    let loaded = read(flagged);
    let config = &loaded.config;
    assert_eq!(config.listen.tcp().unwrap().port(), 3);
    assert_eq!(config.issuer.as_ref().unwrap().as_str(), "https://variable");
    assert_eq!(config.prefix.to_string(), "file");
    assert_eq!(config.http.max_connections.get(), 7);
    assert_eq!(config.public_clients.len(), 2);
    assert_eq!(config.log.filter.as_deref(), Some("debug"));
    assert_eq!(config.log.format, LogFormat::Json);
    let (place, setting) = loaded.given().last().unwrap();
    assert_eq!((place, &*setting), (&Place::Flag("--listen".into()), "listen"));
}

#[test]
fn each_error_has_its_place_and_the_right_name() {
    let text = r#"
listen = "127.0.0.1"
lissuer = "https://a"
max_connections = 5

[http]
request_timeout = "ten"
max_header_size = "64"

[tsl]
certificate = "a"

[limits.calls]
by = "clients"
rate = "100/1m"

[chains.orders]
scope = ["read"]
"#;
    insta::assert_snapshot!(refused(text));
}

#[test]
fn a_value_that_is_not_valid_has_its_place() {
    let cases = [
        "listen = \"127.0.0.1\"",
        "[http]\nrequest_timeout = \"ten\"",
        "[http]\nmax_header_size = \"64\"",
        "[http]\nmax_connections = 0",
        "[http]\nmax_connections = \"many\"",
        "prefix = \"Ü\"",
        "[limits.calls]\nby = \"clients\"\nrate = \"100/1m\"",
        "[limits.calls]\nby = \"client\"\nrate = \"100\"",
        "[limits.calls]\nrate = \"100/1m\"",
        "[chains.orders]\nmax_age = \"soon\"",
        "[chains.orders]\nscopes = [\"read all\"]",
        "[chains.\"or ders\"]",
        "[log]\nformat = \"xml\"",
        "[proxies]\ntrusted = [\"everybody\"]",
        "http = 5",
        "[traces]\nsample_ratio = \"all\"",
        "[traces]\nsample_ratio = 1.5",
        "[traces]\nsample_ratio = nan",
        "[traces]\nservice_name = \"\"",
        "[traces]\nendpoint = \"127.0.0.1:4317\"",
        "[traces]\nendpoint = \"ftp://h:1\"",
        "[traces]\nendpoint = \"http://user:hunter2@h:4317\"",
        "[traces]\nendpoint = \"https://h:4317/?token=hunter2\"",
        "[traces]\nendpoint = \"http://h:4318/v1/traces\"",
    ];
    let all: Vec<_> = cases.iter().map(|text| refused(text)).collect();
    insta::assert_snapshot!(all.join("\n"));
}

#[test]
fn settings_that_contradict_each_other_are_refused() {
    let cases = [
        "store = \"memory:\"\nstore_file = \"f\"",
        "[tls]\ncertificate = \"a\"",
        "[tls]\nkey = \"a\"",
        "[tls]\nclient_ca = \"a\"",
        "[management]\ntls = true",
        "[management]\nlisten = \"127.0.0.1:8700\"",
        "[nats]\nuser = \"u\"\npassword_file = \"f\"",
        "[nats]\nservers = [\"nats://u:hunter2@a:4222\"]",
        "[nats]\nservers = [\"https://a:4222\"]",
        "[nats]\nservers = [\"nats://a\"]\nnkey = \"f\"\ncredentials = \"f\"",
        "[nats]\nservers = [\"nats://a\"]\nuser = \"u\"",
        "[nats]\nservers = [\"nats://a\"]\npassword_file = \"f\"",
        "[nats]\nservers = [\"nats://a\"]\nsubject = \"keyfob.>\"",
        "[limits.calls]\nby = \"ip\"\nrate = \"1/s\"\nroutes = [\"introspec\"]",
        "[limits.calls]\nby = \"ip\"\nrate = \"1/s\"\n[chains.a]\nlimits = [{ name = \"cals\" }]",
    ];
    let all: Vec<_> = cases.iter().map(|text| refused(text)).collect();
    insta::assert_snapshot!(all.join("\n"));
}

#[test]
fn a_file_that_is_not_toml_is_refused_without_its_line() {
    let error = refused("store = \"redis://:hunter2@h\nlisten = 1");
    assert!(error.starts_with("keyfob.toml:1:"), "{error}");
    assert!(!error.contains("hunter2"), "{error}");
}

#[test]
fn a_variable_that_is_not_valid_is_named() {
    let refused = |name: &str, value: &str| {
        Sources::new().variables(variables(&[(name, value)])).read().unwrap_err().to_string()
    };
    insta::assert_snapshot!(
        [
            refused("KEYFOB_LISTEN", "everywhere"),
            refused("KEYFOB_HTTP_MAX_CONNECTIONS", "many"),
            refused("KEYFOB_MANAGEMENT_TLS", "yes"),
            refused("KEYFOB_HTTP_MAX_CONECTIONS", "5"),
            refused("KEYFOB_TLS_CERT", "a"),
            refused("KEYFOB_TRACES_SAMPLE_RATIO", "half"),
        ]
        .join("\n")
    );
}

#[test]
fn a_configuration_becomes_settings_and_limits() {
    let text = r#"
issuer = "https://tokens.example"
[limits.asks]
by = "client"
rate = "100/1m"
burst = 20
routes = ["introspect", "validateTokens"]
[limits.attempts]
by = "failed-attempts"
rate = "10/1m"
[chains.orders]
audience = "orders"
limits = [{ name = "asks", cost = 2 }]
"#;
    let config = Sources::new().file("f", text).read().unwrap().config;
    let settings = config.settings();
    let limited: Vec<_> = settings.route_limits.iter().map(|limit| limit.operation).collect();
    assert_eq!(limited, ["introspect", "validateTokens"]);
    assert_eq!(settings.route_limits[0].by, LimitBy::Client);
    assert_eq!(settings.chains.get("orders").unwrap().limits[0].1, 2);
    assert!(config.limits(keyfob::LocalLimits::new()).is_ok());
    let again = Sources::new().file("f", config.to_toml().unwrap()).read().unwrap().config;
    assert_eq!(again.to_toml().unwrap(), config.to_toml().unwrap());
}

#[test]
fn servers_of_nats_come_with_one_login() {
    use keyfob_server::webhooks::nats::NatsLogin;
    let nats = |text: &str| {
        let given = variables(&[("KEYFOB_NATS_SERVERS", "tls://a:4222,tls://b")]);
        let read = Sources::new().file("f", text).variables(given).read().unwrap();
        read.config.settings().webhooks.nats.unwrap()
    };
    let found = nats("[nats]\nca = \"ca.pem\"\nsubject = \"prod.keyfob\"");
    assert_eq!(found.servers, ["tls://a:4222", "tls://b"]);
    assert_eq!((found.subject.as_str(), found.login), ("prod.keyfob", NatsLogin::Anonymous));
    assert_eq!(found.ca, Some("ca.pem".into()));
    let login = |text: &str| nats(&format!("[nats]\n{text}")).login;
    assert_eq!(login("credentials = \"f\""), NatsLogin::Credentials("f".into()));
    assert_eq!(login("nkey = \"f\""), NatsLogin::Nkey("f".into()));
    let (user, file) = ("u".to_owned(), "f".into());
    assert_eq!(login("user = \"u\"\npassword_file = \"f\""), NatsLogin::Password { user, file });
    assert_eq!(Sources::new().read().unwrap().config.settings().webhooks.nats, None);
}

#[test]
fn variables_of_open_telemetry_apply_where_nothing_else_does() {
    let standard = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://all:4317"),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://traces:4317"),
        ("OTEL_SERVICE_NAME", "tokens"),
    ];
    let read = |more: &[(&str, &str)], file: &str| {
        let all = variables(&[&standard[..], more].concat());
        let sources = Sources::new().variables(all.clone()).open_telemetry(all).file("f", file);
        sources.read().unwrap()
    };
    let traces = |more: &[(&str, &str)], file: &str| {
        let traces = read(more, file).config.traces;
        (traces.endpoint.unwrap_or_default(), traces.service_name)
    };
    let pair = |endpoint: &str, name: &str| (endpoint.to_owned(), name.to_owned());
    assert_eq!(traces(&[], ""), pair("http://traces:4317", "tokens"));
    let file = "[traces]\nendpoint = \"http://file:4317\"\nservice_name = \"of file\"";
    assert_eq!(traces(&[], file), pair("http://file:4317", "of file"));
    let ours = [("KEYFOB_TRACES_ENDPOINT", "http://ours:4317")];
    assert_eq!(traces(&ours, ""), pair("http://ours:4317", "tokens"));
    for off in [
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"),
        ("OTEL_TRACES_EXPORTER", "none"),
        ("OTEL_SDK_DISABLED", "true"),
    ] {
        assert_eq!(traces(&[off], "").0, "", "{off:?}");
        assert_eq!(traces(&[off], file).0, "http://file:4317", "{off:?}");
    }
    let loaded = read(&[], "");
    let given: Vec<_> =
        loaded.given().map(|(place, setting)| format!("{place}: {setting}")).collect();
    assert_eq!(
        given,
        [
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: traces.endpoint",
            "OTEL_SERVICE_NAME: traces.service_name"
        ]
    );
    let wrong = variables(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "collector")]);
    let refused = Sources::new().open_telemetry(wrong).read().unwrap_err().to_string();
    assert!(refused.starts_with("OTEL_EXPORTER_OTLP_ENDPOINT: traces.endpoint"), "{refused}");
}

#[test]
fn the_schema_describes_each_setting() {
    fn undescribed(schema: &serde_json::Value, path: &str, all: &mut Vec<String>) {
        for (name, schema) in schema["properties"].as_object().into_iter().flatten() {
            let path = format!("{path}.{name}");
            if !schema["description"].is_string() {
                all.push(path.clone());
            }
            undescribed(schema, &path, all);
        }
    }
    let schema = schema();
    assert_eq!(schema["additionalProperties"], false);
    let mut all = Vec::new();
    undescribed(schema, "", &mut all);
    assert!(all.is_empty(), "{all:?}");
}
