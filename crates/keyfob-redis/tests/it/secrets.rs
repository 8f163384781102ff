//! A dump of the server shows no bearer token and no part of a secret.

use keyfob::{Grant, Kind, RevokeRequest, TokenManager};
use keyfob_redis::RedisStore;
use keyfob_testkit::redis::{RedisServer, fresh_namespace};

#[tokio::test]
async fn a_dump_holds_no_bearer_and_no_secret() {
    let server = RedisServer::builder().append_only().start().unwrap();
    let url = format!("{}?namespace={}", server.url(), fresh_namespace());
    let manager = TokenManager::new(RedisStore::connect(&url).await.unwrap());
    let mut bearers = Vec::new();
    for kind in Kind::ALL {
        let issued = manager.issue(Grant::new(kind).subject("user123")).await.unwrap();
        manager.validate_active(&issued.bearer).await.unwrap();
        manager.revoke(issued.token.id, RevokeRequest::reason("logout")).await.unwrap();
        let _ = manager.validate_active(&issued.bearer).await;
        bearers.push(issued.bearer);
    }
    manager.shutdown().await;
    server.call(&["SAVE"]).unwrap();

    // Everything that the server wrote to its folder, and everything that it answers.
    let mut dump = Vec::new();
    let mut folders = vec![server.folder().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false => dump.extend(std::fs::read(path).unwrap()),
            }
        }
    }
    let holds = |part: &str| dump.windows(part.len()).any(|window| window == part.as_bytes());
    assert!(holds("user123"), "the dump contains the data");
    for bearer in &bearers {
        let secret = &bearer.expose()[32..62];
        for part in [bearer.expose(), secret, &secret[..22], &secret[22..]] {
            assert!(!holds(part), "a part of a secret is in the dump");
        }
    }
}
