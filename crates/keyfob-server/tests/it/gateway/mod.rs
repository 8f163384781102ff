//! Verdicts for gateways.

mod authz;
mod ext_authz;
