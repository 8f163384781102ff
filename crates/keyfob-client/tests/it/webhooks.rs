//! Webhooks, against a real server. What receivers get is tested in `keyfob-server`.

use keyfob_client::api::webhook::{CreateWebhookBody, RotateWebhookBody, UpdateWebhookBody};

use crate::support::Service;

#[tokio::test]
async fn a_webhook_is_created_changed_tested_and_deleted() {
    let service = Service::start().await;
    let client = service.client();
    let wanted = CreateWebhookBody {
        url: "https://127.0.0.1/hooks".to_owned(),
        types: vec!["keyfob.token.".to_owned()],
        filter: "tag:beta kind:api-key".to_owned(),
        ..CreateWebhookBody::default()
    };
    let created = client.create_webhook(&wanted).await.unwrap();
    assert!(created.secret.expose().starts_with("whsec_"));
    assert_eq!(created.webhook.filter, "kind:api-key tag:beta");
    let id = &*created.webhook.id;
    let listed = client.webhooks().await.unwrap();
    assert_eq!(listed, std::slice::from_ref(&created.webhook));
    let changes = UpdateWebhookBody { enabled: Some(false), ..UpdateWebhookBody::default() };
    assert!(!client.update_webhook(id, &changes).await.unwrap().enabled);
    let rotated = client.rotate_webhook(id, &RotateWebhookBody::default()).await.unwrap();
    assert_ne!(rotated.secret.expose(), created.secret.expose());
    assert_eq!(client.webhook(id).await.unwrap().secrets, 2);
    let tested = client.test_webhook(id).await.unwrap();
    assert!(!tested.delivered && tested.error.unwrap().contains("not allowed"));
    let letters = client.dead_letters(id, Some("op-1")).await.unwrap();
    assert_eq!((letters.dead_letters, letters.next), (vec![], None));
    for letter in ["op-1", "../../x", "?"] {
        let error = client.send_dead_letter(id, letter).await.unwrap_err();
        assert!(error.to_string().contains("no such"), "{error}");
        client.drop_dead_letter(id, letter).await.unwrap_err();
    }
    client.delete_webhook(id).await.unwrap();
    assert!(client.webhooks().await.unwrap().is_empty());
    client.webhook(id).await.unwrap_err();
}
