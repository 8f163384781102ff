//! The whole life of a token: issue, validate, list, update, revoke, and read afterwards.

use base64ct::{Base64UrlUnpadded, Encoding as _};
use serde_json::Value;

use crate::harness::Keyfob;

#[test]
fn a_whole_life_in_a_file() {
    let keyfob = Keyfob::new();
    whole_life(&keyfob);
    let doctor = keyfob.run(&["doctor", "--json"]).exits(0).object();
    assert_eq!(doctor["ok"], true);
}

#[test]
fn a_whole_life_on_redis() {
    let server = keyfob_testkit::redis::server();
    let namespace = keyfob_testkit::redis::fresh_namespace();
    let keyfob = Keyfob::on(&format!("{}/?namespace={namespace}", server.url()));
    whole_life(&keyfob);
    // The test server has no persistence, which is a fault.
    let doctor = keyfob.run(&["doctor", "--json"]).exits(1).object();
    assert_eq!(doctor["ok"], false);
    let most_severe = &doctor["findings"][0];
    assert_eq!(
        (&most_severe["severity"], &most_severe["what"]),
        (&"fault".into(), &"persistence".into())
    );
}

#[test]
fn a_short_command_does_not_say_what_doctor_says() {
    let server = keyfob_testkit::redis::server();
    let namespace = keyfob_testkit::redis::fresh_namespace();
    let keyfob = Keyfob::on(&format!("{}/?namespace={namespace}", server.url()));
    let (id, _) = keyfob.issue(&["--subject=a"]);
    for args in [
        vec!["list", "subject:a"],
        vec!["show", &id],
        vec!["list", "subject:a", "--json"],
        vec!["revoke", &id, "--json"],
    ] {
        assert_eq!(keyfob.run(&args).exits(0).stderr, "", "{args:?}");
    }
    // The test server has no persistence. A command that runs for long says so once, as JSON.
    let done = keyfob.feed(&["issue", "--from=-", "--json"], b"{}\n{}\n").exits(0);
    let stderr: Vec<Value> =
        done.stderr.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let persistence = |line: &&Value| line["log"]["what"] == "persistence";
    assert_eq!(stderr.iter().filter(persistence).count(), 1, "{stderr:?}");
    let text = keyfob.feed(&["issue", "--from=-"], b"{}\n").exits(0);
    assert!(text.stderr.contains("WARN"), "{}", text.stderr);
    for line in keyfob.run(&["show", &id, "--json", "-vv"]).exits(0).stderr.lines() {
        assert!(line.starts_with("{\"log\":"), "{line}");
    }
}

#[test]
fn a_jwt_comes_from_a_server_and_names_the_key_that_it_is_bound_to() {
    let keyfob = Keyfob::behind_a_dev_server(
        "issuer = \"https://tokens.example\"\n[jwt]\naudiences = [\"https://orders.example\"]\n",
    );
    let thumbprint = "A4DtL2JmUMhAsvJj5tKyn64SqzmuXbMrJa0n761y5v0";
    let issue =
        ["issue", "--json", "--subject=alice", "--client=web", "--audience=https://orders.example"];
    let of = |more: &[&str]| {
        let words = [&issue[..], more].concat();
        keyfob.run(&words).exits(0).object()["bearer"].as_str().unwrap().to_owned()
    };
    for (flag, cnf) in [("--x5t-s256", "x5t#S256"), ("--jkt", "jkt")] {
        let flag = format!("{flag}={thumbprint}");
        let jwt = of(&["--format=jwt", &flag]);
        let [header, claims] = [0, 1].map(|part| -> Value {
            let part = jwt.split('.').nth(part).unwrap();
            serde_json::from_slice(&Base64UrlUnpadded::decode_vec(part).unwrap()).unwrap()
        });
        assert_eq!((&header["typ"], &claims["sub"]), (&"at+jwt".into(), &"alice".into()));
        assert_eq!(claims["cnf"][cnf], thumbprint, "{claims}");
    }
    assert!(of(&[]).starts_with("fob_at_"));
    let store = Keyfob::new();
    store.run(&["issue", "--subject=alice", "--format=jwt"]).exits(2).says("--server");
}

#[test]
fn a_whole_life_in_the_default_store() {
    let keyfob = Keyfob::by_default();
    whole_life(&keyfob);
    let store = keyfob.home().join(".local/share/keyfob/tokens.redb");
    if cfg!(target_os = "linux") {
        assert!(store.is_file());
    }
}

#[test]
fn a_whole_life_through_a_server() {
    let keyfob = Keyfob::served();
    whole_life(&keyfob);
    let doctor = keyfob.run(&["doctor", "--json"]).exits(0).object();
    assert_eq!(doctor["ok"], true);
}

fn whole_life(keyfob: &Keyfob) {
    let start = keyfob.latest_event();
    let mut grant = vec![
        "--subject=user123",
        "--kind=session",
        "--issuer=example-service",
        "--audience=example-app",
        "--scope=read",
        "--scope=write",
        "--client=web",
        "--ttl=15m",
        "--idle=5m",
        "--absolute=12h",
        "--uses=10",
        "--device-id=device123",
        "--user-agent=ExampleApp/1.0",
        "--ip=192.0.2.1",
        "--platform=iOS",
        "--device-version=19.1",
        "--app=shop",
        "--app-version=2.0",
        "--label=environment=production",
        "--tag=mobile",
        "--claim=plan=\"team\"",
        "--username=Jane Doe",
        "--auth-time=2026-11-24T08:30:00Z",
        "--acr=aal2",
        "--amr=pwd",
        "--amr=otp",
        "--jkt=0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I",
    ];
    let by = keyfob.by("signup");
    grant.extend(by.as_deref());
    let (id, bearer) = keyfob.issue(&grant);

    let demands =
        ["validate", "--json", "--scope=read", "--audience=example-app", "--kind=session"];
    // Anyone who has the bearer alone has nothing.
    let stolen = keyfob.feed(&demands, format!("{bearer}\n").as_bytes()).exits(1).object();
    assert_eq!(stolen["code"], "confirmation_mismatch");
    let demands = [&demands[..], &["--jkt=0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"]].concat();
    let good = keyfob.feed(&demands, format!("{bearer}\n").as_bytes()).exits(0).object();
    assert_eq!(good["ok"], true);
    assert_eq!(good["token"]["id"], id.as_str());
    assert_eq!(good["token"]["uses_left"], 9);
    let claims = &good["token"]["claims"];
    assert_eq!(claims["plan"], "team");
    assert_eq!((&claims["auth_time"], &claims["acr"]), (&1_795_509_000.into(), &"aal2".into()));
    assert_eq!(claims["amr"], serde_json::json!(["otp", "pwd"]));
    assert_eq!(claims["cnf"]["jkt"], "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I");

    let found = keyfob.run(&["list", "--json", "subject:user123", "tag:mobile", "state:active"]);
    assert_eq!(found.exits(0).object()["id"], id.as_str());
    assert_eq!(keyfob.run(&["count", "device:device123"]).exits(0).stdout, "1\n");
    assert_eq!(keyfob.run(&["count", "device:device456"]).exits(0).stdout, "0\n");

    let by = keyfob.by("ops");
    let mut change = vec!["update", &id, "--json", "--label=environment=staging", "--tag=vip"];
    change.extend(by.as_deref());
    let token = keyfob.run(&change).exits(0).object();
    assert_eq!(token["metadata"]["labels"]["environment"], "staging");
    assert_eq!(token["metadata"]["tags"], serde_json::json!(["mobile", "vip"]));

    let mut revoke = vec!["revoke", &id, "--json", "--reason=user logout"];
    revoke.extend(by.as_deref());
    let done = keyfob.run(&revoke).exits(0).object();
    assert_eq!(done["outcome"], "revoked");
    let again = keyfob.run(&["revoke", &id, "--json", "--reason=other"]).exits(0).object();
    assert_eq!(again["outcome"], "already_revoked");
    assert_eq!(again["revocation"]["reason"], "user logout");

    let refused = keyfob.feed(&demands, bearer.as_bytes()).exits(1).object();
    assert_eq!(refused["ok"], false);
    assert_eq!(refused["code"], "token_revoked");
    assert_eq!(refused["message"], "token has been revoked");

    let token = keyfob.run(&["show", &id, "--json"]).exits(0).object();
    assert_eq!(token["state"], "revoked");
    assert_eq!(token["revocation"]["by"], keyfob.actor("ops"));
    assert_eq!(token["revocation"]["through"], "token");
    assert_eq!(token.get("bearer"), None);

    let history = keyfob.run(&["history", &id, "--json"]).exits(0);
    let steps = history.objects();
    let what = |entry: &Value, name: &str| entry[name].as_str().map(str::to_owned);
    let changes: Vec<_> = steps.iter().map(|step| (what(step, "what"), what(step, "by"))).collect();
    let step = |what: &str, by: &str| (Some(what.to_owned()), Some(keyfob.actor(by).to_owned()));
    assert_eq!(
        changes,
        [step("issued", "signup"), step("metadata_updated", "ops"), step("revoked", "ops")]
    );

    let events = keyfob.run(&["events", "--after", &start]).exits(0);
    let events = events.says("note: resume with: keyfob events --after");
    let types: Vec<_> = events.objects().iter().map(|event| event["type"].to_string()).collect();
    assert_eq!(
        types,
        [
            "\"keyfob.token.issued\"",
            "\"keyfob.token.metadata_updated\"",
            "\"keyfob.token.revoked\""
        ]
    );
    assert!(events.objects().iter().all(|event| event["subject"] == id.as_str()));

    let stats = keyfob.run(&["stats", "--json"]).exits(0).object();
    assert_eq!(stats["total"], 1 + keyfob.keys());
    assert_eq!(stats["by_kind"]["session"]["revoked"], 1);
}

#[test]
fn doctor_creates_no_namespace_and_says_what_a_store_has_lost() {
    let server = keyfob_testkit::redis::server();
    let namespace = keyfob_testkit::redis::fresh_namespace();
    let keyfob = Keyfob::on(&format!("{}/?namespace={namespace}", server.url()));
    let finding = || {
        let doctor = keyfob.run(&["doctor", "--json"]).exits(1).object();
        let findings = doctor["findings"].as_array().unwrap().clone();
        let found = findings.into_iter().find(|finding| finding["what"] == "namespace").unwrap();
        (found["severity"].clone(), found["advice"].to_string())
    };
    let meta = format!("{namespace}:meta");
    let (severity, advice) = finding();
    assert_eq!(severity, "warning");
    assert!(advice.contains("there is no namespace"), "{advice}");
    assert_eq!(server.call(&["EXISTS", &meta]).unwrap().number(), 0, "a read creates no keys");
    keyfob.issue(&["--subject=a"]);
    assert_eq!(finding().0, "good");
    server.call(&["DEL", &meta]).unwrap();
    let (severity, advice) = finding();
    assert_eq!(severity, "fault");
    assert!(advice.contains("a part of the data was lost"), "{advice}");
    keyfob.run(&["list"]).exits(3).says("(namespace_lost)").says("keyfob doctor");
}
