//! The validation chain: what a service demands of a token, and the typed refusal when it is not
//! met.
//!
//! # Order
//! A chain looks at a token in this order and stops at the first demand that is not met:
//!
//! 1. **integrity** and **state**: damaged, revoked, exhausted, expired, pending; with the clock
//!    skew applied to expiry and to not-before alike
//! 2. **kind**
//! 3. **issuer**
//! 4. **audience**
//! 5. **scopes**: all of some, any of others
//! 6. **age** since it was issued
//! 7. **claims** that must be there
//! 8. **device** that it is bound to
//! 9. **rules** of the application, in the order in which they were added
//!
//! State comes first because nothing else that a dead token says matters; cheap comparisons come
//! before an application's rules, which may wait for something.
//!
//! A demand that is not made is not checked. A demand that is made refuses a token that has nothing
//! to meet it with: empty never means any.

mod chain;
mod refusal;
mod rule;

pub use chain::TokenAttributes;
pub use chain::{Consistency, DeviceBinding, ValidationChain};
pub use refusal::Refusal;
pub use rule::{Denied, Presentation, Rule};

#[cfg(test)]
mod tests;
