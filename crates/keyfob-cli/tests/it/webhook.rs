//! Webhooks, from the command line. What receivers get is tested in `keyfob-server`.

use crate::harness::Keyfob;

#[test]
fn a_webhook_is_added_tested_changed_and_deleted() {
    let keyfob = Keyfob::served();
    let add = ["webhook", "add", "https://127.0.0.1/hooks", "--type=keyfob.token.", "--json"];
    let made = keyfob.run(&add).exits(0).object();
    let secret = made["secret"].as_str().unwrap();
    let id = made["webhook"]["id"].as_str().unwrap();
    assert!(secret.starts_with("whsec_"));
    let list = keyfob.run(&["webhook", "list"]).exits(0).stdout;
    assert_eq!(list, format!("{id}  enabled  https://127.0.0.1/hooks\n"));
    assert_eq!(keyfob.run(&["webhook", "list", "--json"]).exits(0).objects().len(), 1);
    let tested = keyfob.run(&["webhook", "test", id]).exits(0).stdout;
    assert!(tested.starts_with("not delivered: 127.0.0.1 is not allowed"), "{tested}");
    let rotated = keyfob.run(&["webhook", "rotate", id, "--overlap=1h"]).exits(0).stdout;
    assert!(rotated.contains("whsec_") && !rotated.contains(secret), "{rotated}");
    let disabled = keyfob.run(&["webhook", "disable", id]).exits(0).stdout;
    assert!(disabled.contains("  disabled  "), "{disabled}");
    let enabled = keyfob.run(&["webhook", "enable", id, "--json"]).exits(0).object();
    assert_eq!((&enabled["enabled"], &enabled["secrets"]), (&true.into(), &2.into()));
    assert_eq!(keyfob.run(&["webhook", "dead-letters", id]).exits(0).stdout, "");
    for action in ["send", "drop"] {
        let missing = keyfob.run(&["webhook", action, id, "op-1", "--json"]).exits(1);
        assert_eq!(missing.error_code(), "webhook_not_found");
    }
    let deleted = keyfob.run(&["webhook", "delete", id]).exits(0).stdout;
    assert_eq!(deleted, format!("deleted {id}\n"));
    assert_eq!(keyfob.run(&["webhook", "list"]).exits(0).stdout, "");
}

#[test]
fn a_webhook_sends_events_about_the_tokens_of_its_filter() {
    let keyfob = Keyfob::served();
    let url = "https://127.0.0.1/hooks";
    let add = ["webhook", "add", url, "--filter=tag:$t kind:api-key", "--bind=t=a b", "--json"];
    let made = keyfob.run(&add).exits(0).object();
    let id = made["webhook"]["id"].as_str().unwrap();
    assert_eq!(made["webhook"]["filter"], r#"kind:api-key tag:"a b""#);
    let list = keyfob.run(&["webhook", "list"]).exits(0).stdout;
    let shown = format!("{id}  enabled  {url}\n  tokens: kind:api-key tag:\"a b\"\n");
    assert_eq!(list, shown);
    let other = "https://127.0.0.1/other";
    let update = ["webhook", "update", id, "--filter=subject:alice", "--url", other, "--json"];
    let changed = keyfob.run(&update).exits(0).object();
    assert_eq!((&changed["filter"], &changed["url"]), (&"subject:alice".into(), &other.into()));
    let update = ["webhook", "update", id, "--type=keyfob.epoch.", "--description=x", "--json"];
    let changed = keyfob.run(&update).exits(0).object();
    assert_eq!(
        (&changed["filter"], &changed["description"]),
        (&"subject:alice".into(), &"x".into())
    );
    assert_eq!(changed["types"], serde_json::json!(["keyfob.epoch."]));
    let update = ["webhook", "update", id, "--type=", "--filter=", "--json"];
    let changed = keyfob.run(&update).exits(0).object();
    assert_eq!((&changed["filter"], &changed["types"]), (&"".into(), &serde_json::json!([])));
    keyfob.run(&["webhook", "update", id]).exits(2);
    let refused = keyfob.run(&["webhook", "update", id, "--filter=kind:session state:active"]);
    refused.exits(2).says("column 14: 'state' depends on the time").says("              ^");
}

#[test]
fn security_event_tokens_need_keys_for_jwts() {
    let keyfob = Keyfob::served();
    let add = ["webhook", "add", "https://127.0.0.1/hooks", "--set", "--audience=shop", "--json"];
    let refused = keyfob.run(&add).exits(2);
    assert_eq!(refused.error_code(), "no_jwt_keys");
    keyfob.run(&["webhook", "add", "https://127.0.0.1/hooks", "--audience=shop"]).exits(2);
}

#[test]
fn webhooks_need_a_server() {
    let keyfob = Keyfob::new();
    keyfob.run(&["webhook", "list"]).exits(2).says("(needs_server)").says("hint: name the server");
}
