//! What is answered: JSON, and the failures in the form that the caller of a route expects.
//!
//! | module | content |
//! |---|---|
//! | `failure` | why a request is not done: one value, made from every error |
//! | `codes` | the codes of problem documents |
//! | `render` | the failure as an error of OAuth or as a problem document |
//! | `json` | answers that are not failures |

pub(crate) mod codes;
pub(crate) mod failure;
pub(crate) mod json;
pub(crate) mod render;
