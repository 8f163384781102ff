//! Verdicts on bearer tokens.

use keyfob_api::introspect::IntrospectionAnswer;
use keyfob_api::{
    ExplainAnswer, ExplainBody, IntrospectBody, SecretText, ValidateAnswer, ValidateBody,
};

use crate::client::Client;
use crate::error::Error;
use crate::request::Request;
use crate::retry::Repeat;

/// Checking bearer tokens.
impl Client {
    /// Returns the verdict on a bearer, with its token or the reason of the refusal
    /// (`POST /v1/validate`). A refusal is an answer and no error.
    ///
    /// # Errors
    /// If there is no verdict. Then do not accept the bearer.
    pub async fn validate(&self, demands: &ValidateBody) -> Result<ValidateAnswer, Error> {
        self.call(&Request::post("/v1/validate", demands, Repeat::Unsafe)?).await
    }

    /// Returns the verdicts on up to a thousand bearers, in their order.
    ///
    /// # Errors
    /// If there is no verdict on one of them.
    pub async fn validate_many(
        &self,
        demands: &[ValidateBody],
    ) -> Result<Vec<ValidateAnswer>, Error> {
        let request = Request::post("/v1/validate", &demands, Repeat::Unsafe)?;
        in_order(self.call(&request).await?, demands.len())
    }

    /// Returns every demand that a bearer, or the token of an id, does not meet (`POST /v1/explain`).
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn explain(&self, demands: &ExplainBody) -> Result<ExplainAnswer, Error> {
        self.call(&Request::post("/v1/explain", demands, Repeat::Safe)?).await
    }

    /// Introspects up to a thousand bearers (`POST /v1/introspect`), each as RFC 7662 section 2.2 has
    /// it, in their order.
    ///
    /// # Errors
    /// If it is not known of one of them.
    pub async fn introspect(
        &self,
        bearers: Vec<SecretText>,
    ) -> Result<Vec<IntrospectionAnswer>, Error> {
        let count = bearers.len();
        let body = IntrospectBody { tokens: bearers };
        let request = Request::post("/v1/introspect", &body, Repeat::Safe)?;
        in_order(self.call(&request).await?, count)
    }
}

/// Checks that there is one answer for each question: otherwise one would be taken for another's.
fn in_order<T>(answers: Vec<T>, expected: usize) -> Result<Vec<T>, Error> {
    if answers.len() == expected {
        return Ok(answers);
    }
    let text = format!("{} answers to {expected} questions", answers.len());
    Err(Error::UnexpectedAnswer(text))
}
