//! Client certificates, logins at sentinels, and passwords that change while the store is open.

use keyfob::store::prelude::*;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use keyfob::store::{Lane, StoreError};
use keyfob::{TokenId, Ttl};
use keyfob_redis::{Password, PasswordSource, RedisConfig, RedisStore};
use keyfob_testkit::redis::{Certificates, RedisSentinel, RedisServer};
use tokio::task::block_in_place;

use crate::support::*;

const ALL: &str = "~* &* +@all";

async fn one_token(store: &RedisStore) -> TokenId {
    insert(store, record(id_at(now(), Lane::new(0)), Ttl::from_hours(1), vec![])).await
}

/// A folder that is removed when it is dropped.
fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn with_certificate(url: &str, ca: &Path, certificate: &Path, key: &Path) -> String {
    let [ca, certificate, key] = [ca, certificate, key].map(Path::display);
    format!("{url}?ca={ca}&cert={certificate}&key={key}")
}

#[tokio::test]
async fn a_server_that_asks_for_a_client_certificate_gets_it() {
    let asking =
        || RedisServer::builder().tls().setting("tls-auth-clients", "yes").start().unwrap();
    let (server, other) = (asking(), asking());
    let Certificates { authority, client, client_key } = server.certificates().unwrap();
    let others = other.certificates().unwrap();
    let url = server.tls_url().unwrap();
    let opened =
        RedisStore::connect(&with_certificate(&url, authority, client, client_key)).await.unwrap();
    let id = one_token(&opened).await;
    assert!(opened.load(id).await.unwrap().is_some());

    let without = format!("{url}?ca={}", authority.display());
    for (url, words) in [
        (without, "asks for a client certificate"),
        (
            with_certificate(&url, authority, &others.client, &others.client_key),
            "does not accept the client certificate",
        ),
        (
            with_certificate(&url, authority, client, &others.client_key),
            "cannot be used with the key",
        ),
        (with_certificate(&url, authority, client, authority), "no private key in PEM"),
        (
            with_certificate(&url, authority, client_key, client_key),
            "no certificates in PEM to present",
        ),
    ] {
        let begun = Instant::now();
        let error = RedisStore::connect(&url).await.unwrap_err();
        assert_eq!(error.code(), "store_misconfigured", "{error}");
        assert!(error.to_string().contains(words), "{error}");
        assert!(begun.elapsed() < Duration::from_secs(2), "it is not tried again");
    }
}

#[tokio::test]
async fn a_certificate_that_is_renewed_is_read_again() {
    let asking =
        || RedisServer::builder().tls().setting("tls-auth-clients", "yes").start().unwrap();
    let (server, other) = (asking(), asking());
    let (good, bad) = (server.certificates().unwrap(), other.certificates().unwrap());
    let folder = folder();
    let [certificate, key] = ["me.pem", "me.key"].map(|name| folder.path().join(name));
    let present = |certificates: &Certificates| {
        std::fs::copy(&certificates.client, &certificate).unwrap();
        std::fs::copy(&certificates.client_key, &key).unwrap();
    };
    present(good);
    let url = with_certificate(&server.tls_url().unwrap(), &good.authority, &certificate, &key);
    let store = RedisStore::connect(&format!("{url}&address=fixed")).await.unwrap();
    let id = one_token(&store).await;
    let reconnect = || server.call(&["CLIENT", "KILL", "TYPE", "normal"]).unwrap();
    present(bad);
    reconnect();
    let error = loop {
        // The first call may only find that the connection is gone.
        if let Err(error) = store.load(id).await {
            break error;
        }
    };
    assert!(error.to_string().contains("does not accept the client certificate"), "{error}");
    // A renewal that is half done, and then a broken one, change nothing.
    present(good);
    assert!(store.load(id).await.unwrap().is_some());
    std::fs::write(&key, "half of a k").unwrap();
    reconnect();
    let begun = Instant::now();
    while store.load(id).await.is_err() {
        assert!(begun.elapsed() < Duration::from_secs(10), "the certificate before is used");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sentinels_with_a_user_and_a_password_are_asked() {
    let group = block_in_place(|| RedisSentinel::start_with_login("watcher", "hunter2").unwrap());
    let url = crate::sentinel_url(&group);
    let login = "sentinel_user=watcher&sentinel_password=hunter2";
    let store = RedisStore::connect(&format!("{url}?{login}")).await.unwrap();
    let id = one_token(&store).await;
    assert!(store.load(id).await.unwrap().is_some());
    let folder = folder();
    let file = folder.path().join("password");
    std::fs::write(&file, "hunter2\n").unwrap();
    let login = format!("sentinel_user=watcher&sentinel_password_file={}", file.display());
    RedisStore::connect(&format!("{url}?{login}")).await.unwrap();
    for login in
        ["", "sentinel_password=hunter2", "sentinel_user=watcher&sentinel_password=hunter3"]
    {
        let error = RedisStore::connect(&format!("{url}?{login}")).await.unwrap_err();
        assert_eq!(error.code(), "store_misconfigured", "{login}: {error}");
        assert!(error.to_string().contains("refused the login"), "{error}");
        assert!(!format!("{error:?}").contains("hunter"), "{error:?}");
    }
}

#[tokio::test]
async fn a_password_file_is_read_again_when_the_server_refuses_the_password() {
    let server = RedisServer::builder().user("keyfob", "first", ALL).start().unwrap();
    let folder = folder();
    let file = folder.path().join("password");
    std::fs::write(&file, "first\n").unwrap();
    let url =
        format!("redis://keyfob@127.0.0.1:{}?password_file={}", server.port(), file.display());
    let store = Arc::new(RedisStore::connect(&url).await.unwrap());
    let id = one_token(&store).await;
    for password in ["second", "third"] {
        // The server changes first: for a moment no password works.
        let setting = format!(">{password}");
        server.call(&["ACL", "SETUSER", "keyfob", "resetpass", &setting]).unwrap();
        server.call(&["CLIENT", "KILL", "USER", "keyfob"]).unwrap();
        let calling = Arc::clone(&store);
        let call = tokio::spawn(async move { calling.load(id).await });
        tokio::time::sleep(Duration::from_millis(300)).await;
        std::fs::write(&file, password).unwrap();
        assert!(call.await.unwrap().unwrap().is_some(), "{password}");
    }
}

#[tokio::test]
async fn a_wrong_password_of_a_source_is_refused_when_the_store_is_opened() {
    let server = RedisServer::builder().password("hunter2").start().unwrap();
    let folder = folder();
    let file = folder.path().join("password");
    std::fs::write(&file, "hunter3").unwrap();
    let [path, missing] = [file.clone(), folder.path().join("missing")];
    for (option, words) in [
        (format!("password_file={}", path.display()), "refused the login"),
        (format!("password_command=cat%20{}", path.display()), "refused the login"),
        (format!("password_file={}", missing.display()), "missing cannot be read"),
        (format!("password_command=cat%20{}", missing.display()), "cat ended with exit status: 1"),
        ("password_command=/no/program".to_owned(), "/no/program cannot be run"),
    ] {
        let begun = Instant::now();
        let url = format!("redis://127.0.0.1:{}?{option}", server.port());
        let error = RedisStore::connect(&url).await.unwrap_err();
        assert_eq!(error.code(), "store_misconfigured", "{option}: {error}");
        assert!(error.to_string().contains(words), "{option}: {error}");
        assert!(!format!("{error:?}").contains("hunter"), "{error:?}");
        assert!(begun.elapsed() < Duration::from_secs(2), "it is not tried again");
    }
}

#[tokio::test]
async fn open_connections_log_in_again_before_the_password_of_a_command_ends() {
    let server = RedisServer::builder().password("secret").start().unwrap();
    let folder = folder();
    let file = folder.path().join("password");
    std::fs::write(&file, "secret\n").unwrap();
    let url = format!(
        "redis://127.0.0.1:{}?password_command=cat%20{}&password_lifetime=1s&address=fixed",
        server.port(),
        file.display()
    );
    let store = RedisStore::connect(&url).await.unwrap();
    let logins = || server.command_stats().unwrap()["auth"].calls;
    let before = logins();
    let begun = Instant::now();
    // Each look is one login of the test, and the store has one connection.
    let mut looks = 0;
    while logins() - before < looks + 3 {
        looks += 1;
        assert!(begun.elapsed() < Duration::from_secs(15), "no connection logs in again");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let id = one_token(&store).await;
    assert!(store.load(id).await.unwrap().is_some());
}

/// Issues passwords that are valid for a second, as cloud providers do for minutes. Each replaces the one
/// before the last.
#[derive(Debug)]
struct ShortTokens {
    server: Arc<RedisServer>,
    issued: Arc<AtomicU64>,
}

#[async_trait]
impl PasswordSource for ShortTokens {
    async fn password(&self) -> Result<Password, StoreError> {
        let number = self.issued.fetch_add(1, Ordering::Relaxed);
        let (new, last) = (format!(">token{number}"), format!("<token{}", number.wrapping_sub(2)));
        self.server.call(&["ACL", "SETUSER", "keyfob", &new]).unwrap();
        // The test may have removed all before.
        let _removed_or_not = self.server.call(&["ACL", "SETUSER", "keyfob", &last]);
        Ok(Password::new(format!("token{number}")).with_lifetime(Duration::from_secs(1)))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_call_fails_though_passwords_are_short_lived_and_connections_are_closed() {
    let server = RedisServer::builder().user("keyfob", "unused", ALL).start().unwrap();
    let server = Arc::new(server);
    let issued = Arc::new(AtomicU64::new(0));
    let source = ShortTokens { server: Arc::clone(&server), issued: Arc::clone(&issued) };
    let config: RedisConfig = format!("redis://127.0.0.1:{}", server.port()).parse().unwrap();
    let config = config.with_password_source(Some("keyfob".to_owned()), source);
    let store = Arc::new(open(&config).await);
    // The feed has a connection too.
    let manager = keyfob::TokenManager::new(Arc::clone(&store));
    let id = one_token(&store).await;
    let begun = Instant::now();
    while issued.load(Ordering::Relaxed) < 5 {
        assert!(store.load(id).await.unwrap().is_some());
        assert!(begun.elapsed() < Duration::from_secs(20), "the source is not asked again");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // All tokens end at the same time, and the server closes the connections.
    server.call(&["ACL", "SETUSER", "keyfob", "resetpass"]).unwrap();
    server.call(&["CLIENT", "KILL", "USER", "keyfob"]).unwrap();
    assert!(store.load(id).await.unwrap().is_some());
    manager.shutdown().await;
}
