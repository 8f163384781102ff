//! `doctor`: checks the store, the clock and the settings.

use keyfob_api::FindingBody;

use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::table::Column;

const COLUMNS: [Column; 3] =
    [Column::whole("SEVERITY"), Column::wrap("WHAT"), Column::wrap("ADVICE")];

pub(super) async fn run(context: &mut Context) -> Result<(), Failure> {
    let report = context.backend.doctor().await?;
    let output = &mut context.output;
    if output.is_json() {
        output.object(&report)?;
    } else {
        output.line(format_args!("store: {}", crate::visible::visible(&report.store)))?;
        let rows = report.findings.iter().map(|FindingBody { severity, what, advice }| {
            vec![severity.clone(), what.clone(), advice.clone()]
        });
        output.rows(&COLUMNS, &rows.collect::<Vec<_>>())?;
    }
    if report.ok { Ok(()) } else { Err(Failure::AlreadyReported(Exit::Refused)) }
}
