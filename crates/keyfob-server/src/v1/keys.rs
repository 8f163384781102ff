//! The keys that seal the store: which there are, sealing again under the active one, and the end of one.

use crate::call::Call;
use crate::respond::failure::Failure;
use crate::respond::json::Answer;

#[cfg(feature = "seal")]
mod sealed {
    use keyfob::Error;
    use keyfob::manager::{PageCursor, ResealProgress as Done};
    use keyfob::seal::{KeyInfo, KeyVersion};
    use keyfob_api::revoke::ProgressState;
    use keyfob_api::{Problem, ResealBody, ResealProgress, RetireKeyBody, RetiredKeyBody};

    use super::super::input::body;
    use super::super::parameters::COUNT;
    use super::super::progress;
    use super::{Answer, Call, Failure, no_keys};
    use crate::bodies;
    use crate::respond::json;

    /// Returns the keys of the ring. The only error is that the server has none.
    fn ring(call: &Call) -> Result<Vec<KeyInfo>, Failure> {
        let none = "the store is not sealed: to seal it, make a ring with keyfob keys generate, and give it to \
                    the server";
        call.manager().keys().map_err(|_| no_keys(none))
    }

    pub(super) async fn list(call: &Call) -> Answer {
        let manager = call.manager();
        let infos = ring(call)?;
        let counts = match call.query.flag(&COUNT)? {
            true => Some(manager.count_by_key().await?),
            false => None,
        };
        json::ok(&bodies::keys(infos, counts.as_ref()))
    }

    pub(super) fn reseal(call: &Call) -> Answer {
        let ResealBody { resume } = body(call)?;
        ring(call)?;
        let mut run = call.manager().reseal()?;
        if let Some(cursor) = resume {
            run = run.resume(cursor.parse::<PageCursor>()?);
        }
        let request_id = call.request_id.clone();
        Ok(progress::stream(|lines| async move {
            match run.run(|done| lines.send(&line(ProgressState::Running, done, None))).await {
                Ok(done) => line(ProgressState::Done, &done, None),
                Err(error) => {
                    let problem = Failure::from(error).problem(&request_id);
                    line(ProgressState::Failed, run.progress(), Some(Box::new(problem)))
                }
            }
        }))
    }

    fn line(state: ProgressState, done: &Done, error: Option<Box<Problem>>) -> ResealProgress {
        ResealProgress {
            state,
            resealed: done.resealed,
            examined: done.examined,
            unreadable: done.unreadable,
            under: done.by_key.iter().map(|(key, count)| (key.value(), *count)).collect(),
            resume: done.resume.cursor().as_ref().map(ToString::to_string),
            error,
        }
    }

    pub(super) async fn retire(call: &Call) -> Answer {
        let RetireKeyBody { version } = body(call)?;
        ring(call)?;
        match call.manager().refuse_key(KeyVersion::new(version)).await {
            Ok(()) => json::ok(&RetiredKeyBody { version }),
            // The key is in use: a conflict, and no fault of the server.
            Err(error @ Error::Keys(_)) => Err(Failure {
                status: http::StatusCode::CONFLICT,
                detail: error.to_string().into(),
                ..Failure::from(error)
            }),
            Err(error) => Err(error.into()),
        }
    }
}

/// Answers `GET /v1/keys`. With `count`, it reads every record.
pub(crate) async fn list(call: Call) -> Answer {
    #[cfg(feature = "seal")]
    return sealed::list(&call).await;
    #[cfg(not(feature = "seal"))]
    without_sealing(&call)
}

/// Answers `POST /v1/keys/reseal` with a stream of progress.
pub(crate) async fn reseal(call: Call) -> Answer {
    #[cfg(feature = "seal")]
    return sealed::reseal(&call);
    #[cfg(not(feature = "seal"))]
    without_sealing(&call)
}

/// Answers `POST /v1/keys/retire`: the store refuses records under the key.
pub(crate) async fn retire(call: Call) -> Answer {
    #[cfg(feature = "seal")]
    return sealed::retire(&call).await;
    #[cfg(not(feature = "seal"))]
    without_sealing(&call)
}

/// The answer of a server that was built without sealing.
#[cfg(not(feature = "seal"))]
fn without_sealing(_: &Call) -> Answer {
    Err(no_keys("this server was built without sealing"))
}

fn no_keys(detail: &'static str) -> Failure {
    Failure::missing("no_keys", detail)
}
