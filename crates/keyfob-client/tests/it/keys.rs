//! The key of a client in a file.

use crate::support::{Service, builder, key};

#[tokio::test]
async fn a_key_is_replaced_in_its_file_while_the_client_runs() {
    let service = Service::start().await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    let first = key(&service.manager, "keyfob:read").await;
    std::fs::write(&path, format!("{first}\n")).unwrap();
    let client = builder(service.address).bearer_file(&path).build().unwrap();
    client.stats().await.unwrap();

    let next = key(&service.manager, "keyfob:read").await;
    std::fs::write(&path, &next).unwrap();
    let id = service.manager.validate_active(first.as_str()).await.unwrap().id;
    service.manager.revoke(id, "replaced").await.unwrap();
    client.stats().await.unwrap();

    std::fs::remove_file(&path).unwrap();
    let fresh = builder(service.address).bearer_file(&path).build().unwrap();
    let error = fresh.stats().await.unwrap_err();
    assert_eq!(error.code(), "no_credentials");
    assert!(error.to_string().contains("key"), "{error}");
}
