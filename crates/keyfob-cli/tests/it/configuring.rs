//! `config`, and the files in `packaging`.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::harness::Keyfob;

fn packaging(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../packaging").join(name)
}

#[test]
fn a_valid_file_passes_and_another_is_refused_with_places() {
    let keyfob = Keyfob::new();
    keyfob.file("good.toml", "listen = \"127.0.0.1:0\"\n");
    let done = keyfob.run(&["config", "check", "--config", "good.toml"]).exits(0);
    assert_eq!(done.stdout, "the configuration is valid\n");
    keyfob.file("bad.toml", "lissen = \"127.0.0.1:0\"\n[http]\nmax_header = 5\n");
    let done = keyfob.run(&["config", "check", "--config", "bad.toml"]).exits(2);
    insta::assert_snapshot!(done.stderr);
    let done = keyfob.run(&["config", "check", "--config", "bad.toml", "--json"]).exits(2);
    assert_eq!(done.stderr_objects()[0]["error"]["code"], "invalid_configuration");
    keyfob.run(&["serve", "--config", "bad.toml"]).exits(2).says("bad.toml:1:1");
    keyfob.run(&["config", "check", "--config", "none.toml"]).exits(2).says("none.toml");
}

#[test]
fn a_check_reads_the_url_of_the_store_the_keys_and_the_certificates() {
    let keyfob = Keyfob::by_default();
    let refused = |text: &str| {
        let file = keyfob.file("keyfob.toml", text);
        keyfob.run(&["config", "check", "--config", file.to_str().unwrap()]).exits(2)
    };
    refused("store = \"http://hunter2\"").says("store URL");
    refused("store_file = \"none\"").says("none cannot be read");
    refused("keys = \"none\"").says("none");
    refused("[tls]\ncertificate = \"none.pem\"\nkey = \"none.key\"").says("none.pem");
    keyfob.file("store", "redis://:hunter2@127.0.0.1:1\n");
    let file = keyfob.file("keyfob.toml", "store_file = \"store\"");
    keyfob.run(&["config", "check", "--config", file.to_str().unwrap()]).exits(0);
}

#[test]
fn the_configuration_is_shown_with_what_overrides_it_and_without_passwords() {
    let keyfob = Keyfob::by_default();
    let file = "store = \"redis://:hunter2@redis:6379\"\nissuer = \"https://tokens.example\"\n";
    keyfob.file("keyfob.toml", file);
    let mut command = keyfob.command(&["config", "show", "--redacted", "--config", "keyfob.toml"]);
    command.args(["--prefix", "acme"]).env("KEYFOB_HTTP_MAX_REQUESTS", "7");
    let shown = String::from_utf8(command.output().unwrap().stdout).unwrap();
    assert!(!shown.contains("hunter2"), "{shown}");
    insta::assert_snapshot!(shown);
    let words = ["config", "show", "--config", "keyfob.toml", "--json"];
    let json = keyfob.run(&words).exits(0).object();
    assert_eq!(json["issuer"], "https://tokens.example");
    assert_eq!(json["store"], "redis://:hunter2@redis:6379");
}

#[cfg(not(feature = "nats"))]
#[test]
fn without_the_feature_servers_of_nats_are_refused() {
    let keyfob = Keyfob::new();
    keyfob.file("keyfob.toml", "[nats]\nservers = [\"nats://127.0.0.1:4222\"]\n");
    keyfob.run(&["config", "check", "--config", "keyfob.toml"]).exits(2).says("feature nats");
    keyfob.run(&["serve", "--dev", "--config", "keyfob.toml"]).exits(2).says("feature nats");
}

#[cfg(feature = "nats")]
#[test]
fn files_that_nats_needs_are_checked() {
    let keyfob = Keyfob::new();
    let file = "[nats]\nservers = [\"nats://127.0.0.1:4222\"]\nnkey = \"seed\"\n";
    keyfob.file("keyfob.toml", file);
    let check = ["config", "check", "--config", "keyfob.toml"];
    keyfob.run(&check).exits(2).says("nats.nkey: seed: ");
    keyfob.file("seed", "hunter2");
    keyfob.run(&check).exits(2).says("its seed is not valid");
    keyfob.file("keyfob.toml", "[nats]\nservers = [\"nats://127.0.0.1:4222\"]\n");
    keyfob.run(&check).exits(0);
}

#[cfg(not(feature = "otlp"))]
#[test]
fn without_the_feature_a_collector_is_refused_and_open_telemetry_is_not_asked() {
    let keyfob = Keyfob::new();
    keyfob.file("keyfob.toml", "[traces]\nendpoint = \"http://127.0.0.1:4317\"\n");
    let check = ["config", "check", "--config", "keyfob.toml"];
    keyfob.run(&check).exits(2).says("feature otlp");
    keyfob.run(&["serve", "--dev", "--config", "keyfob.toml"]).exits(2).says("feature otlp");
    keyfob.file("keyfob.toml", "");
    let mut command = keyfob.command(&check);
    command.env("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4317");
    assert!(command.output().unwrap().status.success());
}

#[test]
fn a_service_that_issues_jwts_needs_an_issuer() {
    let keyfob = Keyfob::new();
    keyfob.file("keyfob.toml", "store = \"memory:\"\n[jwt]\naudiences = [\"https://a.example\"]\n");
    keyfob.run(&["serve", "--config", "keyfob.toml"]).exits(2).says("needs issuer");
}

#[test]
fn the_schema_is_json() {
    let schema = Keyfob::new().run(&["config", "schema"]).exits(0);
    let schema: serde_json::Value = serde_json::from_str(&schema.stdout).unwrap();
    assert_eq!(schema["title"], "keyfob.toml");
}

#[test]
fn the_packaged_configuration_has_every_setting_and_is_valid_with_each_of_them() {
    let text = std::fs::read_to_string(packaging("keyfob.toml")).unwrap();
    let is_setting = |line: &str| {
        line.strip_prefix('#')
            .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_lowercase()))
    };
    let sections = |line: &str| line.starts_with("#[").then(|| line[1..].to_owned());
    let left_out = ["#store_file", "#central", "#key_file", "#ca =", "#credentials", "#nkey"];
    let uncommented: Vec<_> = text
        .lines()
        // These exclude each other, or name files that are not here.
        .filter(|line| !left_out.iter().any(|setting| line.starts_with(setting)))
        .map(|line| match line.strip_prefix('#') {
            Some(rest) if is_setting(line) => rest.to_owned(),
            _ => sections(line).unwrap_or_else(|| line.to_owned()),
        })
        .collect();
    let uncommented = uncommented.join("\n");
    let config = keyfob_server::config::Sources::new();
    config.file("keyfob.toml", &text).read().unwrap();
    let config = keyfob_server::config::Sources::new();
    let config = config.file("keyfob.toml", &uncommented).read().unwrap().config;
    let written = config.to_toml().unwrap();
    for setting in written.lines().filter_map(|line| line.split_once(" = ")) {
        let (name, _) = setting;
        assert!(uncommented.contains(&format!("{name} = ")), "{name}");
    }
}

/// `systemd-analyze` looks for the program, so it gets the one that was built.
#[test]
fn the_units_are_valid() {
    if Command::new("systemd-analyze").arg("--version").output().is_err() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    for name in ["keyfob.service", "keyfob.socket"] {
        let unit = std::fs::read_to_string(packaging("systemd").join(name)).unwrap();
        let unit = unit.replace("/usr/bin/keyfob", env!("CARGO_BIN_EXE_keyfob"));
        std::fs::write(directory.path().join(name), unit).unwrap();
        let path = directory.path().join(name);
        let mut command = Command::new("systemd-analyze");
        let done = command.args(["verify", "--man=no"]).arg(&path).output().unwrap();
        let said = String::from_utf8_lossy(&done.stderr);
        // Other units of the machine are none of our business.
        let ours: Vec<_> = said.lines().filter(|line| line.contains("keyfob.s")).collect();
        assert!(ours.is_empty(), "{said}");
    }
}
