//! `serve`: the token service over HTTP.

use std::sync::Arc;

use keyfob::TokenManager;
use keyfob_server::{RenderMetrics, Server, Settings as ServerSettings};
use serde::Serialize;
use tokio::net::TcpListener;

use super::init;
use crate::args::{ServeArgs, Settings};
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::metrics;
use crate::open;
use crate::output::Output;

/// The client of the key that `--dev` makes.
const DEV_CLIENT: &str = "admin";

/// The first line on stdout, as JSON.
#[derive(Serialize)]
struct ServeView<'a> {
    url: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    admin_key: Option<&'a str>,
}

pub(super) async fn run(
    args: &ServeArgs,
    settings: &Settings,
    output: &mut Output,
) -> Result<(), Failure> {
    // Before the manager is created: it records metrics from then on.
    let recorder = metrics::start();
    let render: RenderMetrics = Arc::new(move || recorder.text());
    let manager = match args.dev {
        true => open::memory(settings)?,
        false => open::service(settings).await?,
    };
    let served = serve(args, &manager, render, output).await;
    manager.shutdown().await;
    served
}

async fn serve(
    args: &ServeArgs,
    manager: &TokenManager,
    render: RenderMetrics,
    output: &mut Output,
) -> Result<(), Failure> {
    let admin_key = match args.dev {
        true => Some(init::issue_admin_key(manager, DEV_CLIENT.parse()?).await?),
        false => None,
    };
    if !args.dev && init::surely_lacks_admin_key(manager).await? {
        output.note("no_admin_key", "the store has no admin key: run keyfob init to make one");
    }
    if !args.listen.ip().is_loopback() {
        tracing::warn!(
            address = %args.listen,
            "the server listens beyond this machine without TLS: put a proxy with TLS before it"
        );
    }
    let listening = |error| Failure::Listen { address: args.listen, error };
    let listener = TcpListener::bind(args.listen).await.map_err(listening)?;
    let url = format!("http://{}", listener.local_addr().map_err(listening)?);
    let server = Server::with_metrics(manager.clone(), server_settings(args), Some(render));
    let interrupt = Interrupt::listen();
    let bearer = admin_key.as_ref().map(|issued| issued.bearer.expose());
    announce(&url, bearer, output)?;
    let shutdown = async move { interrupt.requested().await };
    server.serve(listener, shutdown).await.map_err(listening)
}

fn server_settings(args: &ServeArgs) -> ServerSettings {
    let mut settings = ServerSettings::new();
    settings.issuer.clone_from(&args.issuer);
    args.public_client.iter().cloned().fold(settings, ServerSettings::public_client)
}

/// Says where the server is, and with `--dev` how to try it.
fn announce(url: &str, admin_key: Option<&str>, output: &mut Output) -> Result<(), Failure> {
    if output.is_json() {
        output.object(&ServeView { url, admin_key })?;
        return output.flush();
    }
    output.line(format_args!("keyfob serves {url}"))?;
    if let Some(key) = admin_key {
        output.line(format_args!(
            "\nThe store is in memory and ends with this process. The admin key is {key}\n\n  \
             key={key}\n  \
             curl -su {DEV_CLIENT}:$key {url}/v1/tokens -H content-type:application/json \\\n       \
             -d '{{\"subject\":\"alice\",\"scopes\":[\"read\"]}}'\n  \
             curl -su {DEV_CLIENT}:$key {url}/oauth2/introspect -d token=PASTE_THE_BEARER\n  \
             curl -su {DEV_CLIENT}:$key {url}/oauth2/revoke -d token=PASTE_THE_BEARER"
        ))?;
    }
    output.flush()
}
