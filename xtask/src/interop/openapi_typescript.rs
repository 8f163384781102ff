//! openapi-typescript: a client made from the OpenAPI document compiles under `strict`, and takes the
//! tour: issue, validate, list, revoke, refuse.

use anyhow::Result;

use super::service::Service;
use super::tools;

pub(super) fn run() -> Result<()> {
    let folder = tools::node("openapi-typescript")?;
    let service = Service::start()?;
    let document = format!("{}/openapi.json", service.url);
    tools::npx(&folder, "openapi-typescript", [&document, "--output", "keyfob.d.ts"])?;
    tools::npx(&folder, "tsc", ["--project", "tsconfig.json"])?;
    let tour = ["built/tour.js", &service.url, &service.admin_key];
    tools::run(std::process::Command::new("node").args(tour).current_dir(&folder))
}
