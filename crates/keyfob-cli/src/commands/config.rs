//! `config`: checks and shows the configuration of `serve`.

use keyfob_server::config::schema;
use keyfob_server::listen::tls::Certificates;
use serde::Serialize;

use crate::args::{ConfigArgs, ConfigCommand, Settings};
use crate::failure::Failure;
use crate::output::Output;
use crate::service::configuration::{Configuration, Source, certificate_files, server_settings};
use crate::service::traces;
use crate::store_url::StoreUrl;

#[derive(Serialize)]
struct CheckView {
    ok: bool,
}

pub(super) async fn run(
    args: &ConfigArgs,
    settings: &Settings,
    output: &mut Output,
) -> Result<(), Failure> {
    match &args.command {
        ConfigCommand::Check(file) => {
            let read = Source::of_file(file.config.clone(), settings).read()?;
            check(&read).await?;
            match output.is_json() {
                true => output.object(&CheckView { ok: true })?,
                false => output.line("the configuration is valid")?,
            }
        }
        ConfigCommand::Show { file, redacted } => {
            let read = Source::of_file(file.config.clone(), settings).read()?;
            show(&read, *redacted, output)?;
        }
        ConfigCommand::Schema => {
            let text = serde_json::to_string_pretty(schema()).unwrap_or_default();
            output.line(text)?;
        }
    }
    output.flush()
}

/// Checks what can be checked without the store: its URL, the key ring, the certificates, the URL of
/// the collector, and the files of the server's settings.
async fn check(read: &Configuration) -> Result<(), Failure> {
    if let Some(store) = &read.settings.store {
        store.parse::<StoreUrl>()?;
    }
    if let Some(keys) = &read.settings.keys {
        keys.ring().await?;
    }
    server_settings(&read.loaded.config)?;
    traces::start(&read.loaded.config.traces)?;
    if let Some(files) = certificate_files(&read.loaded.config.tls) {
        Certificates::load(files)?;
    }
    Ok(())
}

fn show(read: &Configuration, is_redacted: bool, output: &mut Output) -> Result<(), Failure> {
    let config = match is_redacted {
        true => read.loaded.config.redacted(),
        false => read.loaded.config.clone(),
    };
    if output.is_json() {
        return output.object(&config);
    }
    for (place, setting) in read.loaded.given() {
        output.line(format_args!("# {setting} comes from {place}"))?;
    }
    let text = config.to_toml().map_err(|error| Failure::Usage {
        code: "invalid_value",
        message: format!("the configuration cannot be shown: {error}"),
        details: String::new(),
    })?;
    output.line(text.trim_end())
}
