//! Stored counters and a full read give the same numbers.

use serde_json::{Value, json};

use crate::harness::{Keyfob, both_ways};

fn stats(keyfob: &Keyfob, how: &[&str]) -> Value {
    let args: Vec<_> = ["stats", "--json"].iter().chain(how).copied().collect();
    keyfob.run(&args).exits(0).object()
}

both_ways! {
fn stored_counters_agree_with_a_full_read(keyfob: &Keyfob) {
    let (session, _) = keyfob.issue(&["--kind=session", "--subject=a", "--client=web"]);
    for _ in 0..3 {
        keyfob.issue(&["--subject=a", "--client=web"]);
    }
    keyfob.issue(&["--kind=api-key", "--client=shop", "--ttl=never"]);
    keyfob.issue(&["--subject=b", "--not-before=2099-01-01T00:00:00Z", "--ttl=never"]);
    keyfob.run(&["revoke", &session]).exits(0);
    keyfob.run(&["revoke", "--client=shop"]).exits(0);

    let (counted, exact) = (stats(keyfob, &[]), stats(keyfob, &["--exact"]));
    assert_eq!((&counted["exact"], &exact["exact"]), (&json!(false), &json!(true)));
    assert_eq!((&counted["total"], &exact["total"]), (&json!(6 + keyfob.keys()), &json!(6 + keyfob.keys())));
    assert_eq!(counted["unsure"], 0);
    for (state, count) in [("pending", 1), ("active", 3), ("revoked", 2), ("exhausted", 0)] {
        let count = count + if state == "active" { keyfob.keys() } else { 0 };
        assert_eq!(counted["by_state"][state], count, "{counted}");
        assert_eq!(exact["by_state"][state], count, "{exact}");
    }
    assert_eq!(counted["by_state"]["expired"], Value::Null, "they are not counted");
    let clients = |stats: &Value| -> Vec<(Value, Value)> {
        let clients = stats["by_client"].as_array().unwrap().iter();
        let clients = clients.filter(|of| of["client"] != "admin");
        let mut clients: Vec<_> =
            clients.map(|of| (of["client"].clone(), of["counts"]["revoked"].clone())).collect();
        clients.sort_by_key(|(client, _)| client.to_string());
        clients
    };
    let expected = [(json!("shop"), json!(1)), (json!("web"), json!(1)), (json!(null), json!(0))];
    assert_eq!(clients(&counted), expected);
    assert_eq!(clients(&exact), expected);
}
}

both_ways! {
fn a_note_explains_the_limits_of_the_counters(keyfob: &Keyfob) {
    keyfob.issue(&["--subject=a", "--client=web"]);
    let done = keyfob.run(&["stats"]).exits(0).says("--exact looks at every token");
    assert!(done.lines().contains(&"client\tweb\t0\t1\t0\t0\t1"), "{done:#?}");
    let active = 1 + keyfob.keys();
    let all = format!("all\t\t0\t{active}\t0\t0\t{active}");
    assert!(done.lines().contains(&&*all), "{done:#?}");
    let done = keyfob.run(&["stats", "--exact"]).exits(0);
    assert_eq!(done.stderr, "");
    assert!(done.lines().contains(&"client\tweb\t0\t1\t0\t0\t0\t1"), "{done:#?}");
}
}
