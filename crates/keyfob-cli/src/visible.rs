//! Makes untrusted text safe to show on a terminal. Tables, plain text, errors and the caret of a
//! filter escape the same characters. JSON has the text itself.

pub(crate) use keyfob::values::escape_invisible as visible;
