//! Traces of requests.
//!
//! | module | content |
//! |---|---|
//! | `otlp` | sends them to a collector of OpenTelemetry; with the feature `otlp` |
//! | `none` | refuses a collector; without the feature |

#[cfg(not(feature = "otlp"))]
mod none;
#[cfg(feature = "otlp")]
mod otlp;

#[cfg(not(feature = "otlp"))]
pub(crate) use none::{continue_trace, start};
#[cfg(feature = "otlp")]
pub(crate) use otlp::{continue_trace, start};
