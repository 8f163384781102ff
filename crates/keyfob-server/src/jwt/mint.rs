//! From a token to its JWT (RFC 9068 section 2).

use std::collections::BTreeSet;

use keyfob::bearer::BearerKey;
use keyfob::random::OsRandom;
use keyfob::token::{JwtForm, PrivateClaims};
use keyfob::values::Audience;
use keyfob::{RefreshRequest, Token, TokenManager};
use keyfob_jwt::access_token::{AccessToken, Audiences, Status, StatusReference};
use serde_json::{Map, Value};

use super::keys::{JwtKeys, Version};
use super::places::list_uri;
use super::settings::JwtSettings;
use super::state::JwtState;
use crate::call::Call;
use crate::respond::failure::Failure;

/// Makes JWTs.
pub(crate) struct Minter<'a> {
    manager: &'a TokenManager,
    settings: &'a JwtSettings,
    keys: &'a JwtKeys,
    state: &'a JwtState,
    issuer: String,
}

/// The members of an application that would be taken for the one of the format.
const TAKEN: [&str; 1] = ["status"];

impl<'a> Minter<'a> {
    /// Returns what makes JWTs, or why there is none.
    pub(crate) fn of(call: &'a Call) -> Result<Self, Failure> {
        let settings = &call.shared.settings.jwt;
        let Some(keys) = &settings.keys else {
            let detail = "this service issues no JWTs: set jwt.audiences, and keys to sign them";
            return Err(Failure { code: "no_jwt_keys".into(), ..Failure::invalid_request(detail) });
        };
        let (manager, state, issuer) = (call.manager(), &*call.shared.jwt, call.issuer()?);
        Ok(Self { manager, settings, keys, state, issuer })
    }

    /// Returns what makes the JWT of a new access token for these audiences: `None` if they want opaque tokens.
    ///
    /// # Errors
    /// If some of them want JWTs, and others do not.
    pub(crate) fn for_audiences<'n>(
        call: &'a Call,
        audiences: impl IntoIterator<Item = &'n Audience>,
    ) -> Result<Option<Self>, Failure> {
        let wanted = &call.shared.settings.jwt.audiences;
        let wants: BTreeSet<bool> =
            audiences.into_iter().map(|audience| wanted.contains(audience)).collect();
        match (wants.contains(&true), wants.contains(&false)) {
            (false, _) => Ok(None),
            (true, false) => Self::of(call).map(Some),
            (true, true) => {
                let detail = "some of these audiences take JWTs and others do not: ask for one token for each";
                Err(Failure::oauth("invalid_target", detail))
            }
        }
    }

    /// Returns what makes the JWTs of access tokens whose audiences are not known yet: `None` if no audience takes JWTs.
    pub(crate) fn if_any(call: &'a Call) -> Result<Option<Self>, Failure> {
        match call.shared.settings.jwt.audiences.is_empty() {
            true => Ok(None),
            false => Self::of(call).map(Some),
        }
    }

    /// Asks for an access token in the form that its audiences take. Returns the place that it has, if it is a JWT.
    ///
    /// # Errors
    /// If there is no place.
    pub(crate) fn ask(
        &self,
        request: RefreshRequest,
    ) -> Result<(RefreshRequest, JwtForm), Failure> {
        let (form, key) = self.form()?;
        let audiences = self.settings.audiences.iter().cloned();
        let request = request.jwt_for(audiences, self.settings.ttl, form, key);
        // While a key is replaced, another server may have answered the first attempt.
        let others = self.keys.versions().filter(|version| version.number != form.key);
        let with = |request: RefreshRequest, version: &Version| {
            request.jwt_key(version.number, version.bearer_key.clone())
        };
        Ok((others.fold(request, with), form))
    }

    /// Returns the JWT of an access token, if it was issued as one. Otherwise its place is free again.
    pub(crate) fn mint_asked(
        &self,
        token: &Token,
        asked: JwtForm,
    ) -> Result<Option<String>, Failure> {
        if token.jwt != Some(asked) {
            self.state.places.put_back(asked.list, asked.index);
        }
        token.jwt.map(|_| self.mint(token)).transpose()
    }

    /// Returns the settings.
    pub(crate) fn settings(&self) -> &'a JwtSettings {
        self.settings
    }

    /// Takes a place for a new token.
    pub(crate) fn form(&self) -> Result<(JwtForm, BearerKey), Failure> {
        let version = self.keys.active().ok_or(Failure::internal("no_active_key"))?;
        let place = self.state.places.take(self.manager, &OsRandom);
        let (list, index) = place.map_err(|_| Failure::internal("random_unavailable"))?;
        Ok((JwtForm { list, index, key: version.number }, version.bearer_key.clone()))
    }

    /// Checks that a token with these parts can be a JWT.
    ///
    /// # Errors
    /// If something that a JWT has to have is missing.
    pub(crate) fn check(
        &self,
        has_no_audience: bool,
        client: Option<&keyfob::ClientId>,
    ) -> Result<(), Failure> {
        let missing = |detail: &'static str| {
            Err(Failure { code: "not_a_jwt".into(), ..Failure::oauth("invalid_target", detail) })
        };
        if has_no_audience {
            return missing("a JWT needs an audience: name the service that it is for");
        }
        if client.is_none() {
            return missing("a JWT needs a client: it names who the token was issued to");
        }
        Ok(())
    }

    /// Returns the JWT of a token that was issued in this form.
    pub(crate) fn mint(&self, token: &Token) -> Result<String, Failure> {
        let Some(form) = token.jwt else { return Err(Failure::internal("token_is_opaque")) };
        let Some(version) = self.keys.version(form.key) else {
            return Err(Failure::internal("signing_key_retired"));
        };
        let claims = self.claims(token, form)?;
        let signed = claims.sign(version.signing(self.settings.algorithm));
        let jwt = signed.map_err(|_| Failure::internal("jwt_not_signed"))?;
        Ok(jwt)
    }

    fn claims(&self, token: &Token, form: JwtForm) -> Result<AccessToken, Failure> {
        self.check(token.audiences.is_empty(), token.client.as_ref())?;
        let client = token.client.as_ref().map(ToString::to_string).unwrap_or_default();
        let Some(end) = token.expires_at else { return Err(Failure::internal("jwt_without_end")) };
        let registered = &token.claims.registered;
        let scope = token.scopes.to_string();
        Ok(AccessToken {
            iss: self.issuer.clone(),
            sub: token.subject.as_ref().map_or_else(|| client.clone(), ToString::to_string),
            aud: Audiences::new(token.audiences.iter().map(ToString::to_string)),
            exp: end.as_secs(),
            iat: token.issued_at.as_secs(),
            nbf: token.not_before.map(|at| at.as_secs()),
            jti: token.id.to_string(),
            client_id: client,
            scope: Some(scope).filter(|scope| !scope.is_empty()),
            auth_time: registered.auth_time.map(|at| at.as_secs()),
            acr: registered.authentication_context.as_ref().map(ToString::to_string),
            amr: registered.authentication_methods.iter().map(ToString::to_string).collect(),
            cnf: registered.confirmation.clone(),
            act: registered.actors.as_ref().and_then(|act| serde_json::to_value(act).ok()),
            status: Some(Status {
                status_list: StatusReference {
                    idx: form.index,
                    uri: list_uri(&self.issuer, form.list),
                },
            }),
            private: private(&token.claims.private),
        })
    }
}

/// Returns the claims of the application. They are the same as introspection shows.
fn private(claims: &PrivateClaims) -> Map<String, Value> {
    let mut members: Map<String, Value> =
        serde_json::from_str(claims.as_json()).unwrap_or_default();
    members.retain(|name, _| !TAKEN.contains(&&**name));
    members
}
