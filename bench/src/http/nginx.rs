//! What a check adds to a page behind nginx with `auth_request` (H5).

use std::path::Path;
use std::sync::Arc;

use anyhow::{Result, ensure};
use tokio::runtime::Runtime;

use super::keyfob::Service;
use super::load::Load;
use super::process::{Process, free_port, pinned};
use super::request::Request;
use crate::measure::rounds;
use crate::report::{Figure, Report};
use crate::size::Size;
use crate::target::Target;

const PROGRAM: &str = "/usr/sbin/nginx";

/// How much later a page may come because it is checked, in microseconds.
const MAX_ADDED: f64 = 300.0;

pub(super) fn measure(report: &mut Report, runtime: &Runtime, size: Size) -> Result<()> {
    ensure!(Path::new(PROGRAM).is_file(), "nginx is missing: install the package nginx-light");
    let service = Service::in_memory()?;
    let bearers = service.issue(1_000)?;
    let folder = tempfile::tempdir()?;
    let port = free_port()?;
    std::fs::write(folder.path().join("page"), "hello")?;
    std::fs::write(folder.path().join("nginx.conf"), configuration(port, service.port))?;
    let settings = "daemon off; master_process off; pid nginx.pid; error_log stderr;";
    let mut command = pinned(PROGRAM.as_ref());
    command.arg("-p").arg(folder.path()).args(["-c", "nginx.conf", "-g", settings]);
    let _nginx = Process::start_until(&mut command, port, &Request::get("/open/page", &[]))?;
    let load = |path: &str| {
        let request = |bearer: &String| {
            Request::get(path, &[("authorization", &*format!("Bearer {bearer}"))])
        };
        let requests = bearers.iter().map(request).collect();
        Arc::new(Load { port, requests, status: 200, contains: "hello" })
    };
    let (guarded, open) = (load("/guarded/page"), load("/open/page"));
    let count = size.operations(5_000);
    let median =
        |load: &Arc<Load>| -> Result<f64> { Ok(load.run(runtime, 1, count)?.latencies.median()) };
    let [checked, unchecked] =
        rounds(size.rounds(7), [&mut || median(&guarded), &mut || median(&open)])?;
    let what = "a page behind nginx, one request at a time: p50 that the check adds";
    let added = checked.minus(&unchecked).median();
    let figure = Figure::plain("H5", what, added, "µs");
    let figure = figure.beside_value("the same page without a check", unchecked.median());
    report.add(figure.against(Target::value_at_most(MAX_ADDED)));
    Ok(())
}

fn configuration(port: u16, service: u16) -> String {
    format!(
        "events {{}}
http {{
    access_log off;
    keepalive_requests 1000000;
    upstream keyfob {{ server 127.0.0.1:{service}; keepalive 16; }}
    server {{
        listen 127.0.0.1:{port};
        location /open/ {{ alias ./; }}
        location /guarded/ {{ auth_request /_authz; alias ./; }}
        location = /_authz {{
            internal;
            proxy_pass http://keyfob/authz?scope=read;
            proxy_http_version 1.1;
            proxy_set_header Connection \"\";
            proxy_pass_request_body off;
            proxy_set_header Content-Length \"\";
        }}
    }}
}}
"
    )
}
