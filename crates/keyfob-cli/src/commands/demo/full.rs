//! The steps of `demo --full`: rotation, a thief, sealing, a limit, metrics.

use keyfob::store::prelude::*;
use std::sync::Arc;
use std::time::Duration;

use keyfob::seal::KeyRing;
use keyfob::store::Cursor;
use keyfob::{
    BearerToken, Clock, Error, EventKind, GracePeriod, Grant, Kind, LimitBy, LimitPolicy,
    LimitRequest, Limiter, Limits, MemoryStore, Metrics, OsRandom, Rate, RefreshPolicy,
    RefreshRefused, RefreshRequest, Refreshed, Subject, SystemClock, TokenManager, Ttl,
};

use super::story::Story;
use crate::args::Settings;
use crate::failure::Failure;
use crate::{metrics, open};

/// How long a retry gets the same pair: short, so that the thief can come late soon.
const WINDOW: Ttl = Ttl::from_secs(1);
const LATE: Duration = Duration::from_millis(1_200);

pub(super) async fn run(
    run: &str,
    settings: &Settings,
    manager: &TokenManager,
    told: &mut Story<'_>,
) -> Result<(), Failure> {
    let before = manager.latest_event().await?;
    told.step("Rotating a refresh token", "------------------------")?;
    let first = rotate(run, manager, told).await?;
    told.step("Catching a thief", "----------------")?;
    catch(&before, first, manager, told).await?;
    told.step("Sealing what the store holds", "----------------------------")?;
    seal(told).await?;
    told.step("Reaching a limit", "----------------")?;
    limit(run, settings, told).await?;
    told.step("Reading the metrics", "-------------------")?;
    count(manager, told).await
}

/// A family after its first rotation, and the bearer that was exchanged.
struct Family {
    exchanged: BearerToken,
    newest: BearerToken,
}

async fn rotate(
    run: &str,
    manager: &TokenManager,
    told: &mut Story<'_>,
) -> Result<Family, Failure> {
    let policy = RefreshPolicy::new().with_grace_period(GracePeriod::new(WINDOW));
    let grant = Grant::new(Kind::Refresh)
        .subject("user123")
        .client("example-app")
        .scopes("read write")
        .label("run", keyfob::LabelValue::new(run)?)
        .refresh_policy(policy);
    let issued = manager.issue(grant).await?;
    let pair = manager.refresh(&issued.bearer, RefreshRequest::new()).await?;
    told.line(format_args!("First exchange: {} to generation 1", pair.case))?;
    let again = manager.refresh(&issued.bearer, RefreshRequest::new()).await?;
    if !is_same(&pair, &again) {
        let message = "a retry within its window got another pair".to_owned();
        return Err(Failure::BrokenPromise { message });
    }
    told.line(format_args!(
        "The answer was lost, asked again: {}, the very same pair",
        again.case
    ))?;
    Ok(Family { exchanged: issued.bearer, newest: pair.refresh.bearer })
}

fn is_same(one: &Refreshed, other: &Refreshed) -> bool {
    let text = |pair: &Refreshed| {
        [pair.access.bearer.expose().to_owned(), pair.refresh.bearer.expose().to_owned()]
    };
    text(one) == text(other)
}

async fn catch(
    before: &Cursor,
    family: Family,
    manager: &TokenManager,
    told: &mut Story<'_>,
) -> Result<(), Failure> {
    tokio::time::sleep(LATE).await;
    let thief = refused(manager, &family.exchanged).await?;
    told.line(format_args!("A thief presents the exchanged one: {}", thief.code()))?;
    let owner = refused(manager, &family.newest).await?;
    told.line(format_args!("Its owner is told, too: {}", owner.code()))?;
    let mut after = before.clone();
    // Others may write to the same store.
    loop {
        let page = manager.events(&after, 1_000).await?;
        let of_family =
            page.events.iter().filter(|(event, _)| event.token() == Some(thief.token()));
        for (event, _) in of_family {
            if let EventKind::ReuseDetected { .. } | EventKind::Revoked { .. } = event.what {
                told.line(format_args!("Event: {}", event.what.as_str()))?;
            }
        }
        if !page.more {
            break;
        }
        after = page.cursor;
    }
    Ok(())
}

async fn refused(manager: &TokenManager, bearer: &BearerToken) -> Result<RefreshRefused, Failure> {
    match manager.refresh(bearer, RefreshRequest::new()).await {
        Err(Error::Refresh(refused)) => Ok(refused),
        Err(error) => Err(error.into()),
        Ok(_) => {
            let message = "a refresh token was exchanged twice, late".to_owned();
            Err(Failure::BrokenPromise { message })
        }
    }
}

/// On a store of its own: nobody would have the keys of what it left on another.
async fn seal(told: &mut Story<'_>) -> Result<(), Failure> {
    let store = Arc::new(MemoryStore::new().map_err(Error::from)?);
    let ring = KeyRing::generate(SystemClock.now(), &OsRandom)?;
    let bare = TokenManager::builder(store.clone()).build();
    let sealed = TokenManager::builder(store.clone()).keys(&ring).build();
    let mut last = None;
    for (name, manager) in [("Without keys", &bare), ("Sealed", &sealed)] {
        let issued = manager.issue(Grant::new(Kind::Session).subject("user123")).await?;
        let held = store.load(issued.token.id).await.map_err(Error::from)?;
        let held = held.map(|record| record.body).unwrap_or_default();
        let shown = match held.windows(7).position(|bytes| bytes == b"user123") {
            Some(at) => format!("'user123' lies in clear at byte {at}"),
            None => "nothing of it in clear".to_owned(),
        };
        told.line(format_args!("{name}: {} bytes, {shown}", held.len()))?;
        last = Some(issued);
    }
    if let Some(issued) = last {
        let token = sealed.validate_active(&issued.bearer).await?;
        let subject = token.subject.as_ref().map_or("nobody", |subject| subject.as_str());
        told.line(format_args!("With the keys it is read: subject {subject}"))?;
        let without = bare.get(issued.token.id).await;
        let code = without.err().map_or_else(String::new, |error| error.code().to_owned());
        told.line(format_args!("Without them it is not: {code}"))?;
    }
    bare.shutdown().await;
    sealed.shutdown().await;
    Ok(())
}

async fn limit(run: &str, settings: &Settings, told: &mut Story<'_>) -> Result<(), Failure> {
    let open::LimitStoreOf { store, namespace, .. } = open::limits(settings).await?;
    let policy = LimitPolicy::new("demo", LimitBy::Subject, Rate::new(3, Ttl::from_mins(1))?)?;
    let limiter = Limiter::new(Limits::new(store).policy(policy)?, namespace);
    let limiter = limiter.metrics(&Metrics::global());
    let subject = Subject::new(format!("demo-{run}"))?;
    let request = LimitRequest::new().subject(&subject);
    for call in 1..=4 {
        let verdict = limiter.admit(&request).await.map_err(keyfob::Error::from)?;
        match verdict.retry_after() {
            None => {
                let left = verdict.decided_by().map_or(0, |standing| standing.remaining);
                told.line(format_args!("Call {call}: admitted, {left} left"))?;
            }
            Some(after) => {
                let secs = after.as_millis().div_ceil(1000);
                told.line(format_args!("Call {call}: refused, again in {secs} s"))?;
            }
        }
    }
    Ok(())
}

/// What was counted in this run, as Prometheus reads it; of that, the counters that have counted.
async fn count(manager: &TokenManager, told: &mut Story<'_>) -> Result<(), Failure> {
    manager.shutdown().await;
    let text = metrics::start().text();
    let is_counter = |line: &&str| !line.starts_with('#') && line.contains("_total");
    let mut counted: Vec<&str> = text.lines().filter(is_counter).collect();
    counted.retain(|line| !line.ends_with(" 0"));
    counted.sort_unstable();
    counted.into_iter().try_for_each(|line| told.line(line))
}
