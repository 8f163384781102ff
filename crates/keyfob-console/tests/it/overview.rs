//! The overview.

use keyfob::{Grant, Kind};

use crate::support::Site;

#[tokio::test]
async fn the_overview_counts_living_tokens() {
    let site = Site::new();
    for _ in 0..3 {
        site.issue(Grant::new(Kind::Refresh).client("shop")).await;
    }
    let mut browser = site.signed_in("keyfob:admin").await;
    let reply = browser.get("/console").await;
    reply.shows(&[
        "Tokens by kind",
        "kind%3Arefresh",
        "/console/clients/shop",
        "healthy",
        "Store: ",
        "max staleness 250 ms",
        "checks are good",
    ]);
}

#[tokio::test]
async fn a_key_that_may_not_see_it_gets_a_page_all_the_same() {
    let site = Site::new();
    let mut browser = site.signed_in("keyfob:introspect").await;
    let reply = browser.get("/console").await;
    reply.shows(&["does not allow"]);
    reply.hides(&["Tokens by kind", r#"href="/console/keys""#]);
}
