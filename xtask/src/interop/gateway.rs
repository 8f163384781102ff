//! A gateway that guards a page, as clients meet it: the same walk for each of them.

use std::net::SocketAddr;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::http::{self, Answer};
use super::page::Page;
use super::process::{self, Running};
use super::service::Service;
use super::tools;
use crate::cargo;

/// How long a gateway that listens may take to know its routes.
const ROUTES: Duration = Duration::from_secs(20);

/// The page demands a token with this scope.
const SCOPE: &str = "read";

/// A gateway with its page and its server.
pub(super) struct Guarded {
    service: Service,
    page: Page,
    pub(super) gateway: Running,
    address: SocketAddr,
    good: String,
}

/// What differs between gateways.
pub(super) struct Answers {
    /// The status of a request whose credentials are ambiguous or malformed.
    pub(super) malformed: u16,
    /// Whether the challenge of a 403 reaches the client.
    pub(super) has_scope_challenge: bool,
    /// Whether headers with the id, the kind and the end of the token reach the page.
    pub(super) has_token_headers: bool,
    /// Whether a header with underscores is refused, and not removed.
    pub(super) refuses_underscores: bool,
    /// The status of every request while keyfob is away.
    pub(super) without_keyfob: u16,
}

impl Answers {
    /// What a gateway does that passes on all that keyfob answers.
    pub(super) const ALL: Self = Self {
        malformed: 400,
        has_scope_challenge: true,
        has_token_headers: true,
        refuses_underscores: false,
        without_keyfob: 503,
    };
}

impl Guarded {
    /// Starts a server, a page, and a gateway by the files of `interop/NAME`. `command` gets the server.
    pub(super) fn start(
        name: &str,
        command: impl FnOnce(&Service, &std::path::Path) -> Result<Command>,
    ) -> Result<Self> {
        let settings = cargo::root().join("interop/keyfob.toml");
        let settings = settings.to_str().context("the path is not UTF-8")?;
        let service = Service::start_with(&["--config", settings])?;
        let page = Page::start()?;
        let address = process::free_address()?;
        let folder = process::folder(name)?;
        let keyfob = service.address()?;
        let port = |of: SocketAddr| format!("port_value: {}", of.port());
        let replace = [
            ("127.0.0.1:8700", keyfob.to_string()),
            ("127.0.0.1:8080", address.to_string()),
            ("127.0.0.1:9000", page.address.to_string()),
            ("port_value: 8700", port(keyfob)),
            ("port_value: 8080", port(address)),
            ("port_value: 9000", port(page.address)),
        ];
        let replace: Vec<_> = replace.iter().map(|(from, to)| (*from, to.as_str())).collect();
        process::configure(name, &folder, &replace)?;
        let gateway = Running::start(command(&service, &folder)?, &folder, address)?;
        // Some gateways listen before they have read their routes.
        let start = Instant::now();
        while http::send(address, "GET", "/", &[], "")?.status == 404 && start.elapsed() < ROUTES {
            std::thread::sleep(Duration::from_millis(50));
        }
        let good = service.issue(&json!({
            "kind": "access", "subject": "zoë", "scopes": [SCOPE, "write"], "ttl": "1h"
        }))?;
        Ok(Self { service, page, gateway, address, good })
    }

    /// Returns the server that the gateway asks.
    pub(super) fn service(&self) -> &Service {
        &self.service
    }

    /// Returns the URL at which clients reach the gateway.
    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Has a client with a key of its own ask for the page, and a thief who has its token.
    pub(super) fn walk_proofs(&self) -> Result<()> {
        /// How many requests of the script pass.
        const PASS: usize = 5;
        let folder = tools::node("oauth4webapi")?;
        let key = json!({"kind": "api-key", "client": "shop", "scopes": [SCOPE]});
        let before = self.page.requests();
        let mut script = Command::new("node");
        script
            .arg("guarded.mjs")
            .current_dir(folder)
            .env("KEYFOB_URL", &self.service.url)
            .env("GATEWAY_URL", self.url())
            .env("KEYFOB_CLIENT_SECRET", self.service.issue(&key)?);
        tools::run(&mut script).with_context(|| self.gateway.log())?;
        let passed = self.page.requests() - before;
        ensure!(passed == PASS, "{passed} requests have reached the page, not {PASS}");
        Ok(())
    }

    /// Sends a request with a bearer token.
    pub(super) fn get(&self, path: &str, bearer: &str, more: &[(&str, &str)]) -> Result<Answer> {
        let authorization = format!("Bearer {bearer}");
        let headers: Vec<_> =
            [("Authorization", &*authorization)].into_iter().chain(more.iter().copied()).collect();
        http::send(self.address, "GET", path, &headers, "")
    }

    /// Walks through a route whose demands and limits are a chain of the server's configuration.
    pub(super) fn walk_chain(&self) -> Result<()> {
        let grant = |kind: &str, audience: &str| {
            let scopes = ["orders:read"];
            json!({"kind": kind, "subject": "zoë", "audience": [audience], "scopes": scopes})
        };
        let path = "/orders/1";
        let before = self.page.requests();
        for (bearer, about) in [
            (&*self.good, "that lacks the audience"),
            (&self.service.issue(&grant("access", "other"))?, "for another audience"),
        ] {
            let answer = self.get(path, bearer, &[])?;
            ensure!(answer.status == 401, "a token {about}: {answer:?}\n{}", self.gateway.log());
        }
        ensure!(self.page.requests() == before, "a refused request has reached the page");
        let cookie = format!("__Host-session={}", self.service.issue(&grant("session", "orders"))?);
        let by_cookie = [("Cookie", &*cookie)];
        let both = self.get(path, &self.good, &by_cookie)?;
        ensure!(both.status == 400, "a token in a header and one in a cookie: {both:?}");
        for permit in 1..=3 {
            let answer = http::send(self.address, "GET", path, &by_cookie, "")?;
            ensure!(answer.status == 200, "permit {permit}: {answer:?}\n{}", self.gateway.log());
            ensure!(answer.json()?["x-token-kind"] == "session", "{answer:?}");
        }
        let before = self.page.requests();
        let answer = http::send(self.address, "GET", path, &by_cookie, "")?;
        ensure!(answer.status == 429, "beyond the limit: {answer:?}\n{}", self.gateway.log());
        let after: u64 = answer.header("retry-after").parse().context("no Retry-After")?;
        ensure!((1..=3600).contains(&after), "it may come back after {after} seconds");
        ensure!(self.page.requests() == before, "a refused request has reached the page");
        Ok(())
    }

    /// Walks through everything that a gateway has to do. The server is gone at the end.
    pub(super) fn walk(mut self, answers: &Answers) -> Result<Running> {
        self.lets_pass(answers).context("a request with a good token")?;
        self.names_the_identity_itself(answers).context("a request with a forged identity")?;
        let before = self.page.requests();
        self.refuses(answers)?;
        ensure!(self.page.requests() == before, "a refused request has reached the page");
        self.service.stop();
        let answer = self.get("/page", &self.good, &[])?;
        ensure!(answer.status == answers.without_keyfob, "without keyfob: {answer:?}");
        ensure!(self.page.requests() == before, "without keyfob a request has reached the page");
        Ok(self.gateway)
    }

    fn identity(&self, path: &str, more: &[(&str, &str)]) -> Result<Value> {
        let answer = self.get(path, &self.good, more)?;
        ensure!(answer.status == 200, "{answer:?}\n{}", self.gateway.log());
        answer.json()
    }

    fn lets_pass(&self, answers: &Answers) -> Result<()> {
        // A good request passes as often as it is sent, whatever its own query says.
        for path in ["/page", "/page", "/page?scope=admin&chain=x&access_tokens=1"] {
            let headers = self.identity(path, &[])?;
            for (name, value) in [("x-token-subject", "zo%C3%AB"), ("x-token-scope", "read write")]
            {
                let encodes = answers.has_token_headers;
                let expected = if encodes { value } else { &value.replace("%C3%AB", "ë") };
                let found = headers[name].as_str().unwrap_or_default();
                ensure!(found == expected, "{name}: {found:?} instead of {expected:?}");
            }
            if answers.has_token_headers {
                ensure!(headers["x-token-kind"] == "access", "{headers}");
                ensure!(headers["x-token-id"].is_string(), "{headers}");
                ensure!(headers["x-token-expires"].is_string(), "{headers}");
            }
            let client = headers["x-token-client"].as_str().unwrap_or_default();
            ensure!(client.is_empty(), "the token has no client: {headers}");
        }
        let authorization = format!("Bearer {}", self.good);
        let headers = [("Authorization", &*authorization), ("Content-Type", "text/plain")];
        let answer = http::send(self.address, "POST", "/page", &headers, "a body")?;
        ensure!(answer.status == 200, "a POST with a body: {answer:?}");
        Ok(())
    }

    fn names_the_identity_itself(&self, answers: &Answers) -> Result<()> {
        let forged = [
            ("X-Token-Subject", "mallory"),
            ("X-Token-Client", "mallory"),
            ("x-token-scope", "mallory"),
        ];
        let text = self.identity("/page", &forged)?.to_string();
        ensure!(!text.contains("mallory"), "a forged header has reached the page: {text}");
        let underscores = [("X_Token_Subject", "mallory"), ("x_token_client", "mallory")];
        let answer = self.get("/page", &self.good, &underscores)?;
        let expected = if answers.refuses_underscores { 400 } else { 200 };
        ensure!(
            answer.status == expected && !answer.body.contains("mallory"),
            "a header with underscores: {answer:?}"
        );
        Ok(())
    }

    fn refuses(&self, answers: &Answers) -> Result<()> {
        let answer = http::send(self.address, "GET", "/page", &[], "")?;
        ensure!(answer.status == 401, "without a token: {answer:?}\n{}", self.gateway.log());
        let is_challenged =
            answer.headers("www-authenticate").any(|value| value.starts_with("Bearer"));
        ensure!(is_challenged, "no challenge: {answer:?}");
        let revoked = self.service.issue(&json!({"scopes": [SCOPE]}))?;
        self.revoke(&revoked)?;
        for (bearer, about) in [(&*revoked, "revoked"), ("fob_at_nonsense", "unknown")] {
            let answer = self.get("/page", bearer, &[])?;
            ensure!(answer.status == 401, "a token that is {about}: {answer:?}");
            let mut challenges = answer.headers("www-authenticate");
            ensure!(challenges.any(|value| value.contains("invalid_token")), "{answer:?}");
        }
        let weak = self.service.issue(&json!({"subject": "bob", "scopes": ["other"]}))?;
        for path in ["/page", "/page?scope=other"] {
            let answer = self.get(path, &weak, &[])?;
            ensure!(answer.status == 403, "a token without the scope: {answer:?}");
            let names_scope = answer.headers("www-authenticate").any(|challenge| {
                challenge.contains("insufficient_scope") && challenge.contains(SCOPE)
            });
            ensure!(names_scope || !answers.has_scope_challenge, "no challenge: {answer:?}");
        }
        let second = format!("Bearer {}", self.good);
        let twice = [("Authorization", &*second)];
        for (bearer, more) in [("a b", &[][..]), (&self.good, &twice[..])] {
            let answer = self.get("/page", bearer, more)?;
            ensure!(answer.status == answers.malformed, "malformed credentials: {answer:?}");
        }
        Ok(())
    }

    /// Has the page refuse a token that is bound to a key, whichever way it is presented: for a gateway that checks
    /// no proofs.
    pub(super) fn refuses_bound_tokens(&self) -> Result<()> {
        let thumbprint = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I";
        let before = self.page.requests();
        for (scheme, key) in [("Bearer", "jkt"), ("DPoP", "jkt"), ("Bearer", "x5t#S256")] {
            let grant = json!({"subject": "zoë", "scopes": [SCOPE], "cnf": {key: thumbprint}});
            let bound = self.service.issue(&grant)?;
            let authorization = format!("{scheme} {bound}");
            let headers = [("Authorization", &*authorization), ("DPoP", "a.b.c")];
            let answer = http::send(self.address, "GET", "/page", &headers, "")?;
            let is_refused = [401, 403].contains(&answer.status);
            ensure!(is_refused, "{scheme}, {key}: {answer:?}\n{}", self.gateway.log());
        }
        ensure!(self.page.requests() == before, "a refused request has reached the page");
        Ok(())
    }

    fn revoke(&self, bearer: &str) -> Result<()> {
        let answer = self.service.form("/oauth2/revoke", &[("token", bearer)])?;
        ensure!(answer.status == 200, "{answer:?}");
        Ok(())
    }
}
