//! The output of `keyfob demo`, line by line.

use crate::harness::Keyfob;

const EXPECTED: &str = "\
Distributed Token Management Example
==================================

1. Creating and storing token
--------------------------
Token created: [id]

2. Retrieving and validating token
--------------------------------
Retrieved token for subject: user123
Token validation successful

3. Listing tokens with filters
--------------------------
Found 1 matching tokens

4. Revoking token
---------------
Token revoked successfully

5. Verifying revocation
---------------------
Token revoked at: [time]
Revocation reason: user logout

6. Demonstrating validation failure
--------------------------------
Expected validation failure: token has been revoked
";

/// Checks the id and the time in the output, and replaces them.
fn normalised(output: &str) -> String {
    let replace = |line: &str| {
        if let Some(id) = line.strip_prefix("Token created: ") {
            assert!(id.parse::<keyfob::TokenId>().is_ok(), "{line}");
            return "Token created: [id]\n".to_owned();
        }
        if let Some(time) = line.strip_prefix("Token revoked at: ") {
            let rfc3339 = time.replacen(' ', "T", 1).replace(" +0000 UTC", "Z");
            assert!(rfc3339.parse::<keyfob::Timestamp>().is_ok(), "{line}");
            return "Token revoked at: [time]\n".to_owned();
        }
        format!("{line}\n")
    };
    output.lines().map(replace).collect()
}

#[test]
fn it_prints_the_six_steps() {
    let done = Keyfob::on("memory:").run(&["demo"]).exits(0);
    assert_eq!(normalised(&done.stdout), EXPECTED);
    assert_eq!(done.stderr, "");
}

#[test]
fn it_prints_the_same_on_every_run_on_one_store() {
    let keyfob = Keyfob::new();
    // A token that a killed run leaves in the store.
    keyfob.issue(&[
        "--subject=user123",
        "--tag=mobile",
        "--label=environment=production",
        "--label=run=1",
    ]);
    for _ in 0..3 {
        assert_eq!(normalised(&keyfob.run(&["demo"]).exits(0).stdout), EXPECTED);
    }
    assert_eq!(keyfob.run(&["count", "subject:user123", "state:revoked"]).exits(0).stdout, "3\n");
}

#[test]
fn as_json_it_is_one_object_for_each_step() {
    let steps = Keyfob::on("memory:").run(&["demo", "--json"]).exits(0).objects();
    assert_eq!(steps.len(), 6);
    assert_eq!(steps[2]["step"], 3);
    assert_eq!(steps[2]["lines"], serde_json::json!(["Found 1 matching tokens"]));
}

const FULL: &str = "\
7. Rotating a refresh token
------------------------
First exchange: rotated to generation 1
Retry after a lost response: replayed, with the same pair

8. Detecting a stolen token
------------------------
A thief presents the used token: reuse_detected
The owner is refused too: family_ended
Event: keyfob.token.reuse_detected
Event: keyfob.token.revoked

9. Sealing what the store holds
----------------------------
Without keys: [n] bytes, 'user123' is readable at byte [n]
Sealed: [n] bytes, 'user123' is not readable
Read with keys: subject user123
Read without keys: store_sealed

10. Reaching a limit
----------------
Call 1: admitted, 2 left
Call 2: admitted, 1 left
Call 3: admitted, 0 left
Call 4: refused, retry in [n] s

11. Reading the metrics
-------------------
";

/// Metrics that the earlier steps must have recorded.
const RECORDED: [&str; 8] = [
    "keyfob_limit_decisions_total{by=\"subject\",outcome=\"admitted\"} 3",
    "keyfob_limit_decisions_total{by=\"subject\",outcome=\"refused\"} 1",
    "keyfob_refreshes_total{case=\"family_ended\"} 1",
    "keyfob_refreshes_total{case=\"replayed\"} 1",
    "keyfob_refreshes_total{case=\"reuse_detected\"} 1",
    "keyfob_refreshes_total{case=\"rotated\"} 1",
    "keyfob_revocations_total{through=\"token\"} 1",
    "keyfob_validations_total{outcome=\"token_revoked\",kind=\"access\"} 1",
];

/// Replaces the numbers of bytes and seconds in the output.
fn without_numbers(output: &str) -> String {
    let replace = |line: &str| {
        if !["Without keys:", "Sealed:", "Call 4:"].iter().any(|start| line.starts_with(start)) {
            return format!("{line}\n");
        }
        let number = |word: &str| word.bytes().all(|byte| byte.is_ascii_digit());
        let words = line.split(' ').map(|word| if number(word) { "[n]" } else { word });
        words.collect::<Vec<_>>().join(" ") + "\n"
    };
    output.lines().map(replace).collect()
}

#[test]
fn full_adds_rotation_sealing_a_limit_and_metrics() {
    let done = Keyfob::on("memory:").run(&["demo", "--full"]).exits(0);
    let output = normalised(&done.stdout);
    let rest = output.strip_prefix(EXPECTED).unwrap().strip_prefix('\n').unwrap();
    let (steps, metrics) = rest.split_at(rest.find("\nkeyfob_").unwrap() + 1);
    assert_eq!(without_numbers(steps), FULL);
    for line in RECORDED {
        assert!(metrics.lines().any(|metric| metric == line), "{line}\n{metrics}");
    }
    assert!(metrics.lines().all(|line| line.starts_with("keyfob_")), "{metrics}");
    assert_eq!(done.stderr, "");
}
