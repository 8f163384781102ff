//! Envoy's external authorization over gRPC: a load, and a bare server that allows everything.

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, Result, ensure};
use envoy_types::ext_authz::v3::pb::{CheckRequest, CheckResponse};
use envoy_types::pb::envoy::service::auth::v3::AttributeContext;
use envoy_types::pb::envoy::service::auth::v3::attribute_context::{HttpRequest, Request};
use envoy_types::pb::envoy::service::auth::v3::authorization_client::AuthorizationClient;
use envoy_types::pb::envoy::service::auth::v3::authorization_server::{
    Authorization, AuthorizationServer,
};
use envoy_types::pb::google::rpc::Status;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Endpoint, Server};

use super::CONNECTIONS;
use super::process::{Process, pinned};

/// The role on the command line.
pub(crate) const ROLE: &str = "grpc-echo";

/// The number of connections, as a gateway keeps a few of them.
const CHANNELS: usize = 8;

#[derive(Debug)]
struct AllowAll;

#[tonic::async_trait]
impl Authorization for AllowAll {
    async fn check(
        &self,
        _: tonic::Request<CheckRequest>,
    ) -> Result<tonic::Response<CheckResponse>, tonic::Status> {
        let status = Some(Status::default());
        Ok(tonic::Response::new(CheckResponse { status, ..CheckResponse::default() }))
    }
}

/// Serves until it is killed. The runtime is that of `keyfob serve`.
pub(crate) fn serve() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        writeln!(std::io::stdout(), "{}", listener.local_addr()?.port())?;
        let service = AuthorizationServer::new(AllowAll);
        let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
        Server::builder().add_service(service).serve_with_incoming(incoming).await?;
        Ok(())
    })
}

/// Starts the bare server. Returns its port too.
pub(crate) fn start() -> Result<(Process, u16)> {
    let mut command = pinned(&std::env::current_exe()?);
    let (process, line) = Process::start(command.args([crate::process_state::ROLE, ROLE]))?;
    Ok((process, line.trim().parse().context("the bare server printed no port")?))
}

/// Checks of requests with these bearer tokens in turn.
#[derive(Debug)]
pub(crate) struct Checks {
    port: u16,
    requests: Vec<CheckRequest>,
}

impl Checks {
    pub(crate) fn new(port: u16, bearers: &[String]) -> Arc<Self> {
        let requests = bearers.iter().map(|bearer| request(bearer)).collect();
        Arc::new(Self { port, requests })
    }

    /// Returns microseconds of the server's work per check.
    pub(crate) fn cpu_each(
        self: &Arc<Self>,
        runtime: &Runtime,
        server: &Process,
        count: usize,
    ) -> Result<f64> {
        server.cpu_each(count, || runtime.block_on(self.run(count)))
    }

    async fn run(self: &Arc<Self>, count: usize) -> Result<()> {
        let mut channels = Vec::new();
        for _ in 0..CHANNELS {
            let endpoint = Endpoint::from_shared(format!("http://127.0.0.1:{}", self.port))?;
            channels.push(endpoint.connect().await?);
        }
        let next = Arc::new(AtomicUsize::new(0));
        let callers = channels.iter().cycle().take(CONNECTIONS).map(|channel| {
            let (checks, channel, next) = (Arc::clone(self), channel.clone(), Arc::clone(&next));
            tokio::spawn(async move { checks.call(channel, &next, count).await })
        });
        for caller in callers.collect::<Vec<_>>() {
            caller.await??;
        }
        Ok(())
    }

    async fn call(&self, channel: Channel, next: &AtomicUsize, count: usize) -> Result<()> {
        let mut client = AuthorizationClient::new(channel);
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= count {
                return Ok(());
            }
            let request = self.requests.get(number % self.requests.len()).context("no request")?;
            let answer = client.check(request.clone()).await?.into_inner();
            ensure!(answer.status.is_some_and(|status| status.code == 0), "a check was denied");
        }
    }
}

fn request(bearer: &str) -> CheckRequest {
    let headers = [
        (":authority", "shop.example"),
        ("authorization", &*format!("Bearer {bearer}")),
        ("user-agent", "Mozilla/5.0"),
    ];
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let method = "GET".to_owned();
    let http =
        HttpRequest { method, headers, path: "/page?a=1".to_owned(), ..HttpRequest::default() };
    let request = Request { http: Some(http), ..Request::default() };
    let attributes = AttributeContext { request: Some(request), ..AttributeContext::default() };
    CheckRequest { attributes: Some(attributes) }
}
