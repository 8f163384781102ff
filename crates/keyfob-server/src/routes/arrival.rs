//! From a request to its caller and its body. At an edge also to who answers it.

use std::net::IpAddr;

use axum::body::Body;
use bytes::Bytes;
use http::HeaderMap;
use http::request::Parts;
use keyfob::token::Confirmation;

use super::body::read;
use super::charge;
use super::for_central::{is_for_central, may_be_for_central};
use super::route::{Route, Takes};
use crate::access::caller::{Identity, Seen};
use crate::access::credentials::{BadCredentials, Credentials};
use crate::form::Form;
use crate::respond::failure::Failure;
use crate::shared::Shared;

/// A request whose body was not read.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) shared: &'a Shared,
    pub(super) route: &'a Route,
    pub(super) parts: &'a Parts,
    pub(super) address: Option<IpAddr>,
    pub(super) certificate: Option<&'a Confirmation>,
}

/// A request whose body was read.
pub(super) struct Arrived {
    /// Who asks. Where only the central server answers it decides about that.
    pub(super) identity: Option<Identity>,
    pub(super) body: Bytes,
    /// The body as a form, if the route takes one.
    pub(super) form: Option<Form>,
    /// Whether only the central server can answer.
    pub(super) is_for_central: bool,
}

impl Asked<'_> {
    /// Authenticates, charges the limits of the route, and reads the body.
    ///
    /// What is sent on is charged by the central server, often in the same store of limits. So at an edge that may send
    /// it on, nothing is charged before it is known who answers.
    pub(super) async fn arrive(
        self,
        body: Body,
        fields: &mut HeaderMap,
    ) -> Result<Arrived, Failure> {
        let Self { shared, route, address, .. } = self;
        if !may_be_for_central(shared, route) {
            charge::by_address(shared, route, address, fields).await?;
            return self.read(body, Some(fields)).await;
        }
        let arrived = self.read(body, None).await;
        if !matches!(&arrived, Ok(arrived) if arrived.is_for_central) {
            charge::by_address(shared, route, address, fields).await?;
            let identity = arrived.as_ref().ok().and_then(|arrived| arrived.identity.as_ref());
            charge::by_caller(shared, route, identity, fields).await?;
        }
        arrived
    }

    /// Charges the limits by caller if the answer has fields for them.
    async fn read(self, body: Body, fields: Option<&mut HeaderMap>) -> Result<Arrived, Failure> {
        let Self { shared, route, parts, .. } = self;
        if route.takes == Takes::Form {
            // A form may have the credentials.
            let body = read(shared, route.takes, &parts.headers, body).await?;
            let form = Form::parse(&body)?;
            let credentials = Credentials::read(&parts.headers, Some(&form));
            // An assertion counts once, and is for the central server: so that one checks it, in any case.
            let is_assertion = matches!(credentials, Ok(Some(Credentials::Assertion { .. })));
            let is_for_central = shared.settings.forward.is_some() && is_assertion
                || is_for_central(shared, route, &body, Some(&form));
            let identity = match is_for_central {
                true => None,
                false => self.authenticate(credentials, fields).await?,
            };
            return Ok(Arrived { identity, body, form: Some(form), is_for_central });
        }
        // Nobody sends a long body before it is known who they are.
        let identity = self.authenticate(Credentials::read(&parts.headers, None), fields).await?;
        let body = read(shared, route.takes, &parts.headers, body).await?;
        let is_for_central = is_for_central(shared, route, &body, None);
        Ok(Arrived { identity, body, form: None, is_for_central })
    }

    async fn authenticate(
        self,
        credentials: Result<Option<Credentials>, BadCredentials>,
        fields: Option<&mut HeaderMap>,
    ) -> Result<Option<Identity>, Failure> {
        let Self { shared, route, parts, address, certificate } = self;
        let is_assertion = matches!(credentials, Ok(Some(Credentials::Assertion { .. })));
        let issuer = is_assertion.then(|| shared.issuer_of_assertions(parts)).flatten();
        let seen = Seen { address, certificate, issuer: issuer.as_deref() };
        let authenticator = &shared.authenticator;
        let identity =
            authenticator.authenticate(&shared.manager, route.demand, credentials, seen).await?;
        if let Some(fields) = fields {
            charge::by_caller(shared, route, identity.as_ref(), fields).await?;
        }
        Ok(identity)
    }
}
