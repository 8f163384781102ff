//! Verdicts for gateways.

mod authz;
#[allow(dead_code, reason = "what the server alone uses is not used here")]
#[path = "../../../src/gateway/ext_authz/messages.rs"]
mod envoy;
mod ext_authz;
mod messages;
