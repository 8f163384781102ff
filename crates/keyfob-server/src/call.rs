//! One request, as a handler receives it.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use keyfob::token::Confirmation;
use keyfob::{Presentation, Refusal, TokenManager, ValidationChain};

use crate::access::caller::{Caller, Identity};
use crate::form::Form;
use crate::parameter::Parameter;
use crate::query::Query;
use crate::respond::failure::Failure;
use crate::shared::Shared;

/// One request whose demand is met.
#[derive(Debug)]
pub(crate) struct Call {
    /// What all requests share.
    pub(crate) shared: Arc<Shared>,
    /// The head of the request.
    pub(crate) parts: Parts,
    /// The parameters of the path, by name.
    pub(crate) path: BTreeMap<String, String>,
    /// The parameters of the query, as far as the route has any.
    pub(crate) query: Query,
    /// Who it comes from; `None` where the route does not ask.
    pub(crate) identity: Option<Identity>,
    /// The body, unless it is a form.
    pub(crate) body: Bytes,
    /// The form; empty unless the route takes one.
    pub(crate) form: Form,
    /// The address of the client, if it is known.
    pub(crate) address: Option<IpAddr>,
    /// The key that the client proves by its certificate (RFC 8705), if it shows one.
    pub(crate) certificate: Option<Confirmation>,
    /// The id of the request, for logs and problem documents.
    pub(crate) request_id: Arc<str>,
}

impl Call {
    /// Returns the manager.
    pub(crate) fn manager(&self) -> &TokenManager {
        &self.shared.manager
    }

    /// Returns the caller.
    ///
    /// # Errors
    /// If the request comes from a public client. Routes that demand more never see one.
    pub(crate) fn caller(&self) -> Result<&Caller, Failure> {
        match &self.identity {
            Some(Identity::Proven(caller)) => Ok(caller),
            Some(Identity::Public(_)) => Err(Failure::oauth(
                "unauthorized_client",
                "a client without credentials may not do this",
            )),
            None => Err(Failure::internal("route_without_demand")),
        }
    }

    /// Returns the bearer token of the caller as it presents it, with the key that it has proven.
    pub(crate) fn presentation_of<'a>(&'a self, caller: &'a Caller) -> Presentation<'a> {
        let presented = caller.presentation();
        match presented.confirmation {
            Some(_) => presented,
            None => self.certificate.iter().fold(presented, Presentation::confirmation),
        }
    }

    /// Checks that a caller whose request takes long could still send it. That is no further use of a key with limited uses,
    /// which this request may have used up.
    ///
    /// # Errors
    /// If its token was revoked meanwhile or has expired, or the store cannot tell.
    pub(crate) async fn revalidate(&self, caller: &Caller) -> Result<(), keyfob::Error> {
        let presented = self.presentation_of(caller);
        if caller.token().uses_left.is_none() {
            return self.manager().validate_active(presented).await.map(drop);
        }
        let found = self.manager().explain(presented, &ValidationChain::new()).await?;
        let refusal = found.refusals.into_iter().find(|refusal| *refusal != Refusal::Exhausted);
        refusal.map_or(Ok(()), |refusal| Err(refusal.into()))
    }

    /// Returns the public URL of the service: see [`Shared::issuer`].
    ///
    /// # Errors
    /// If there is no issuer, and the request names no host.
    pub(crate) fn issuer(&self) -> Result<String, Failure> {
        self.shared.issuer(&self.parts)
    }

    /// Returns a parameter of the form that may be missing.
    pub(crate) fn optional(&self, parameter: &Parameter) -> Option<&str> {
        self.form.get(parameter.name)
    }

    /// Returns a parameter of the form that has to be there.
    ///
    /// # Errors
    /// If it is missing.
    pub(crate) fn required(&self, parameter: &Parameter) -> Result<&str, Failure> {
        self.optional(parameter).ok_or_else(|| {
            let detail = format!("the parameter {} is missing", parameter.name);
            Failure { detail: detail.into(), ..Failure::invalid_request("a parameter is missing") }
        })
    }
}
