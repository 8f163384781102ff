//! Tables for people, in the width of their terminal.
//!
//! | module | content |
//! |---|---|
//! | `column` | the heading of a column, and what becomes of it where there is not enough room |
//! | `fit` | the widths of the columns |
//!
//! A table that does not fit has one field on a line instead.

mod column;
mod fit;

use comfy_table::{Attribute, Cell, Color, ContentArrangement, presets};
use keyfob::TokenState;

use crate::visible::visible;
use column::Fit;
use fit::{GAP, cut};

pub(crate) use column::Column;

/// Renders rows under their headings. Without a width nothing is cut.
pub(crate) fn render(
    columns: &[Column],
    rows: &[Vec<String>],
    width: Option<usize>,
    colour: bool,
) -> String {
    let rows: Vec<Vec<_>> =
        rows.iter().map(|row| row.iter().map(|cell| visible(cell)).collect()).collect();
    match fit::widths(columns, &rows, width) {
        Some(widths) => table(columns, &rows, &widths, colour),
        None => records(columns, &rows),
    }
}

fn table(
    columns: &[Column],
    rows: &[Vec<impl AsRef<str>>],
    widths: &[usize],
    colour: bool,
) -> String {
    let mut table = comfy_table::Table::new();
    table.load_preset(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    // The widths of the columns say it all. Without one, the table asks the terminal.
    table.set_width(u16::MAX);
    if colour {
        table.enforce_styling();
    }
    table.set_header(columns.iter().map(|column| {
        let cell = Cell::new(column.heading);
        if colour { cell.add_attribute(Attribute::Bold) } else { cell }
    }));
    for row in rows {
        table.add_row(row.iter().zip(columns).zip(widths).map(|((text, column), width)| {
            let text = text.as_ref();
            let cell = match column.fit {
                Fit::Cut => Cell::new(cut(text, *width)),
                Fit::Whole | Fit::Wrap => Cell::new(text),
            };
            match colour_of(text).filter(|_| colour) {
                Some(colour) => cell.fg(colour),
                None => cell,
            }
        }));
    }
    for (index, width) in widths.iter().enumerate() {
        let gap = if index + 1 < widths.len() { GAP } else { 0 };
        if let Some(column) = table.column_mut(index) {
            column.set_padding((0, gap as u16));
            let width = u16::try_from(width + gap).unwrap_or(u16::MAX);
            column.set_constraint(comfy_table::ColumnConstraint::Absolute(
                comfy_table::Width::Fixed(width),
            ));
        }
    }
    table.trim_fmt()
}

/// One field on a line, with an empty line between rows.
fn records(columns: &[Column], rows: &[Vec<impl AsRef<str>>]) -> String {
    let name_width = columns.iter().map(|column| column.heading.len() + 1).max().unwrap_or(0);
    let record = |row: &Vec<_>| {
        let fields =
            columns.iter().zip(row).filter(|(_, text)| !str::is_empty(AsRef::as_ref(*text)));
        let lines = fields.map(|(column, text)| {
            let name = format!("{}:", column.heading.to_lowercase());
            format!("{name:name_width$} {}", AsRef::<str>::as_ref(text))
        });
        lines.collect::<Vec<_>>().join("\n")
    };
    rows.iter().map(record).collect::<Vec<_>>().join("\n\n")
}

fn colour_of(text: &str) -> Option<Color> {
    match text {
        "fault" => return Some(Color::Red),
        "warning" => return Some(Color::Yellow),
        "good" => return Some(Color::Green),
        _ => {}
    }
    text.parse().ok().map(|state| match state {
        TokenState::Active => Color::Green,
        TokenState::Pending => Color::Yellow,
        TokenState::Revoked => Color::Red,
        TokenState::Expired | TokenState::Exhausted => Color::DarkGrey,
    })
}

#[cfg(test)]
mod tests;
