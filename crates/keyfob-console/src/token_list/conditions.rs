//! The conditions of a filter, one by one, as they were written.

/// Returns the conditions of a filter as they were written: words between spaces that are not in quotes.
pub(crate) fn conditions(filter: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let (mut start, mut is_quoted, mut is_escaped) = (None, false, false);
    for (at, c) in filter.char_indices() {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' if is_quoted => is_escaped = true,
            '"' => {
                is_quoted = !is_quoted;
                start.get_or_insert(at);
            }
            ' ' if !is_quoted => found.extend(start.take().map(|start| &filter[start..at])),
            _ => {
                start.get_or_insert(at);
            }
        }
    }
    found.extend(start.map(|start| &filter[start..]));
    found
}

/// Returns a filter without one of its conditions.
pub(crate) fn without(conditions: &[&str], removed: usize) -> String {
    let kept = conditions.iter().enumerate().filter(|(n, _)| *n != removed);
    kept.map(|(_, condition)| *condition).collect::<Vec<_>>().join(" ")
}

/// Returns a filter with one more condition. Another condition with the same key is replaced.
pub(crate) fn with(conditions: &[&str], added: &str) -> String {
    let key = added.split(':').next().unwrap_or_default();
    let others = conditions.iter().filter(|known| known.split(':').next() != Some(key));
    others.copied().chain([added]).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quoted_space_does_not_end_a_condition() {
        let filter = r#"subject:"Jane \"J\" Doe"  state:active label:a="b c""#;
        let found = conditions(filter);
        assert_eq!(found, [r#"subject:"Jane \"J\" Doe""#, "state:active", r#"label:a="b c""#]);
        assert_eq!(without(&found, 1), r#"subject:"Jane \"J\" Doe" label:a="b c""#);
        assert!(conditions("  ").is_empty());
    }

    #[test]
    fn a_condition_replaces_one_of_the_same_key() {
        assert_eq!(with(&["state:active", "tag:x"], "state:revoked"), "tag:x state:revoked");
    }
}
