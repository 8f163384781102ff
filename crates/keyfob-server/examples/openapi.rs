//! Writes the OpenAPI document of the service to standard output: `cargo xtask openapi` compares it with
//! the one in the repository.

#[expect(clippy::print_stdout, reason = "this is a command that people run")]
fn main() -> Result<(), serde_json::Error> {
    println!("{}", serde_json::to_string_pretty(&keyfob_server::openapi_document())?);
    Ok(())
}
