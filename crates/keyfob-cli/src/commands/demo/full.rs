//! The further steps of `demo --full`: rotation, token theft, sealing, a rate limit, metrics.

use keyfob::store::prelude::*;
use std::sync::Arc;
use std::time::Duration;

use keyfob::clock::{Clock, SystemClock};
use keyfob::limit::Limiter;
use keyfob::random::OsRandom;
use keyfob::rotation::{GracePeriod, RefreshRefused};
use keyfob::seal::KeyRing;
use keyfob::store::Cursor;
use keyfob::{
    BearerToken, Error, EventKind, Grant, Kind, LimitBy, LimitPolicy, LimitRequest, Limits,
    MemoryStore, Metrics, Rate, RefreshPolicy, RefreshRequest, Refreshed, Subject, TokenManager,
    Ttl,
};

use super::script::DemoScript;
use crate::args::Settings;
use crate::failure::Failure;
use crate::{metrics, open};

/// The window in which a retry returns the same pair. Short, so that the demo soon passes its end.
const RETRY_WINDOW: Ttl = Ttl::from_secs(1);
/// A pause that is longer than the grace period.
const PAUSE_PAST_WINDOW: Duration = Duration::from_millis(1_200);

pub(super) async fn run(
    run: &str,
    settings: &Settings,
    manager: &TokenManager,
    script: &mut DemoScript<'_>,
) -> Result<(), Failure> {
    let before = manager.latest_event().await?;
    script.step("Rotating a refresh token", "------------------------")?;
    let first = rotate(run, manager, script).await?;
    script.step("Detecting a stolen token", "------------------------")?;
    present_stolen(&before, first, manager, script).await?;
    script.step("Sealing what the store holds", "----------------------------")?;
    seal(script).await?;
    script.step("Reaching a limit", "----------------")?;
    limit(run, settings, script).await?;
    script.step("Reading the metrics", "-------------------")?;
    count(manager, script).await
}

/// A family after its first rotation, and the bearer that was exchanged.
struct Family {
    exchanged: BearerToken,
    newest: BearerToken,
}

async fn rotate(
    run: &str,
    manager: &TokenManager,
    script: &mut DemoScript<'_>,
) -> Result<Family, Failure> {
    let policy = RefreshPolicy::new().with_grace_period(GracePeriod::new(RETRY_WINDOW));
    let grant = Grant::new(Kind::Refresh)
        .subject("user123")
        .client("example-app")
        .scopes("read write")
        .label("run", keyfob::values::LabelValue::new(run)?)
        .refresh_policy(policy);
    let issued = manager.issue(grant).await?;
    let pair = manager.refresh(&issued.bearer, RefreshRequest::new()).await?;
    script.line(format_args!("First exchange: {} to generation 1", pair.case))?;
    let again = manager.refresh(&issued.bearer, RefreshRequest::new()).await?;
    if !is_same(&pair, &again) {
        let message = "a retry within the grace period returned another pair".to_owned();
        return Err(Failure::BrokenPromise { message });
    }
    script.line(format_args!("Retry after a lost response: {}, with the same pair", again.case))?;
    Ok(Family { exchanged: issued.bearer, newest: pair.refresh.bearer })
}

fn is_same(one: &Refreshed, other: &Refreshed) -> bool {
    let text = |pair: &Refreshed| {
        [pair.access.bearer.expose().to_owned(), pair.refresh.bearer.expose().to_owned()]
    };
    text(one) == text(other)
}

async fn present_stolen(
    before: &Cursor,
    family: Family,
    manager: &TokenManager,
    script: &mut DemoScript<'_>,
) -> Result<(), Failure> {
    tokio::time::sleep(PAUSE_PAST_WINDOW).await;
    let thief = refused(manager, &family.exchanged).await?;
    script.line(format_args!("A thief presents the used token: {}", thief.code()))?;
    let owner = refused(manager, &family.newest).await?;
    script.line(format_args!("The owner is refused too: {}", owner.code()))?;
    let mut after = before.clone();
    // Skip events of other writers on the same store.
    loop {
        let page = manager.events(&after, 1_000).await?;
        let of_family =
            page.events.iter().filter(|(event, _)| event.token() == Some(thief.token()));
        for (event, _) in of_family {
            if let EventKind::ReuseDetected { .. } | EventKind::Revoked { .. } = event.what {
                script.line(format_args!("Event: {}", event.what.as_str()))?;
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
            let message = "a used refresh token was exchanged after the grace period".to_owned();
            Err(Failure::BrokenPromise { message })
        }
    }
}

/// Uses a store of its own: sealed records on another store would stay unreadable.
async fn seal(script: &mut DemoScript<'_>) -> Result<(), Failure> {
    let store = Arc::new(MemoryStore::new().map_err(Error::from)?);
    let ring = KeyRing::generate(SystemClock.now(), &OsRandom)?;
    let plain = TokenManager::builder(store.clone()).build();
    let sealed = TokenManager::builder(store.clone()).keys(&ring).build();
    let mut last = None;
    for (name, manager) in [("Without keys", &plain), ("Sealed", &sealed)] {
        let issued = manager.issue(Grant::new(Kind::Session).subject("user123")).await?;
        let record = store.load(issued.token.id).await.map_err(Error::from)?;
        let body = record.map(|record| record.body).unwrap_or_default();
        let finding = match body.windows(7).position(|bytes| bytes == b"user123") {
            Some(at) => format!("'user123' is readable at byte {at}"),
            None => "'user123' is not readable".to_owned(),
        };
        script.line(format_args!("{name}: {} bytes, {finding}", body.len()))?;
        last = Some(issued);
    }
    if let Some(issued) = last {
        let token = sealed.validate_active(&issued.bearer).await?;
        let subject = token.subject.as_ref().map_or("none", |subject| subject.as_str());
        script.line(format_args!("Read with keys: subject {subject}"))?;
        let without = plain.get(issued.token.id).await;
        let code = without.err().map_or_else(String::new, |error| error.code().to_owned());
        script.line(format_args!("Read without keys: {code}"))?;
    }
    plain.shutdown().await;
    sealed.shutdown().await;
    Ok(())
}

async fn limit(run: &str, settings: &Settings, script: &mut DemoScript<'_>) -> Result<(), Failure> {
    let open::OpenLimitStore { store, namespace, .. } = open::limits(settings).await?;
    let policy = LimitPolicy::new("demo", LimitBy::Subject, Rate::new(3, Ttl::from_mins(1))?)?;
    let limiter = Limiter::new(Limits::new(store).policy(policy)?, namespace);
    let limiter = limiter.metrics(&Metrics::global());
    let subject = Subject::new(format!("demo-{run}"))?;
    let request = LimitRequest::new().subject(&subject);
    for call in 1..=4 {
        let verdict = limiter.admit(&request).await.map_err(keyfob::Error::from)?;
        match verdict.retry_after() {
            None => {
                let left = verdict.decided_by().map_or(0, |status| status.remaining);
                script.line(format_args!("Call {call}: admitted, {left} left"))?;
            }
            Some(after) => {
                let secs = after.as_millis().div_ceil(1000);
                script.line(format_args!("Call {call}: refused, retry in {secs} s"))?;
            }
        }
    }
    Ok(())
}

/// Shows the counters of this run that are not zero, in the text format of Prometheus.
async fn count(manager: &TokenManager, script: &mut DemoScript<'_>) -> Result<(), Failure> {
    manager.shutdown().await;
    let text = metrics::start().text();
    let is_counter = |line: &&str| !line.starts_with('#') && line.contains("_total");
    let mut counted: Vec<&str> = text.lines().filter(is_counter).collect();
    counted.retain(|line| !line.ends_with(" 0"));
    counted.sort_unstable();
    counted.into_iter().try_for_each(|line| script.line(line))
}
