//! Clients: the holders of API keys.

use crate::harness::{Keyfob, both_ways};

both_ways! {
    fn a_client_is_added_listed_rotated_and_disabled(keyfob: &Keyfob) {
        let add = [
            "client",
            "add",
            "login",
            "--scope=keyfob:issue",
            "--may-issue-scope=read",
            "--may-issue-audience=all",
            "--label=team=web",
            "--json",
        ];
        let added = keyfob.run(&add).exits(0).object();
        assert_eq!((&added["kind"], &added["client"]), (&"api-key".into(), &"login".into()));
        assert_eq!(added["expires_at"], serde_json::Value::Null);
        let may_issue = serde_json::json!({"scopes": ["read"], "audiences": "all"});
        assert_eq!(added["claims"]["may_issue"], may_issue);
        assert_eq!(added["metadata"]["labels"]["team"], "web");
        keyfob.run(&add).exits(2).says("client_exists");
        let text = |name: &str| added[name].as_str().unwrap().to_owned();
        keyfob.feed(&["validate"], text("bearer").as_bytes()).exits(0);

        let listed = keyfob.run(&["client", "list", "--json"]).exits(0).objects();
        assert_eq!(listed.len() as u64, 1 + keyfob.keys());
        assert!(listed.iter().any(|key| key["id"] == added["id"]));
        let plain = keyfob.run(&["client", "list"]).exits(0);
        let row = format!("login\t{}\tactive\tkeyfob:issue\t-\tnever", text("id"));
        assert!(plain.lines().contains(&&*row), "{plain:?}");

        let rotated = keyfob.run(&["client", "rotate", "login", "--overlap=0"]).exits(0);
        assert!(rotated.stdout.contains("client_secret:"), "{rotated:?}");
        let secret = rotated.stdout.split_whitespace().last().unwrap();
        keyfob.feed(&["validate"], secret.as_bytes()).exits(0);

        keyfob.run(&["client", "disable", "login", "--reason=left"]).exits(0).says("keyfob revoke");
        let refused = keyfob.feed(&["validate", "--json"], secret.as_bytes()).exits(1).object();
        assert_eq!(refused["code"], "token_revoked");
        keyfob.run(&["client", "disable", "login"]).exits(1).says("(client_not_found)");
        let all = keyfob.run(&["client", "list", "--all", "--json"]).exits(0).objects();
        let gone = all.iter().find(|key| key["id"] == added["id"]).unwrap();
        assert_eq!(gone["revocation"]["reason"], "left");
    }
}

both_ways! {
    fn one_of_several_keys_is_named(keyfob: &Keyfob) {
        let first = keyfob.run(&["client", "add", "shop", "--json"]).exits(0).object();
        keyfob.run(&["client", "add", "shop", "--another", "--ttl=90d"]).exits(0);
        keyfob.run(&["client", "rotate", "shop"]).exits(2).says("Name one with --id");
        let id = first["id"].as_str().unwrap();
        let rotated = keyfob.run(&["client", "rotate", "shop", "--id", id, "--json"]).exits(0);
        assert_eq!(rotated.object()["id"], id);
        let other = "tok_00d1h88n000000000000000001";
        keyfob.run(&["client", "rotate", "shop", "--id", other]).exits(1);
    }
}

both_ways! {
    fn a_client_that_signs_gets_no_secret(keyfob: &Keyfob) {
        let pem = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n-----END PUBLIC KEY-----\n";
        let jwk = r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","kid":"mine"}"#;
        let add = ["client", "add", "shop", "--scope=read", "--another", "--public-key=-"];
        let plain = keyfob.feed(&add, pem.as_bytes()).exits(0);
        assert!(plain.stdout.contains("kid:") && plain.stdout.contains("EdDSA"), "{plain:?}");
        assert!(!plain.stdout.contains("fob_ak_"), "{plain:?}");
        let words: Vec<_> = add.iter().copied().chain(["--json"]).collect();
        let added = keyfob.feed(&words, jwk.as_bytes()).exits(0).object();
        assert_eq!(added["client_key"]["crv"], "Ed25519");
        assert_eq!(added.get("bearer"), None);
        let id = added["id"].as_str().unwrap();
        let shown = keyfob.run(&["show", id, "--json"]).exits(0).object();
        assert_eq!(shown["client_key"], added["client_key"]);

        let private = jwk.replace("\"kid\":\"mine\"", "\"d\":\"AAAA\"");
        for wrong in [&private, "{}", "", &pem[..40]] {
            keyfob.feed(&words, wrong.as_bytes()).exits(2).says("client key");
        }
        let rotate = ["client", "rotate", "shop", "--id", id];
        keyfob.run(&rotate).exits(2).says("issue another API key");
    }
}

#[test]
fn a_client_hands_out_only_what_it_may() {
    let keyfob = Keyfob::served();
    let add = ["client", "add", "login", "--scope=keyfob:issue", "--may-issue-scope=read"];
    let words: Vec<_> = add.iter().copied().chain(["--may-issue-audience=all", "--json"]).collect();
    let key = keyfob.run(&words).exits(0).object()["bearer"].as_str().unwrap().to_owned();
    let issue = |scope: &str| {
        let mut command = keyfob.command(&["issue", "--subject=alice", scope]);
        let output = command.env("KEYFOB_TOKEN", &key).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    assert_eq!(issue("--scope=read").0, Some(0));
    for scope in ["--scope=write", "--scope=keyfob:admin"] {
        let (code, stderr) = issue(scope);
        assert_eq!(code, Some(1), "{stderr}");
        assert!(stderr.contains("(beyond_bounds)"), "{stderr}");
    }
}
