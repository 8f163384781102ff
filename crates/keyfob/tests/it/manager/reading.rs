//! Getting, listing and counting tokens.

use std::collections::BTreeSet;

use keyfob::manager::{PageCursor, Retention};
use keyfob::token::ChangeKind;
use keyfob::{Filter, Paging, RevokeRequest, TokenId, TokenState, Ttl, UpdateRequest};

use super::{bench, bench_with, session};

#[tokio::test]
async fn pages_hold_each_match_once_and_in_order() {
    let bench = bench_with(|builder| builder.retention(Retention::For(Ttl::from_hours(1))));
    for n in 0..120 {
        bench.clock.advance(Ttl::from_secs(1));
        let grant = session(&format!("user{}", n % 7))
            .tag(if n % 2 == 0 { "even" } else { "odd" })
            .ttl(Ttl::from_secs(10_000 - (n * 37) % 100));
        bench.manager.issue(grant).await.unwrap();
    }
    for (text, expected) in
        [("", 120), ("tag:even", 60), ("client:web tag:odd", 60), ("subject:user3 tag:odd", 9)]
    {
        let filter = Filter::parse(text, bench.manager.now()).unwrap();
        for limit in [1, 7, 1000] {
            let mut found: Vec<TokenId> = Vec::new();
            let mut paging = Paging::new(limit);
            loop {
                let page = bench.manager.list(&filter, paging).await.unwrap();
                found.extend(page.tokens.iter().map(|token| token.id));
                let Some(next) = page.next else { break };
                // A cursor survives its text form.
                let next: PageCursor = next.to_string().parse().unwrap();
                paging = Paging::new(limit).after(Some(next));
            }
            assert_eq!(found.len(), expected, "{text} by {limit}");
            assert_eq!(found.iter().collect::<BTreeSet<_>>().len(), expected);
            assert!(found.windows(2).all(|pair| pair[0] > pair[1]), "newest first");
        }
        let paging = Paging::new(1000).expiring_soonest();
        let page = bench.manager.list(&filter, paging).await.unwrap();
        let ends: Vec<_> = page.tokens.iter().map(|token| token.expires_at).collect();
        assert_eq!(ends.len(), expected);
        assert!(ends.is_sorted(), "next to expire first");
    }
}

#[tokio::test]
async fn a_limit_outside_its_range_is_an_error_and_not_cut() {
    let bench = bench();
    bench.manager.issue(session("user123")).await.unwrap();
    for limit in [0, Paging::MAX_LIMIT + 1, 5_000, usize::MAX] {
        let refused = bench.manager.list(&Filter::new(), Paging::new(limit)).await.unwrap_err();
        assert_eq!(refused.code(), "invalid_value");
        let message = refused.to_string();
        assert!(
            message.contains("page limit is out of range: use a limit from 1 to 1000"),
            "{message}"
        );
    }
    for limit in [1, Paging::MAX_LIMIT] {
        let page = bench.manager.list(&Filter::new(), Paging::new(limit)).await.unwrap();
        assert_eq!(page.tokens.len(), 1, "{limit}");
    }
}

#[tokio::test]
async fn a_page_ends_after_its_time_and_the_next_continues() {
    let bench = bench();
    let id = bench.manager.issue(session("rare").audience("rare")).await.unwrap().token.id;
    for _ in 0..6_000 {
        bench.manager.issue(session("user123")).await.unwrap();
    }
    // No index leads to it, and it is the oldest.
    let filter = Filter::new().audience("rare");
    let whole = bench.manager.list(&filter, Paging::new(10)).await.unwrap();
    assert_eq!((whole.examined, whole.next), (6_001, None));
    let quick = Paging::new(10).max_time(Ttl::from_millis(1).unwrap());
    let (mut found, mut examined, mut pages, mut after) = (Vec::new(), 0, 0, None);
    loop {
        let page = bench.manager.list(&filter, quick.clone().after(after)).await.unwrap();
        assert!(page.examined > 0, "each page comes further");
        found.extend(page.tokens.iter().map(|token| token.id));
        (examined, pages) = (examined + page.examined, pages + 1);
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!((found, examined), (vec![id], 6_001));
    assert!(pages > 1);
}

#[tokio::test]
async fn a_cursor_belongs_to_its_filter_and_its_order() {
    let bench = bench();
    for _ in 0..3 {
        bench.manager.issue(session("user123")).await.unwrap();
    }
    let filter = Filter::new().subject("user123");
    let next = bench.manager.list(&filter, Paging::new(1)).await.unwrap().next;
    assert!(next.is_some());
    let other = Filter::new().subject("user124");
    let refused = bench.manager.list(&other, Paging::new(1).after(next.clone())).await;
    assert_eq!(refused.unwrap_err().code(), "invalid_value");
    let forged = next.clone().unwrap().to_string().replacen("-0-", "-7-", 1).parse().unwrap();
    let refused = bench.manager.list(&filter, Paging::new(1).after(Some(forged))).await;
    assert_eq!(
        refused.unwrap_err().code(),
        "invalid_value",
        "the cursor has a term that is not in the filter"
    );
    let refused = bench.manager.list(&filter, Paging::new(1).expiring_soonest().after(next)).await;
    assert_eq!(refused.unwrap_err().code(), "invalid_value");
    assert!("n-zz".parse::<PageCursor>().is_err());
}

#[tokio::test]
async fn an_id_prefix_finds_the_token() {
    let bench = bench();
    let mut ids = Vec::new();
    for n in 0..50 {
        bench.clock.advance(Ttl::from_mins(1));
        ids.push(bench.manager.issue(session(&format!("user{n}"))).await.unwrap().token.id);
    }
    let id = ids[20];
    let filter = Filter::new().id_prefix(id.to_string()[..24].parse().unwrap());
    let page = bench.manager.list(&filter, Paging::new(10)).await.unwrap();
    assert_eq!(page.tokens.iter().map(|token| token.id).collect::<Vec<_>>(), [id]);
    assert!(page.examined < 5, "it begins where the prefix does: {}", page.examined);
}

#[tokio::test]
async fn counting_follows_states() {
    let bench = bench();
    for n in 0..10u32 {
        let grant = session("user123").ttl(Ttl::from_hours(if n < 4 { 4 } else { 8 }));
        let id = bench.manager.issue(grant).await.unwrap().token.id;
        if n == 9 {
            bench.manager.revoke(id, RevokeRequest::default()).await.unwrap();
        }
    }
    let count = async |state: TokenState| {
        bench.manager.count(&Filter::new().subject("user123").state(state)).await.unwrap()
    };
    assert_eq!(count(TokenState::Active).await, 9);
    bench.clock.advance(Ttl::from_hours(4));
    assert_eq!(count(TokenState::Active).await, 5);
    assert_eq!(count(TokenState::Expired).await, 4);
    assert_eq!(count(TokenState::Revoked).await, 1);
}

#[tokio::test]
async fn history_has_the_last_eight_changes_and_the_revocation() {
    let bench = bench();
    let id = bench.manager.issue(session("user123").by("login")).await.unwrap().token.id;
    for n in 0..9 {
        bench.clock.advance(Ttl::from_secs(1));
        let request = UpdateRequest::new().by("admin");
        let tag = format!("t{n}");
        bench
            .manager
            .update(id, request, |metadata| metadata.tags.insert(tag.as_str().try_into()?))
            .await
            .unwrap();
    }
    bench.manager.revoke(id, RevokeRequest::reason("done").by("ops")).await.unwrap();
    let history = bench.manager.history(id).await.unwrap();
    assert_eq!(history.len(), 9);
    assert!(history[..8].iter().all(|entry| entry.what == ChangeKind::MetadataUpdated));
    let last = &history[8];
    assert!(matches!(last.what, ChangeKind::Revoked(_)));
    assert_eq!(last.reason.as_ref().unwrap().as_str(), "done");
    assert!(history.windows(2).all(|pair| pair[0].at <= pair[1].at));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_concurrent_update_is_lost() {
    let bench = bench();
    let id = bench.manager.issue(session("user123")).await.unwrap().token.id;
    let updates = (0..12).map(|n| {
        let manager = bench.manager.clone();
        let change = async move {
            let tag = format!("t{n}");
            let insert =
                |metadata: &mut keyfob::Metadata| metadata.tags.insert(tag.as_str().try_into()?);
            manager.update(id, UpdateRequest::new(), insert).await
        };
        tokio::spawn(change)
    });
    for update in futures_util::future::join_all(updates).await {
        update.unwrap().unwrap();
    }
    assert_eq!(bench.manager.get(id).await.unwrap().metadata.tags.len(), 12);
}
