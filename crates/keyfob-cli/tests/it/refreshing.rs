//! Refreshing, deriving, and new secrets for API keys.

use crate::harness::{Done, Keyfob, both_ways};

impl Keyfob {
    fn with_bearer(&self, words: &str, bearer: &str) -> Done {
        let words: Vec<_> = words.split(' ').collect();
        self.feed(&words, bearer.as_bytes())
    }
}

both_ways! {
    fn a_refresh_token_is_exchanged_and_a_retry_gets_the_same_pair(keyfob: &Keyfob) {
        let (id, bearer) =
            keyfob.issue(&["--kind=refresh", "--subject=user123", "--scope=read", "--scope=write"]);
        let pair = keyfob.with_bearer("refresh --json --scope read", &bearer).exits(0).object();
        assert_eq!((&pair["case"], &pair["refresh"]["id"]), (&"rotated".into(), &id.into()));
        assert_eq!(pair["access"]["scopes"], serde_json::json!(["read"]));
        let again = keyfob.with_bearer("refresh --json --scope read", &bearer).exits(0).object();
        assert_eq!(again["case"], "replayed");
        for which in ["access", "refresh"] {
            assert_eq!(again[which]["bearer"], pair[which]["bearer"]);
            let bearer = pair[which]["bearer"].as_str().unwrap();
            keyfob.with_bearer("validate", bearer).exits(0);
        }
        keyfob.with_bearer("validate", &bearer).exits(1);
        let text = keyfob.with_bearer("refresh --scope read", &bearer).exits(0);
        assert!(text.stdout.contains("case:") && text.stdout.contains("replayed"), "{text:?}");
        text.says("only this once");
    }
}

both_ways! {
    fn a_refusal_has_its_code(keyfob: &Keyfob) {
        let (id, bearer) = keyfob.issue(&["--kind=refresh", "--scope=read"]);
        let refused = |words: &str, bearer: &str, exit| {
            keyfob.with_bearer(words, bearer).exits(exit).error_code()
        };
        assert_eq!(refused("refresh --json --scope admin", &bearer, 2), "invalid_value");
        keyfob.with_bearer("refresh", &bearer).exits(0);
        assert_eq!(refused("refresh --json --client other", &bearer, 1), "refused_in_window");
        keyfob.run(&["revoke", &id]).exits(0);
        assert_eq!(refused("refresh --json", &bearer, 1), "family_ended");
        assert_eq!(refused("refresh --json", "junk", 1), "token_malformed");
        let (_, unused) = keyfob.issue(&["--kind=refresh"]);
        assert_eq!(refused("derive --json", &unused, 1), "invalid_kind");
        let (id, _) = keyfob.issue(&["--kind=session"]);
        let refused = keyfob.run(&["rotate", &id, "--json"]).exits(1);
        assert_eq!(refused.error_code(), "not_rotatable");
        for command in ["refresh", "derive"] {
            let misplaced = keyfob.run(&[command, "--json", "hunter2"]).exits(2);
            assert!(!misplaced.stderr.contains("hunter2"));
            assert_eq!(misplaced.error_code(), "bearer_in_argument");
        }
    }
}

#[test]
fn refusals_and_replays_are_observed() {
    let keyfob = Keyfob::new();
    let (id, first) = keyfob.issue(&["--kind=refresh", "--scope=read"]);
    let next = keyfob.with_bearer("refresh --json", &first).exits(0).object();
    keyfob.with_bearer("refresh", &first).exits(0);
    keyfob.with_bearer("refresh", next["refresh"]["bearer"].as_str().unwrap()).exits(0);
    keyfob.with_bearer("refresh", &first).exits(1);
    let seen = keyfob.run(&["events", "--observations"]).exits(0).stdout;
    let seen: Vec<serde_json::Value> =
        seen.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |seen: &serde_json::Value| (seen["type"].clone(), seen["data"]["code"].clone());
    let [replayed, refused] = ["replayed", "refused"].map(|name| format!("keyfob.token.{name}"));
    let seen: Vec<_> = seen.iter().filter(|seen| seen["subject"] == *id).map(of).collect();
    let cases =
        [(replayed.into(), serde_json::Value::Null), (refused.into(), "refused_in_window".into())];
    assert_eq!(seen, cases);
}

both_ways! {
    fn an_api_key_has_two_secrets_during_the_overlap(keyfob: &Keyfob) {
        let (id, old) = keyfob.issue(&["--kind=api-key", "--client=acme"]);
        keyfob.with_bearer("validate", &old).exits(0);
        let rotated = keyfob.run(&["rotate", &id, "--overlap", "1h", "--json"]).exits(0).object();
        let new = rotated["bearer"].as_str().unwrap();
        for (bearer, used) in [(&*old, "older"), (new, "newest")] {
            let done = keyfob.with_bearer("validate", bearer).exits(0);
            assert!(done.stdout.contains(&format!("secret: {used}")), "{done:?}");
            for args in [&["validate", "--json"][..], &["validate", "--json", "--all"]] {
                let secret = &keyfob.feed(args, bearer.as_bytes()).exits(0).object()["secret"];
                assert_eq!(secret["used"], used, "{args:?}");
                assert_eq!(secret["until"].is_string(), used == "older", "{args:?}");
            }
        }
        let (_, access) = keyfob.issue(&[]);
        let valid = keyfob.feed(&["validate", "--json"], access.as_bytes()).exits(0).object();
        assert!(valid.get("secret").is_none(), "only a key has more than one");
        let rotated = keyfob.run(&["rotate", &id, "--overlap", "0", "--json"]).exits(0).object();
        let newest = rotated["bearer"].as_str().unwrap();
        for (bearer, exit) in [(&*old, 1), (new, 1), (newest, 0)] {
            keyfob.with_bearer("validate", bearer).exits(exit);
        }
        let history = keyfob.run(&["history", &id]).exits(0).stdout;
        assert_eq!(history.matches("secret_replaced").count(), 2, "{history}");
        keyfob.run(&["rotate", &id, "--overlap", "soon"]).exits(2);
    }
}

both_ways! {
    fn a_derived_token_names_its_actor_and_is_revoked_with_its_parent(keyfob: &Keyfob) {
        let (id, bearer) = keyfob.issue(&["--kind=session", "--subject=user123", "--scope=read"]);
        let words = "derive --json --acting agent-7 --scope read --ttl 5m";
        let derived = keyfob.with_bearer(words, &bearer).exits(0).object();
        assert_eq!(derived["subject"], "user123");
        assert_eq!(derived["claims"]["act"]["sub"], "agent-7");
        let derived = derived["bearer"].as_str().unwrap();
        keyfob.with_bearer("validate", derived).exits(0);
        keyfob.run(&["revoke", &id]).exits(0);
        keyfob.with_bearer("validate", derived).exits(1);
    }
}
