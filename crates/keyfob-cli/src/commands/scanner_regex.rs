//! `scanner-regex`: prints the pattern of bearers for a secret scanner.

use keyfob::BearerPrefix;
use serde_json::json;

use crate::failure::Failure;
use crate::output::Output;

pub(super) fn run(prefix: &BearerPrefix, output: &mut Output) -> Result<(), Failure> {
    let regex = prefix.scanner_regex();
    if output.is_json() {
        output.object(&json!({ "prefix": prefix.as_str(), "regex": regex }))?;
    } else {
        output.line(regex)?;
    }
    output.flush()
}
