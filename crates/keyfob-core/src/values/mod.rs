//! Values that are valid by construction: a value that exists has passed its checks.

pub mod bearer;
pub mod clock;
pub mod digest;
pub mod envelope;
pub mod error_class;
pub mod field;
pub mod id;
pub mod id_mac;
pub mod invalid;
pub mod json_place;
pub mod key_version;
pub mod kind;
pub mod limit_by;
pub mod monotonic;
pub mod names;
pub mod namespace;
pub mod operation;
pub mod random;
pub mod seal_fault;
mod serde_text;
pub mod stamp;
pub mod status_list;
pub mod store_error;
pub mod text;
pub mod time;
mod time_text;
pub mod visible;
