//! `limit`: charges a rate limit and shows each verdict, or shows its status.

use std::sync::Arc;

use keyfob::limit::{Ipv6Prefix, LeasedLimits, LimitStatus, LimitStore, Limiter};
use keyfob::store::Namespace;
use keyfob::{LimitBy, LimitPolicy, LimitRequest, LimitVerdict, Limits, Metrics, Ttl};
use serde::Serialize;

use crate::args::{CountedArgs, LimitAction, LimitArgs, LimitTestArgs, PolicyArgs, Settings};
use crate::failure::{Exit, Failure};
use crate::open;
use crate::output::Output;
use crate::table::Column;

const COLUMNS: [Column; 7] = [
    Column::whole("CALL"),
    Column::whole("VERDICT"),
    Column::cut("POLICY"),
    Column::whole("REMAINING"),
    Column::whole("LIMIT"),
    Column::whole("RESET AFTER"),
    Column::whole("RETRY AFTER"),
];

#[derive(Serialize)]
struct VerdictView<'a> {
    call: u32,
    admitted: bool,
    uncounted: bool,
    #[serde(flatten)]
    status: Option<LimitStatusView<'a>>,
}

/// The status of a limit. Times are in milliseconds; 0 means no wait.
#[derive(Serialize)]
struct LimitStatusView<'a> {
    policy: &'a str,
    by: &'static str,
    limit: u32,
    remaining: u32,
    reset_after_ms: u64,
    retry_after_ms: u64,
}

pub(super) async fn run(
    args: &LimitArgs,
    settings: &Settings,
    output: &mut Output,
) -> Result<(), Failure> {
    let policy = match &args.action {
        LimitAction::Test(args) => policy(&args.policy, false),
        LimitAction::Show(args) => policy(&args.policy, args.failed_attempts),
    }?;
    let open::OpenLimitStore { store, namespace, is_shared } = open::limits(settings).await?;
    if !is_shared {
        output.note(
            "limits_not_shared",
            "this store does not store limits. Each process counts for itself, from zero",
        );
    }
    match &args.action {
        LimitAction::Test(args) => test(args, policy, store, namespace, output).await,
        LimitAction::Show(args) => {
            let limiter = Limiter::new(limits(store, &args.policy)?.policy(policy)?, namespace);
            let limit_status = limiter
                .limit_status(&request(&args.policy.counted))
                .await
                .map_err(keyfob::Error::from)?;
            limit_status.iter().try_for_each(|status| show(status, output))
        }
    }
}

async fn test(
    args: &LimitTestArgs,
    policy: LimitPolicy,
    store: Arc<dyn LimitStore>,
    namespace: Namespace,
    output: &mut Output,
) -> Result<(), Failure> {
    let store = match args.lease {
        Some(lease) => Arc::new(LeasedLimits::new(store, lease)?.metrics(Metrics::global())),
        None => store,
    };
    let limiter = Limiter::new(limits(store, &args.policy)?.policy(policy)?, namespace);
    let limiter = limiter.metrics(&Metrics::global());
    let request = request(&args.policy.counted).cost(args.cost);
    let (mut refused, mut rows) = (0, Vec::new());
    for call in 1..=args.times {
        let verdict = limiter.admit(&request).await.map_err(keyfob::Error::from)?;
        refused += u32::from(!verdict.is_admitted());
        if output.is_json() {
            let (admitted, uncounted) = (verdict.is_admitted(), verdict.is_uncounted());
            let status = verdict.decided_by().map(LimitStatusView::of);
            output.object(&VerdictView { call, admitted, uncounted, status })?;
        } else {
            rows.push(row(call, &verdict));
        }
    }
    if !output.is_json() {
        output.rows(&COLUMNS, &rows)?;
    }
    if refused == 0 { Ok(()) } else { Err(Failure::AlreadyReported(Exit::Refused)) }
}

fn limits(store: Arc<dyn LimitStore>, args: &PolicyArgs) -> Result<Limits, Failure> {
    Ok(Limits::new(store).ipv6_prefix(Ipv6Prefix::new(args.ipv6_prefix)?))
}

fn policy(args: &PolicyArgs, failed_attempts: bool) -> Result<LimitPolicy, Failure> {
    let by = match args.counted {
        _ if failed_attempts => LimitBy::FailedAttempts,
        CountedArgs { token: Some(_), .. } => LimitBy::Token,
        CountedArgs { subject: Some(_), .. } => LimitBy::Subject,
        CountedArgs { client: Some(_), .. } => LimitBy::Client,
        _ => LimitBy::Ip,
    };
    let policy = LimitPolicy::new(args.name.clone(), by, args.rate)?;
    Ok(match args.burst {
        Some(burst) => policy.burst(burst)?,
        None => policy,
    })
}

fn request(args: &CountedArgs) -> LimitRequest<'_> {
    let mut request = LimitRequest::new();
    if let Some(token) = args.token {
        request = request.token(token);
    }
    if let Some(subject) = &args.subject {
        request = request.subject(subject);
    }
    if let Some(client) = &args.client {
        request = request.client(client);
    }
    if let Some(ip) = args.ip {
        request = request.ip(ip);
    }
    request
}

fn show(status: &LimitStatus, output: &mut Output) -> Result<(), Failure> {
    if output.is_json() {
        return output.object(&LimitStatusView::of(status));
    }
    output.fields(&[
        ("policy", status.name().to_string()),
        ("by", status.policy().by().as_str().to_owned()),
        ("rate", status.policy().rate().to_string()),
        ("limit", status.limit.to_string()),
        ("remaining", status.remaining.to_string()),
        ("reset after", time(status.reset_after)),
        ("retry after", time(status.retry_after)),
    ])
}

fn row(call: u32, verdict: &LimitVerdict) -> Vec<String> {
    let outcome = match (verdict.is_admitted(), verdict.is_uncounted()) {
        (true, true) => "uncounted",
        (true, false) => "admitted",
        (false, _) => "refused",
    };
    let mut row = vec![call.to_string(), outcome.to_owned()];
    if let Some(status) = verdict.decided_by() {
        row.extend([
            status.name().to_string(),
            status.remaining.to_string(),
            status.limit.to_string(),
            time(status.reset_after),
            time(verdict.retry_after()),
        ]);
    }
    row.resize(COLUMNS.len(), "-".to_owned());
    row
}

fn time(time: Option<Ttl>) -> String {
    time.map_or_else(|| "-".to_owned(), |time| time.to_string())
}

impl<'a> LimitStatusView<'a> {
    fn of(status: &'a LimitStatus) -> Self {
        let millis = |time: Option<Ttl>| time.map_or(0, Ttl::as_millis);
        Self {
            policy: status.name().as_str(),
            by: status.policy().by().as_str(),
            limit: status.limit,
            remaining: status.remaining,
            reset_after_ms: millis(status.reset_after),
            retry_after_ms: millis(status.retry_after),
        }
    }
}
