//! The widths of the columns of a table.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::column::{Column, Fit};

/// The number of spaces between two columns.
pub(super) const GAP: usize = 2;

/// The minimum width of a column that is cut.
const MIN_CUT: usize = 8;

/// The minimum width of a column that is broken into lines.
const MIN_WRAP: usize = 24;

/// Returns the widths that the columns have on a terminal of this width. `None` if they do not fit on it.
pub(super) fn widths(
    columns: &[Column],
    rows: &[Vec<impl AsRef<str>>],
    terminal: Option<usize>,
) -> Option<Vec<usize>> {
    let full: Vec<usize> = columns
        .iter()
        .enumerate()
        .map(|(index, column)| {
            let cells = rows.iter().filter_map(|row| row.get(index));
            let cells = cells.map(|cell| cell.as_ref().width());
            cells.chain([column.heading.width()]).max().unwrap_or(0)
        })
        .collect();
    let Some(terminal) = terminal else { return Some(full) };
    let mut widths: Vec<usize> = columns
        .iter()
        .zip(&full)
        .map(|(column, full)| match column.fit {
            Fit::Whole => *full,
            Fit::Cut => MIN_CUT.max(column.heading.width()).min(*full),
            Fit::Wrap => MIN_WRAP.max(column.heading.width()).min(*full),
        })
        .collect();
    let gaps = GAP * columns.len().saturating_sub(1);
    let mut left = terminal.checked_sub(gaps + widths.iter().sum::<usize>())?;
    // Column by column, the narrowest first, so that a long one leaves room for the others.
    while 0 < left {
        let growing = widths.iter_mut().zip(&full).filter(|(width, full)| **width < **full);
        let Some((narrowest, _)) = growing.min_by_key(|(width, _)| **width) else { break };
        *narrowest += 1;
        left -= 1;
    }
    Some(widths)
}

/// Cuts a text to a width, with `…` in place of the end that does not fit.
pub(super) fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut used = 1;
    let fits = |c: &char| {
        used += c.width().unwrap_or(0);
        used <= width
    };
    let mut start: String = text.chars().take_while(fits).collect();
    start.push('…');
    start
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_text_has_at_most_the_width() {
        for (text, width, expected) in [
            ("", 8, ""),
            ("12345678", 8, "12345678"),
            ("123456789", 8, "1234567…"),
            ("日本語日本", 8, "日本語…"),
            ("日本語日", 8, "日本語日"),
            ("ab", 1, "…"),
        ] {
            let cut = cut(text, width);
            assert_eq!(cut, expected);
            assert!(cut.width() <= width);
        }
    }

    #[test]
    fn a_column_gets_the_room_that_is_left() {
        let columns = [Column::whole("ID"), Column::cut("A"), Column::cut("B")];
        let row = |a: usize, b: usize| vec!["x".repeat(10), "x".repeat(a), "x".repeat(b)];
        let of = |row: Vec<String>, terminal| widths(&columns, &[row], terminal);
        assert_eq!(of(row(50, 50), None), Some(vec![10, 50, 50]));
        assert_eq!(of(row(50, 50), Some(200)), Some(vec![10, 50, 50]));
        assert_eq!(of(row(50, 50), Some(54)), Some(vec![10, 20, 20]));
        assert_eq!(of(row(3, 50), Some(54)), Some(vec![10, 3, 37]));
        assert_eq!(of(row(50, 50), Some(30)), Some(vec![10, 8, 8]));
        assert_eq!(of(row(50, 50), Some(29)), None);
        assert_eq!(of(row(1, 1), Some(16)), Some(vec![10, 1, 1]));
        assert_eq!(of(row(1, 1), Some(0)), None);
    }
}
