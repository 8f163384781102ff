//! `serve`: the token service over HTTP.

use std::sync::Arc;

use keyfob::TokenManager;
use keyfob_console::Console;
use keyfob_server::config::Config;
use keyfob_server::listen::tls::Certificates;
use keyfob_server::{Pages, RenderMetrics, Server};
use serde::Serialize;

use super::init;
use crate::args::ServeArgs;
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::metrics;
use crate::open;
use crate::output::Output;
use crate::service::configuration::{
    Configuration, Source, certificate_files, draw_jwt_keys, jwt_keys, server_settings,
};
use crate::service::reload::{Hangups, Reloading};
use crate::service::sockets::{self, Sockets};
use crate::service::{supervisor, traces};

/// The client of the key that `--dev` makes.
const DEV_CLIENT: &str = "admin";

/// The first line on stdout, as JSON.
#[derive(Serialize)]
struct ServeView<'a> {
    url: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    management_url: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    admin_key: Option<&'a str>,
}

pub(super) async fn run(
    args: &ServeArgs,
    source: Source,
    configuration: Configuration,
    output: &mut Output,
) -> Result<(), Failure> {
    // Before anybody knows that the server is there.
    let hangups = Hangups::catch();
    // Before the manager is created: it records metrics from then on.
    let recorder = metrics::start();
    let render: RenderMetrics = Arc::new(move || recorder.text());
    let Configuration { loaded, settings } = configuration;
    if !args.dev {
        check_issuer(&loaded.config)?;
    }
    let manager = match args.dev {
        true => open::memory(&settings, &loaded.config)?,
        false => open::service(&settings, &loaded.config).await?,
    };
    let served = serve(args, (source, hangups), loaded.config, &manager, render, output).await;
    manager.shutdown().await;
    served
}

async fn serve(
    args: &ServeArgs,
    (source, hangups): (Source, Hangups),
    config: Config,
    manager: &TokenManager,
    render: RenderMetrics,
    output: &mut Output,
) -> Result<(), Failure> {
    let admin_key = match args.dev {
        true => Some(init::issue_admin_key(manager, DEV_CLIENT.parse()?).await?),
        false => None,
    };
    let is_edge = !args.dev && config.edge.central.is_some();
    if !args.dev && !is_edge && init::surely_lacks_admin_key(manager).await? {
        output.note("no_admin_key", "the store has no admin key: run keyfob init to make one");
    }
    let certificates = match certificate_files(&config.tls) {
        Some(files) => Some(Arc::new(Certificates::load(files)?)),
        None => None,
    };
    let sockets = sockets::open(&config, certificates.as_ref()).await?;
    let mut settings = server_settings(&config)?;
    let drawn = if args.dev { Some(draw_jwt_keys()?) } else { None };
    settings.jwt.keys = jwt_keys(&config, manager, drawn.as_ref()).await?;
    let server = Server::with_metrics(manager.clone(), settings, Some(render));
    // The console lists and changes tokens, which an edge does not.
    let recording = (config.console.enabled && !is_edge).then(|| {
        let console = console(&server);
        server.show(Pages::new(Console::PATH, console.router()));
        tokio::spawn(async move { console.record_activity().await })
    });
    if config.traces.endpoint.is_some() {
        server.continue_traces(traces::continue_trace());
    }
    let interrupt = Interrupt::listen();
    announce(&sockets, admin_key.as_ref().map(|issued| issued.bearer.expose()), output)?;
    let watching = certificates.clone().map(|certificates| {
        tokio::spawn(certificates.watch(config.tls.check_interval.as_duration()))
    });
    let (manager, reloaded) = (manager.clone(), server.clone());
    let reloading =
        Reloading { source, config, manager, server: reloaded, certificates, drawn_keys: drawn };
    let reloading = tokio::spawn(reloading.run(hangups));
    let (stop_webhooks, stopped) = tokio::sync::oneshot::channel::<()>();
    let sender = server.clone();
    let delivering = tokio::spawn(async move {
        let stopped = async { stopped.await.unwrap_or_default() };
        sender.deliver_webhooks(stopped).await;
    });
    supervisor::ready();
    let shutdown = async move {
        interrupt.requested().await;
        supervisor::stopping();
    };
    let drained = server.serve_all(sockets.listeners, shutdown).await;
    reloading.abort();
    // Other replicas continue where this one stops.
    let _ends_anyway = stop_webhooks.send(());
    let _is_over = delivering.await;
    if let Some(recording) = recording {
        recording.abort();
    }
    if let Some(watching) = watching {
        watching.abort();
    }
    match drained.cut {
        0 => Ok(()),
        cut => Err(Failure::CutRequests { cut }),
    }
}

/// Checks that JWTs have an issuer. Without one, it would follow the `Host` of each request.
fn check_issuer(config: &Config) -> Result<(), Failure> {
    if config.jwt.audiences.is_empty() || config.issuer.is_some() {
        return Ok(());
    }
    Err(Failure::Usage {
        code: "invalid_configuration",
        message: "jwt.audiences needs issuer: a service checks who has issued a JWT".to_owned(),
        details: String::new(),
    })
}

/// Returns the console. It asks the routes of the server, in this process.
fn console(server: &Server) -> Console {
    let api = server.local_api();
    Console::new(move |request| {
        let api = api.clone();
        async move { api.call(request).await }
    })
}

/// Says where the server is, and with `--dev` how to try it.
fn announce(
    sockets: &Sockets,
    admin_key: Option<&str>,
    output: &mut Output,
) -> Result<(), Failure> {
    let (url, management_url) = (&*sockets.url, sockets.management_url.as_deref());
    if output.is_json() {
        output.object(&ServeView { url, management_url, admin_key })?;
        return output.flush();
    }
    output.line(format_args!("keyfob serves {url}"))?;
    if let Some(url) = management_url {
        output.line(format_args!("management: {url}"))?;
    }
    if let Some(key) = admin_key {
        output.line(format_args!(
            "\nThe store is in memory and ends with this process. The admin key is {key}\n\n  \
             key={key}\n  \
             curl -su {DEV_CLIENT}:$key {url}/v1/tokens -H content-type:application/json \\\n       \
             -d '{{\"subject\":\"alice\",\"scopes\":[\"read\"]}}'\n  \
             curl -su {DEV_CLIENT}:$key {url}/oauth2/introspect -d token=PASTE_THE_BEARER\n  \
             curl -su {DEV_CLIENT}:$key {url}/oauth2/revoke -d token=PASTE_THE_BEARER\n\n\
             The console is at {console}{path}: sign in with the admin key.",
            console = management_url.unwrap_or(url),
            path = Console::PATH,
        ))?;
    }
    output.flush()
}
