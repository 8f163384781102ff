//! What the terminal on stdout can show.

/// The width where the terminal does not have a believable one.
const DEFAULT_WIDTH: usize = 80;

/// The minimum width that is believed. Terminals of build servers and of `docker run -t` say 0, and no
/// person reads a narrower one.
const MIN_WIDTH: usize = 20;

/// Returns the width in columns of the terminal on stdout. The variable `COLUMNS` overrides what the terminal
/// says.
pub(crate) fn width() -> usize {
    let variable = std::env::var("COLUMNS").ok().and_then(|text| text.trim().parse().ok());
    let terminal = terminal_size::terminal_size_of(std::io::stdout());
    believable([variable, terminal.map(|(width, _)| usize::from(width.0))])
}

/// Whether colours may be used: neither `NO_COLOR` (<https://no-color.org>) nor `TERM=dumb` is set.
pub(crate) fn has_colours() -> bool {
    let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    !refused && std::env::var_os("TERM").is_none_or(|terminal| terminal != "dumb")
}

/// The first width that a terminal can have.
fn believable<const N: usize>(widths: [Option<usize>; N]) -> usize {
    widths.into_iter().flatten().find(|width| MIN_WIDTH <= *width).unwrap_or(DEFAULT_WIDTH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_absurd_width_is_not_believed() {
        assert_eq!(believable([None, None]), 80);
        assert_eq!(believable([None, Some(0)]), 80);
        assert_eq!(believable([Some(0), Some(1)]), 80);
        assert_eq!(believable([Some(3), Some(132)]), 132);
        assert_eq!(believable([Some(50), Some(132)]), 50);
        assert_eq!(believable([None, Some(20)]), 20);
    }
}
