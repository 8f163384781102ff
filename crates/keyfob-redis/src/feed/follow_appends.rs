//! Has the servers tell of new entries of the event log, while somebody follows it.
//!
//! On a connection of its own to each primary, a server remembers which streams were read (`CLIENT TRACKING`
//! without `BCAST`), and pushes the name of a stream once when it changes. So an issue costs nothing more
//! while nobody follows, and one push for each follower that has read the stream since. The stream is read
//! again before the followers of this process are woken: what is appended after that is pushed again.
//!
//! A connection may be dead without notice, so a stream is read regularly. Without an answer the followers are
//! woken, and read the log themselves again and again.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::try_join_all;
use keyfob_store::{Lane, StoreError};
use redis::{Pipeline, PushInfo, PushKind, Value};
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

use super::appends::Appends;
use super::context::FeedContext;
use crate::config::Address;
use crate::connections::{CallError, Connection};

/// The pause before the servers are asked again after a failure.
const RETRY_PAUSE: Duration = Duration::from_secs(1);

/// How often it is checked which server has each lane, and that somebody follows.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// How often a quiet connection is used, and how long an answer may take. A follower is notified within a second,
/// and so is the loss of a connection.
const PROBE_INTERVAL: Duration = Duration::from_millis(500);
const PROBE_LIMIT: Duration = Duration::from_millis(400);

/// The minimum time between two rounds. While more is appended, followers read whole pages.
const MIN_ROUND: Duration = Duration::from_millis(20);

/// The lanes of each primary, by its address.
type Servers = BTreeMap<String, (Address, Vec<Lane>)>;

/// The lanes whose stream has changed since it was read.
#[derive(Debug, Default)]
struct Changed {
    lanes: Mutex<BTreeSet<Lane>>,
    added: Notify,
}

/// Wakes the followers when it is dropped, also with its runtime: nobody is notified any more.
struct EndOnDrop<'a>(&'a Appends);

impl Drop for EndOnDrop<'_> {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// Wakes followers until it is dropped.
pub(crate) async fn follow_appends(context: FeedContext) {
    let appends = &context.feed.appends;
    let _end = EndOnDrop(appends);
    loop {
        appends.wanted().await;
        if let Err(error) = follow(&context).await {
            tracing::debug!(%error, "new events are not told, so followers ask for them");
        }
        appends.end();
        sleep(RETRY_PAUSE).await;
    }
}

/// Follows until nobody wants it any more, or something fails.
async fn follow(context: &FeedContext) -> Result<(), StoreError> {
    let servers = servers(context).await?;
    let missing = AtomicUsize::new(servers.len());
    let each =
        servers.values().map(|(address, lanes)| follow_server(context, address, lanes, &missing));
    tokio::select! {
        failed = try_join_all(each) => failed.map(drop),
        checked = check(context, &servers) => checked,
    }
}

async fn servers(context: &FeedContext) -> Result<Servers, StoreError> {
    let lanes: Vec<_> = context.lane_count.lanes().collect();
    let slots: Vec<_> = lanes.iter().map(|lane| context.keys.slot(*lane)).collect();
    let primaries = context.connections.primaries_of(&slots).await?;
    let mut servers = Servers::new();
    for (lane, primary) in lanes.into_iter().zip(primaries) {
        let (_, lanes) = servers.entry(primary.to_string()).or_insert((primary, Vec::new()));
        lanes.push(lane);
    }
    Ok(servers)
}

/// Returns when nobody follows any more, and fails when a lane is elsewhere.
async fn check(context: &FeedContext, followed: &Servers) -> Result<(), StoreError> {
    loop {
        sleep(CHECK_INTERVAL).await;
        if !context.feed.appends.is_wanted() {
            return Ok(());
        }
        if servers(context).await? != *followed {
            return Err(StoreError::unavailable("a lane has another primary now"));
        }
    }
}

/// Follows the streams of one server. `missing` counts the servers that do not tell of entries yet.
async fn follow_server(
    context: &FeedContext,
    address: &Address,
    lanes: &[Lane],
    missing: &AtomicUsize,
) -> Result<Infallible, StoreError> {
    let changed = Arc::new(Changed::default());
    let connection = connect(context, address, lanes, &changed).await?;
    read_newest(context, &connection, lanes).await?;
    missing.fetch_sub(1, Ordering::Relaxed);
    let mut is_round_due = true;
    loop {
        // The other servers begin the first round if they are later.
        if is_round_due && missing.load(Ordering::Relaxed) == 0 {
            context.feed.appends.begin_round();
        }
        sleep(MIN_ROUND).await;
        let due = match timeout(PROBE_INTERVAL, changed.added.notified()).await {
            Ok(()) => changed.take(),
            Err(_) => Vec::new(),
        };
        is_round_due = !due.is_empty();
        let probe = lanes.get(..1).unwrap_or_default();
        read_newest(context, &connection, if is_round_due { &due } else { probe }).await?;
        if context.connections.leads_elsewhere(&connection) {
            return Err(StoreError::unavailable("the address leads to another server now"));
        }
    }
}

/// Connects, and has the server tell of changes of what is read from then on.
async fn connect(
    context: &FeedContext,
    address: &Address,
    lanes: &[Lane],
    changed: &Arc<Changed>,
) -> Result<Connection, StoreError> {
    let lane_of: HashMap<_, _> =
        lanes.iter().map(|lane| (context.keys.events(*lane), *lane)).collect();
    let changed = Arc::clone(changed);
    let pushed = move |push: PushInfo| {
        if push.kind == PushKind::Invalidate {
            changed.add(&push, &lane_of);
        }
        Ok::<_, ()>(())
    };
    let connection = context.connections.listen(address, pushed).await?;
    let mut tracking = redis::cmd("CLIENT");
    tracking.arg("TRACKING").arg("ON");
    let tracked = connection.send(&tracking, context.response_timeout).await;
    tracked.map_err(CallError::into_error)?;
    Ok(connection)
}

/// Reads the newest entry of each lane, so that the server tells of the next one.
async fn read_newest(
    context: &FeedContext,
    connection: &Connection,
    lanes: &[Lane],
) -> Result<(), StoreError> {
    let mut pipeline = Pipeline::new();
    for lane in lanes {
        let stream = context.keys.events(*lane);
        pipeline.cmd("XREVRANGE").arg(stream).arg("+").arg("-").arg("COUNT").arg(1);
    }
    let answers = connection.send_all(&pipeline, PROBE_LIMIT).await;
    for answer in answers.map_err(CallError::into_error)? {
        connection.check(answer).map_err(CallError::into_error)?;
    }
    Ok(())
}

impl Changed {
    /// Adds the lanes whose streams a push names. A push that cannot be read may be of any.
    fn add(&self, push: &PushInfo, lane_of: &HashMap<Vec<u8>, Lane>) {
        let lane = |name: &Value| match name {
            Value::BulkString(name) => lane_of.get(name).copied(),
            _ => None,
        };
        let named: Option<Vec<Lane>> = match push.data.as_slice() {
            [Value::Array(names)] => names.iter().map(lane).collect(),
            _ => None,
        };
        let named = named.unwrap_or_else(|| lane_of.values().copied().collect());
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner).extend(named);
        self.added.notify_one();
    }

    fn take(&self) -> Vec<Lane> {
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *lanes).into_iter().collect()
    }
}
