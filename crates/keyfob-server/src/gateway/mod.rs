//! Verdicts for gateways: may this request pass, and whose is it?
//!
//! A gateway asks before it forwards a request. nginx, Traefik, Caddy and HAProxy ask `GET /authz`;
//! Envoy asks over gRPC.
//!
//! | module | content |
//! |---|---|
//! | `demands` | what a gateway demands of a token, as pairs of a name and a value |
//! | `parameters` | the demands, and the headers of the answer, as data |
//! | `request` | the request of the client, as a gateway describes it |
//! | `verdict` | the verdict as a value: allowed with an identity, or denied with a response |
//! | `decide` | from a request and demands to a verdict. All gateways share it |
//! | `identity` | the identity as headers for the service behind the gateway |
//! | `authz` | the verdict as an HTTP response |
//! | `ext_authz` | the verdict as a response of Envoy's protocol |

pub(crate) mod authz;
mod decide;
mod demands;
pub(crate) mod ext_authz;
mod identity;
pub(crate) mod parameters;
mod request;
mod verdict;
