//! An axum service with logins, sessions, API keys, refresh tokens, limits and an audit log:
//! `cargo run -p keyfob-tower --example axum_service`.

#![expect(clippy::print_stdout, reason = "the example prints its address")]

use std::net::SocketAddr;

use axum::extract::{ConnectInfo, Form, Path, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use keyfob::*;
use keyfob_tower::{AuthLayer, Authenticated, ErrorResponse, RequireScope, SessionCookie};
use serde::Deserialize;
use serde_json::json;

type Failure = Box<dyn std::error::Error>;
type HandlerResult = Result<Response, ErrorResponse>;

#[derive(Clone)]
struct Shop {
    manager: TokenManager,
    cookie: SessionCookie,
}

#[derive(Deserialize)]
struct Login {
    user: String,
    password: String,
    /// Whether a mobile application logs in: it gets a pair of tokens instead of a cookie.
    #[serde(default)]
    mobile: bool,
}

async fn login(
    State(shop): State<Shop>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    Form(login): Form<Login>,
) -> HandlerResult {
    let verdict = shop.manager.admit(&LimitRequest::new().ip(peer.ip())).await?;
    if !verdict.is_admitted() {
        return Err(ErrorResponse::rate_limited(&verdict));
    }
    let subject = Subject::new(login.user)?;
    let stamp = shop.manager.begin_login(&subject).await?;
    if login.password != "correct horse" {
        return Err(ErrorResponse::new(ErrorClass::AccessDenied));
    }
    let agent = headers.get(header::USER_AGENT).map_or(&[][..], |agent| agent.as_bytes());
    let (metadata, _) = LenientMetadata::new().user_agent(agent).ip(peer.ip()).build();
    let kind = if login.mobile { Kind::Refresh } else { Kind::Session };
    let grant = Grant::new(kind).subject(subject).audience("shop").scopes("orders keys");
    let grant = grant.metadata(metadata).login(stamp);
    if login.mobile {
        let issued = shop.manager.issue_pair(grant, RefreshRequest::new()).await?;
        return Ok(pair(&issued.access, &issued.refresh));
    }
    let issued = shop.manager.issue(grant).await?;
    let set = shop.cookie.set(&issued.bearer, &issued.token, shop.manager.now());
    Ok((set, "welcome").into_response())
}

async fn logout(State(shop): State<Shop>, auth: Authenticated) -> HandlerResult {
    shop.manager.revoke(auth.token.id, "logout").await?;
    Ok((shop.cookie.remove(), "bye").into_response())
}

#[derive(Deserialize)]
struct Refresh {
    refresh_token: String,
}

async fn refresh(State(shop): State<Shop>, Form(form): Form<Refresh>) -> HandlerResult {
    let refreshed = shop.manager.refresh(&form.refresh_token, RefreshRequest::new()).await;
    let refused = |error| ErrorResponse::from(error).at_token_endpoint();
    refreshed.map(|next| pair(&next.access, &next.refresh)).map_err(refused)
}

fn pair(access: &Issued, refresh: &Issued) -> Response {
    let body = json!({
        "access_token": access.bearer.expose(),
        "token_type": "Bearer",
        "expires_in": access.token.expires_in_secs(access.token.issued_at),
        "refresh_token": refresh.bearer.expose(),
        "scope": access.token.scopes.to_string(),
    });
    ([(header::CACHE_CONTROL, "no-store")], Json(body)).into_response()
}

async fn new_key(State(shop): State<Shop>, auth: Authenticated) -> HandlerResult {
    let subject = auth.require_subject()?.clone();
    let grant = Grant::new(Kind::ApiKey).subject(subject).audience("shop").scope("orders");
    let issued = shop.manager.issue(grant).await?;
    let body = json!({ "id": issued.token.id, "key": issued.bearer.expose() });
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(body)).into_response())
}

async fn revoke_key(
    State(shop): State<Shop>,
    auth: Authenticated,
    Path(id): Path<TokenId>,
) -> Result<(), ErrorResponse> {
    let subject = auth.require_subject()?;
    shop.manager.revoke_owned(subject, id, RevokeRequest::reason("deleted").by(subject)).await?;
    Ok(())
}

/// The routes of the service.
pub fn app(manager: TokenManager) -> Result<Router, Failure> {
    let cookie = SessionCookie::new("session")?;
    let chain = ValidationChain::new().allow_audience("shop");
    let auth = AuthLayer::new(manager.clone(), chain)?.cookie(cookie.clone());
    let keys = Router::new().route("/keys", post(new_key)).route("/keys/{id}", delete(revoke_key));
    Ok(keys
        .layer(RequireScope::new("keys")?)
        .route("/orders", get(async |_: Authenticated| "[]").layer(RequireScope::new("orders")?))
        .route("/logout", post(logout))
        .layer(auth)
        .route("/login", post(login))
        .route("/oauth/token", post(refresh))
        .with_state(Shop { manager, cookie }))
}

/// The manager, with its limits and its audit log.
pub fn manager(audit_log: &std::path::Path) -> Result<TokenManager, Failure> {
    let calls = LimitPolicy::new("calls", LimitBy::Ip, "100/1m".parse()?)?.burst(20)?;
    let guesses = LimitPolicy::new("guesses", LimitBy::FailedAttempts, "10/1m".parse()?)?;
    let limits = Limits::new(LocalLimits::new()).policy(calls)?.policy(guesses)?;
    let manager = TokenManager::builder(MemoryStore::new()?).limits(limits).build();
    manager.spawn_audit_log(AuditLog::open(audit_log)?);
    Ok(manager)
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let manager = manager(&std::env::temp_dir().join("shop-audit.jsonl"))?;
    let service = app(manager)?.into_make_service_with_connect_info::<SocketAddr>();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    println!("listening on http://{}", listener.local_addr()?);
    Ok(axum::serve(listener, service).await?)
}
