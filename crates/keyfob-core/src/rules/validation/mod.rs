//! The validation chain: the requirements of a service on a token, and the typed refusal if the
//! token does not meet one.
//!
//! # Order
//! A chain checks a token in this order, and stops at the first requirement that is not met:
//!
//! 1. **integrity** and **state**: damaged, revoked, exhausted, expired, pending. The clock skew
//!    applies to expiry and to not-before alike.
//! 2. **kind**
//! 3. **issuer**
//! 4. **audience**
//! 5. **scopes**: those that are all required, then those of which any one is
//! 6. **age** since the token was issued
//! 7. **claims** that are required
//! 8. **device** that the token is bound to
//! 9. **key** that the token is bound to, of which the request must have a proof
//! 10. **rules** of the application, in the order in which they were added
//!
//! The state comes first because nothing else matters for a token that is not active. Cheap
//! comparisons come before the rules of an application, which may wait for something.
//!
//! A requirement that was not set is not checked. A requirement that was set refuses a token that
//! lacks the attribute: empty never means any. Only the key is checked without being asked for: a token
//! that is bound to one is of no use to a thief.

mod attributes;
mod chain;
mod evaluate;
mod refusal;
mod rule;

pub use attributes::TokenAttributes;
pub use chain::{Consistency, DeviceBinding, KeyBinding, ValidationChain};
pub use refusal::Refusal;
pub use rule::{Denied, Presentation, PresentedBy, Rule};

#[cfg(test)]
mod tests;
