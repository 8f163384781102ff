//! Why a token is refused: demands that a service may make, and whether a token meets each of them.

mod demands;
mod form;
mod rules;

pub(crate) use demands::Demands;
pub(crate) use form::fields;
pub(crate) use rules::verdict;

use crate::trouble::Trouble;

/// Notes at its field that the server does not take a demand.
///
/// # Errors
/// If the trouble is another one.
pub(crate) fn note(demands: &mut Demands, trouble: Trouble) -> Result<(), Trouble> {
    let code = match &trouble {
        Trouble::Api(error) => error.code(),
        _ => "",
    };
    let field = match code {
        "unknown_chain" | "chain_widened" => "chain",
        _ => return Err(trouble),
    };
    let why = trouble.detail();
    demands.refuse(field, why);
    Ok(())
}
