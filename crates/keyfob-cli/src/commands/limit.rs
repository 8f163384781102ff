//! `limit`: charges a rate limit and shows each verdict, or shows its status.

use keyfob::Ttl;
use keyfob_api::{CountedBody, LimitStatusBody, LimitVerdictBody, NamedLimit, TestLimitBody};
use keyfob_server::limit_trial::LimitTrial;
use serde::Serialize;

use crate::args::{
    CountedArgs, LimitAction, LimitArgs, LimitTestArgs, Place, PolicyArgs, Settings,
};
use crate::backend::LimitBackend;
use crate::failure::{Exit, Failure};
use crate::open;
use crate::output::Output;
use crate::server_url;
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
    status: Option<&'a LimitStatusBody>,
}

pub(super) async fn run(
    args: &LimitArgs,
    settings: &Settings,
    output: &mut Output,
) -> Result<(), Failure> {
    let backend = match settings.place()? {
        Place::Server(url) => LimitBackend::Server(server_url::client(url, &settings.server)?),
        Place::Store => {
            let open::OpenLimitStore { store, namespace, is_shared } =
                open::limits(settings).await?;
            if !is_shared {
                output.note(
                    "limits_not_shared",
                    "this store does not store limits. Each process counts for itself, from zero",
                );
            }
            LimitBackend::Store(Box::new(LimitTrial::new(store, namespace)))
        }
    };
    match &args.action {
        LimitAction::Test(args) => test(args, &backend, output).await,
        LimitAction::Show(args) => {
            let limit = limit(&args.policy, args.failed_attempts)?;
            let status = backend.status(&limit).await?;
            status.iter().try_for_each(|status| show(status, &args.policy, output))
        }
    }
}

async fn test(
    args: &LimitTestArgs,
    backend: &LimitBackend,
    output: &mut Output,
) -> Result<(), Failure> {
    let limit = limit(&args.policy, false)?;
    let (cost, times, lease) = (args.cost, args.times, args.lease);
    let wanted = TestLimitBody { limit, cost, times, lease };
    let (mut call, mut refused, mut rows) = (0, 0, Vec::new());
    let each = |verdicts: Vec<LimitVerdictBody>| {
        for verdict in verdicts {
            call += 1;
            refused += u32::from(!verdict.admitted);
            if output.is_json() {
                let LimitVerdictBody { admitted, uncounted, status } = &verdict;
                let (admitted, uncounted) = (*admitted, *uncounted);
                let status = status.as_ref();
                output.object(&VerdictView { call, admitted, uncounted, status })?;
            } else {
                rows.push(row(call, &verdict));
            }
        }
        Ok(())
    };
    backend.charge(&wanted, each).await?;
    if !output.is_json() {
        output.rows(&COLUMNS, &rows)?;
    }
    if refused == 0 { Ok(()) } else { Err(Failure::AlreadyReported(Exit::Refused)) }
}

fn limit(args: &PolicyArgs, failed_attempts: bool) -> Result<NamedLimit, Failure> {
    let counted = match &args.counted {
        CountedArgs { ip: Some(ip), .. } if failed_attempts => CountedBody::FailedAttempts(*ip),
        CountedArgs { token: Some(token), .. } => CountedBody::Token(*token),
        CountedArgs { subject: Some(subject), .. } => CountedBody::Subject(subject.clone()),
        CountedArgs { client: Some(client), .. } => CountedBody::Client(client.clone()),
        CountedArgs { ip: Some(ip), .. } => CountedBody::Ip(*ip),
        _ => {
            let message = "name what is counted".to_owned();
            return Err(Failure::Usage { code: "usage", message, details: String::new() });
        }
    };
    Ok(NamedLimit {
        name: args.name.clone(),
        rate: args.rate.to_string(),
        burst: args.burst,
        ipv6_prefix: Some(args.ipv6_prefix),
        counted,
    })
}

fn show(status: &LimitStatusBody, policy: &PolicyArgs, output: &mut Output) -> Result<(), Failure> {
    if output.is_json() {
        return output.object(status);
    }
    output.fields(&[
        ("policy", status.policy.clone()),
        ("by", status.by.clone()),
        ("rate", policy.rate.to_string()),
        ("limit", status.limit.to_string()),
        ("remaining", status.remaining.to_string()),
        ("reset after", time(status.reset_after_ms)),
        ("retry after", time(status.retry_after_ms)),
    ])
}

fn row(call: u32, verdict: &LimitVerdictBody) -> Vec<String> {
    let outcome = match (verdict.admitted, verdict.uncounted) {
        (true, true) => "uncounted",
        (true, false) => "admitted",
        (false, _) => "refused",
    };
    let mut row = vec![call.to_string(), outcome.to_owned()];
    if let Some(status) = &verdict.status {
        row.extend([
            status.policy.clone(),
            status.remaining.to_string(),
            status.limit.to_string(),
            time(status.reset_after_ms),
            time(status.retry_after_ms),
        ]);
    }
    row.resize(COLUMNS.len(), "-".to_owned());
    row
}

/// A time in milliseconds as text. 0 means none.
fn time(millis: u64) -> String {
    let time = Ttl::from_millis(millis).ok().filter(|_| millis > 0);
    time.map_or_else(|| "-".to_owned(), |time| time.to_string())
}
