//! `history`: shows the changes of one token.

use crate::args::HistoryArgs;
use crate::context::Context;
use crate::failure::Failure;
use crate::table::Column;

const COLUMNS: [Column; 4] =
    [Column::whole("AT"), Column::whole("WHAT"), Column::cut("BY"), Column::wrap("REASON")];

pub(super) async fn run(args: &HistoryArgs, context: &mut Context) -> Result<(), Failure> {
    let history = context.backend.history(args.id).await?;
    let output = &mut context.output;
    if output.is_json() {
        return history.iter().try_for_each(|entry| output.object(entry));
    }
    let dash = || "-".to_owned();
    let rows: Vec<_> = history
        .iter()
        .map(|entry| {
            vec![
                output.time(entry.at),
                entry.what.clone(),
                entry.by.as_ref().map_or_else(dash, ToString::to_string),
                entry.reason.as_ref().map_or_else(dash, ToString::to_string),
            ]
        })
        .collect();
    output.rows(&COLUMNS, &rows)
}
