//! `limit`: a policy on a shared Redis, and in one process.

use keyfob_testkit::redis::{fresh_namespace, server};

use crate::harness::Keyfob;

fn on_redis() -> Keyfob {
    Keyfob::on(&format!("{}?namespace={}", server().url(), fresh_namespace()))
}

/// A store on Redis, and a server in front of one.
fn both_on_redis() -> [Keyfob; 2] {
    [on_redis(), on_redis().behind_a_server(&[])]
}

const TEST: [&str; 6] = ["limit", "test", "--rate", "3/1h", "--ip", "192.0.2.1"];

fn with<'a>(words: &[&'a str], more: &[&'a str]) -> Vec<&'a str> {
    words.iter().chain(more).copied().collect()
}

#[test]
fn processes_share_a_limit_on_redis() {
    for keyfob in both_on_redis() {
        keyfob.run(&with(&TEST, &["--times", "2"])).exits(0);
        let verdicts = keyfob.run(&with(&TEST, &["--times", "3", "--json"])).exits(1).objects();
        let admitted: Vec<_> = verdicts.iter().map(|verdict| verdict["admitted"] == true).collect();
        assert_eq!(admitted, [true, false, false]);
        assert_eq!(verdicts[0]["remaining"], 0);
        assert_eq!((&verdicts[1]["policy"], &verdicts[1]["by"]), (&"test".into(), &"ip".into()));
        let wait = verdicts[1]["retry_after_ms"].as_u64().unwrap();
        assert!((1_100_000..=1_200_000).contains(&wait), "{wait}");
        let other =
            keyfob.run(&["limit", "test", "--rate", "3/1h", "--subject", "user123"]).exits(0);
        assert!(other.stdout.contains("admitted"), "{other:?}");
    }
}

#[test]
fn showing_charges_nothing() {
    for keyfob in both_on_redis() {
        keyfob.run(&TEST).exits(0);
        let show = ["limit", "show", "--rate", "3/1h", "--ip", "192.0.2.1"];
        for _ in 0..3 {
            let shown = keyfob.run(&with(&show, &["--json"])).exits(0).object();
            assert_eq!((&shown["limit"], &shown["remaining"]), (&3.into(), &2.into()));
            assert_eq!(shown["retry_after_ms"], 0);
        }
        let attempts = keyfob.run(&with(&show, &["--failed-attempts", "--json"])).exits(0).object();
        let expected = (&"failed-attempts".into(), &3.into());
        assert_eq!((&attempts["by"], &attempts["remaining"]), expected, "counted apart");
        let text = keyfob.run(&show).exits(0).stdout;
        assert!(text.contains("remaining:") && text.contains("reset after:"), "{text}");
    }
}

#[test]
fn a_cost_and_a_lease_are_obeyed() {
    for keyfob in both_on_redis() {
        let words = ["limit", "test", "--rate", "10/1h", "--client", "shop"];
        let costly = with(&words, &["--cost", "4", "--times", "3", "--lease", "1s"]);
        let done = keyfob.run(&costly).exits(1);
        let verdicts: Vec<_> =
            done.lines().iter().map(|line| line.split('\t').nth(1).unwrap().to_owned()).collect();
        assert_eq!(verdicts, ["admitted", "admitted", "refused"]);
    }
}

#[test]
fn a_store_without_limits_is_noted() {
    for keyfob in [Keyfob::new(), Keyfob::on("memory:")] {
        let done = keyfob.run(&with(&TEST, &["--times", "4"])).exits(1).says("counts for itself");
        assert_eq!(done.lines().len(), 4);
    }
}

#[test]
fn zero_and_extreme_policies_are_refused() {
    let keyfob = Keyfob::on("memory:");
    let code = |words: &[&str]| {
        keyfob.run(&with(&["limit", "test", "--json"], words)).exits(2).error_code()
    };
    for rate in ["0/s", "5/0s", "1001/ms", "1/400d", "-1/s", "many"] {
        assert_eq!(code(&[&format!("--rate={rate}"), "--ip=::1"]), "invalid_value", "{rate}");
    }
    assert_eq!(code(&["--rate=5/s", "--burst=0", "--ip=::1"]), "invalid_value");
    assert_eq!(code(&["--rate=5/s", "--cost=0", "--ip=::1"]), "invalid_value");
    assert_eq!(code(&["--rate=5/s", "--cost=6", "--ip=::1"]), "cost_above_burst");
    assert_eq!(code(&["--rate=5/s", "--lease=2m", "--ip=::1"]), "invalid_value");
    assert_eq!(code(&["--rate=5/s", "--ip=nowhere"]), "invalid_value");
    // Exactly one key is counted.
    keyfob.run(&["limit", "test", "--rate", "5/s"]).exits(2);
    keyfob.run(&["limit", "test", "--rate", "5/s", "--ip=::1", "--client=shop"]).exits(2);
}

#[test]
fn the_calls_of_a_file_are_counted_by_its_server() {
    let keyfob = Keyfob::served();
    keyfob.run(&with(&TEST, &["--times", "2"])).exits(0);
    let done = keyfob.run(&with(&TEST, &["--times", "2"])).exits(1);
    assert!(!done.stderr.contains("counts for itself"), "{done:?}");
    let many = ["limit", "test", "--rate", "10000/1h", "--subject=alice", "--times", "2500"];
    assert_eq!(keyfob.run(&many).exits(0).lines().len(), 2_500);
}

#[test]
fn a_store_that_is_gone_is_unavailable() {
    let keyfob = Keyfob::on("redis://127.0.0.1:1");
    let done = keyfob.run(&with(&TEST, &["--json"])).exits(3);
    assert_eq!(done.error_code(), "store_unavailable");
}
