//! The states of a token, with the path that one token took.
//!
//! ```text
//!  ┌─────────┐            ┌─────────┐
//!  │ pending │ ─────────▶ │ expired │
//!  └────┬────┘          ┌▶└─────────┘
//!       ▼               │
//!  ┌─────────┐ ─────────┘ ┌───────────┐
//!  │ active  │ ─────────▶ │ exhausted │
//!  └─────────┘ ─────────┐ └───────────┘
//!                       └▶┌─────────┐
//!   (pending) ──────────▶ │ revoked │
//!                         └─────────┘
//! ```

use keyfob_core::TokenState;
use maud::{Markup, html};

use crate::widget::token::sign;

/// A state that a token has or had, and since when in a few words.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Step {
    pub(crate) state: TokenState,
    pub(crate) since: Option<String>,
}

const WIDTH: u32 = 124;
const HEIGHT: u32 = 44;
const LEFT: u32 = 24;
const RIGHT: u32 = 212;

/// The arrows between states: from, to, the line, and where its head is.
const ARROWS: [(TokenState, TokenState, &str, Head); 6] = {
    use TokenState::{Active, Exhausted, Expired, Pending, Revoked};
    [
        (Pending, Active, "M86 54V106", Head::Down(86, 108)),
        (Pending, Expired, "M148 32H210", Head::Right(212, 32)),
        (Pending, Revoked, "M24 32H8V232H210", Head::Right(212, 232)),
        (Active, Expired, "M148 118C184 112 176 46 210 44", Head::Right(212, 44)),
        (Active, Exhausted, "M148 130H210", Head::Right(212, 130)),
        (Active, Revoked, "M148 142C184 148 176 216 210 218", Head::Right(212, 218)),
    ]
};

#[derive(Clone, Copy)]
enum Head {
    Right(u32, u32),
    Down(u32, u32),
}

/// Draws the states of a token with the path that it took. The last step is the state that it has.
pub(crate) fn draw(steps: &[Step], description: &str) -> Markup {
    let was_taken =
        |from, to| steps.windows(2).any(|two| two[0].state == from && two[1].state == to);
    html! {
        svg.machine viewBox="0 0 344 264" width="344" height="264" role="img" aria-label=(description) {
            // Arrows that were taken lie above the others.
            @for wanted in [false, true] {
                @for (from, to, line, head) in ARROWS {
                    @if was_taken(from, to) == wanted {
                        g class=(if wanted { "arrow went" } else { "arrow" }) {
                            path.line d=(line) {}
                            path.head d=(head_at(head)) {}
                        }
                    }
                }
            }
            @for state in TokenState::ALL { (state_box(state, steps)) }
        }
    }
}

fn state_box(state: TokenState, steps: &[Step]) -> Markup {
    let step = steps.iter().find(|step| step.state == state);
    let is_here = steps.last().is_some_and(|last| last.state == state);
    let class = match (is_here, step) {
        (true, _) => "box here",
        (false, Some(_)) => "box went",
        (false, None) => "box",
    };
    let (x, y) = place(state);
    let since = step.and_then(|step| step.since.as_deref());
    let name_y = if since.is_some() { y + 19 } else { y + 27 };
    html! {
        g class=(class) data-state=(state.as_str()) {
            rect x=(x) y=(y) width=(WIDTH) height=(HEIGHT) rx="6" {}
            text x=(x + WIDTH / 2) y=(name_y) text-anchor="middle" { (sign(state)) " " (state.as_str()) }
            @if let Some(since) = since {
                text.since x=(x + WIDTH / 2) y=(y + 35) text-anchor="middle" { (since) }
            }
        }
    }
}

fn place(state: TokenState) -> (u32, u32) {
    match state {
        TokenState::Pending => (LEFT, 10),
        TokenState::Active => (LEFT, 108),
        TokenState::Expired => (RIGHT, 10),
        TokenState::Exhausted => (RIGHT, 108),
        TokenState::Revoked => (RIGHT, 206),
    }
}

fn head_at(head: Head) -> String {
    match head {
        Head::Right(x, y) => format!("M{} {}L{x} {y}L{} {}Z", x - 9, y - 5, x - 9, y + 5),
        Head::Down(x, y) => format!("M{} {}L{x} {y}L{} {}Z", x - 5, y - 9, x + 5, y - 9),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(state: TokenState) -> Step {
        Step { state, since: Some("2 h ago".to_owned()) }
    }

    #[test]
    fn the_path_is_marked_and_only_the_path() {
        let drawn = draw(&[step(TokenState::Active), step(TokenState::Revoked)], "x").into_string();
        assert_eq!(drawn.matches("arrow went").count(), 1);
        assert_eq!(drawn.matches("\"box here\" data-state=\"revoked\"").count(), 1);
        assert_eq!(drawn.matches("\"box went\" data-state=\"active\"").count(), 1);
        assert_eq!(drawn.matches("\"box\"").count(), 3);
    }

    #[test]
    fn each_step_between_states_has_an_arrow() {
        use TokenState::*;
        for steps in [
            vec![Pending, Active, Exhausted],
            vec![Pending, Active, Expired],
            vec![Pending, Expired],
            vec![Pending, Revoked],
        ] {
            let steps: Vec<_> = steps.into_iter().map(step).collect();
            let drawn = draw(&steps, "x").into_string();
            assert_eq!(drawn.matches("arrow went").count(), steps.len() - 1);
        }
    }
}
