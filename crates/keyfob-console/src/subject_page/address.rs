//! Where the page of a subject is.

use crate::fields::below;

/// Returns the address of the page of a subject.
pub(super) fn address(subject: &str) -> String {
    below("/console/subjects", subject)
}
