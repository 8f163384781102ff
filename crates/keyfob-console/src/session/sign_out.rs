//! Signing out: the session is revoked, and the browser forgets it.

use http::HeaderValue;
use http::header::SET_COOKIE;

use super::cookie;
use crate::reply::{Answer, Reply};
use crate::shell::page;
use crate::visit::Visit;

/// Ends the session.
pub(crate) async fn submit(visit: Visit) -> Answer {
    if let Some(viewer) = &visit.viewer {
        let reason = "signed out".parse().ok();
        visit.api.revoke(viewer.0.id, reason.as_ref()).await?;
    }
    let mut response = page::see_other("/console/sign-in");
    for cleared in cookie::clear() {
        if let Ok(cleared) = HeaderValue::try_from(cleared) {
            response.headers_mut().append(SET_COOKIE, cleared);
        }
    }
    Ok(Reply::Whole(response))
}
