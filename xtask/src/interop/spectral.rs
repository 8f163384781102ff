//! Spectral: the OpenAPI document follows the rules of `spectral:oas`.

use anyhow::Result;

use super::service::Service;
use super::tools;

pub(super) fn run() -> Result<()> {
    let folder = tools::node("spectral")?;
    let service = Service::start()?;
    let document = format!("{}/openapi.json", service.url);
    tools::npx(&folder, "spectral", ["lint", "--fail-severity", "hint", &document])
}
