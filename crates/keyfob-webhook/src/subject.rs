//! Subjects that a receiver has removed from its stream (SSF 1.0 section 8.1.3, RFC 9493).
//!
//! A stream has all subjects at first. One that was removed stands for itself, and for what has it as a part: a user
//! stands for each of its sessions. It never stands for more than it says, so a receiver that removes a
//! session still learns that everything of its user was revoked. By the words of the standard a member that is missing
//! matches everything. Here it does not: that would silence more than was asked for.

use serde_json::{Map, Value};

/// A subject as JSON.
pub type Subject = Map<String, Value>;

/// The maximum length of a subject in bytes.
pub const MAX_SUBJECT_BYTES: usize = 1024;
/// The maximum number of subjects that may be removed, and their maximum length together.
pub const MAX_REMOVED: usize = 500;
/// The maximum length of all subjects that are removed, in bytes.
pub const MAX_REMOVED_BYTES: usize = 24 * 1024;

/// Why a subject cannot be removed or added.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum InvalidSubject {
    /// It is no subject.
    #[error("a subject has a format and something that it names (RFC 9493)")]
    NotASubject,
    /// It is too long.
    #[error("the subject is too long: at most {MAX_SUBJECT_BYTES} bytes")]
    TooLong,
    /// There are too many.
    #[error("too many subjects are removed: add some, or do not ask for the signals")]
    TooMany,
}

/// Checks that something is a subject.
///
/// # Errors
/// [`InvalidSubject`] if it has no format, names nothing, or is too long.
pub fn check(subject: &Subject) -> Result<(), InvalidSubject> {
    let has_format =
        subject.get("format").and_then(Value::as_str).is_some_and(|format| !format.is_empty());
    if !has_format || subject.len() < 2 {
        return Err(InvalidSubject::NotASubject);
    }
    if is_complex(subject) && !members(subject).all(|(_, member)| member.is_object()) {
        return Err(InvalidSubject::NotASubject);
    }
    if length(subject) > MAX_SUBJECT_BYTES {
        return Err(InvalidSubject::TooLong);
    }
    Ok(())
}

/// Removes a subject. One that is removed already stays so.
///
/// # Errors
/// [`InvalidSubject`] if it is none, or there are too many.
pub fn remove(removed: &mut Vec<Subject>, subject: &Subject) -> Result<(), InvalidSubject> {
    check(subject)?;
    if removed.contains(subject) {
        return Ok(());
    }
    let bytes: usize = removed.iter().map(length).sum();
    if removed.len() >= MAX_REMOVED || bytes + length(subject) > MAX_REMOVED_BYTES {
        return Err(InvalidSubject::TooMany);
    }
    removed.push(subject.clone());
    Ok(())
}

/// Adds a subject again: nothing that was removed stands for it any longer.
///
/// # Errors
/// [`InvalidSubject`] if it is none.
pub fn add(removed: &mut Vec<Subject>, subject: &Subject) -> Result<(), InvalidSubject> {
    check(subject)?;
    removed.retain(|removed| !stands_for(removed, subject));
    Ok(())
}

/// Returns whether one of the subjects that were removed stands for the subject of a token.
pub fn is_removed(removed: &[Subject], subject: &Subject) -> bool {
    removed.iter().any(|removed| stands_for(removed, subject))
}

fn stands_for(removed: &Subject, subject: &Subject) -> bool {
    if removed == subject {
        return true;
    }
    match (is_complex(removed), is_complex(subject)) {
        (false, false) => false,
        // A part of it is the subject that was removed.
        (false, true) => members(subject).any(|(_, member)| member.as_object() == Some(removed)),
        (true, true) => members(removed).all(|(name, member)| subject.get(name) == Some(member)),
        (true, false) => {
            let mut all = members(removed);
            let first = all.next().and_then(|(_, member)| member.as_object());
            first == Some(subject) && all.next().is_none()
        }
    }
}

fn is_complex(subject: &Subject) -> bool {
    subject.get("format").and_then(Value::as_str) == Some("complex")
}

fn members(subject: &Subject) -> impl Iterator<Item = (&String, &Value)> {
    subject.iter().filter(|(name, _)| *name != "format")
}

fn length(subject: &Subject) -> usize {
    serde_json::to_vec(subject).map_or(usize::MAX, |text| text.len())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn subject(value: Value) -> Subject {
        value.as_object().unwrap().clone()
    }

    fn user(name: &str) -> Value {
        json!({ "format": "iss_sub", "iss": "https://a.example", "sub": name })
    }

    fn session(id: &str, name: &str) -> Subject {
        let session = json!({ "format": "opaque", "id": id });
        subject(json!({ "format": "complex", "session": session, "user": user(name) }))
    }

    #[test]
    fn a_user_stands_for_its_sessions_and_a_session_for_itself() {
        let mut removed = Vec::new();
        remove(&mut removed, &subject(user("alice"))).unwrap();
        remove(&mut removed, &session("s1", "bob")).unwrap();
        assert!(is_removed(&removed, &subject(user("alice"))));
        assert!(is_removed(&removed, &session("s0", "alice")));
        assert!(is_removed(&removed, &session("s1", "bob")));
        assert!(!is_removed(&removed, &session("s2", "bob")));
        assert!(!is_removed(&removed, &subject(user("bob"))), "all sessions of bob are more");
        let everything = json!({ "format": "complex", "tenant": { "format": "uri", "uri": "x" } });
        assert!(!is_removed(&removed, &subject(everything)));
    }

    #[test]
    fn a_subject_that_was_added_again_is_not_removed() {
        let as_member = subject(json!({ "format": "complex", "user": user("alice") }));
        let mut removed = Vec::new();
        remove(&mut removed, &as_member).unwrap();
        remove(&mut removed, &as_member).unwrap();
        assert_eq!(removed.len(), 1);
        assert!(is_removed(&removed, &session("s1", "alice")));
        add(&mut removed, &subject(user("alice"))).unwrap();
        assert!(removed.is_empty());
        add(&mut removed, &session("s1", "alice")).unwrap();
    }

    #[test]
    fn only_subjects_are_taken_and_not_too_many() {
        let mut removed = Vec::new();
        for odd in [
            json!({}),
            json!({ "format": "opaque" }),
            json!({ "format": 1, "id": "x" }),
            json!({ "format": "complex", "user": "alice" }),
        ] {
            assert_eq!(remove(&mut removed, &subject(odd)), Err(InvalidSubject::NotASubject));
        }
        let long = json!({ "format": "opaque", "id": "x".repeat(MAX_SUBJECT_BYTES) });
        assert_eq!(remove(&mut removed, &subject(long)), Err(InvalidSubject::TooLong));
        let of = |n: usize| subject(json!({ "format": "opaque", "id": n.to_string() }));
        let all: Result<(), _> = (0..=MAX_REMOVED).try_for_each(|n| remove(&mut removed, &of(n)));
        assert_eq!(all, Err(InvalidSubject::TooMany));
        assert!(removed.iter().map(length).sum::<usize>() <= MAX_REMOVED_BYTES);
    }
}
