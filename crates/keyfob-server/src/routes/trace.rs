//! The trace that a request belongs to (W3C Trace Context section 3.2).

use http::{HeaderMap, HeaderName};

/// The header that carries the ids.
pub(crate) const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// The ids in a `traceparent` field.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct TraceParent<'a> {
    /// The trace: 32 hexadecimal digits.
    pub(super) trace_id: &'a str,
    /// The span of the caller: 16 hexadecimal digits.
    pub(super) parent_id: &'a str,
}

impl<'a> TraceParent<'a> {
    /// Returns the ids; `None` if the field is missing, is there twice, or is malformed.
    pub(super) fn of(headers: &'a HeaderMap) -> Option<Self> {
        let mut all = headers.get_all(TRACEPARENT).iter();
        let (value, None) = (all.next()?.to_str().ok()?, all.next()) else { return None };
        let mut parts = value.split('-');
        let version = parts.next().filter(|version| is_id(version, 2) && *version != "ff")?;
        let trace_id = parts.next().filter(|id| is_id(id, 32) && !is_zero(id))?;
        let parent_id = parts.next().filter(|id| is_id(id, 16) && !is_zero(id))?;
        parts.next().filter(|flags| is_id(flags, 2))?;
        // A later version may have more parts.
        (version != "00" || parts.next().is_none()).then_some(Self { trace_id, parent_id })
    }
}

fn is_id(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn is_zero(id: &str) -> bool {
    id.bytes().all(|byte| byte == b'0')
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
    const SPAN: &str = "b7ad6b7169203331";

    #[test]
    fn the_ids_of_a_traceparent_are_read() {
        let read = |value: String| {
            let headers = HeaderMap::from_iter([(TRACEPARENT, value.parse().unwrap())]);
            TraceParent::of(&headers).map(|p| (p.trace_id.to_owned(), p.parent_id.to_owned()))
        };
        let ids = Some((TRACE.to_owned(), SPAN.to_owned()));
        assert_eq!(read(format!("00-{TRACE}-{SPAN}-01")), ids);
        assert_eq!(read(format!("42-{TRACE}-{SPAN}-01-more")), ids);
        for value in [
            String::new(),
            format!("00-{TRACE}-{SPAN}"),
            format!("00-{TRACE}-{SPAN}-01-more"),
            format!("ff-{TRACE}-{SPAN}-01"),
            format!("00-{}-{SPAN}-01", "0".repeat(32)),
            format!("00-{}-{SPAN}-01", TRACE.to_uppercase()),
            format!("00-{TRACE}-{}-01", "0".repeat(16)),
        ] {
            assert_eq!(read(value.clone()), None, "{value}");
        }
        let twice = format!("00-{TRACE}-{SPAN}-01").parse().unwrap();
        let mut headers = HeaderMap::from_iter([(TRACEPARENT, http::HeaderValue::clone(&twice))]);
        headers.append(TRACEPARENT, twice);
        assert_eq!(TraceParent::of(&headers), None);
    }
}
