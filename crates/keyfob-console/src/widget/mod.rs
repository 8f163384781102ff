//! How the values of keyfob look on a page.

pub(crate) mod alert;
pub(crate) mod call;
pub(crate) mod device;
pub(crate) mod facts;
pub(crate) mod field;
pub(crate) mod key;
pub(crate) mod owner;
pub(crate) mod staleness;
pub(crate) mod text;
pub(crate) mod time;
pub(crate) mod token;
pub(crate) mod words;
