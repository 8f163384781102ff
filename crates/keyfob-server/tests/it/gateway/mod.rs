//! Verdicts for gateways.

mod authz;
