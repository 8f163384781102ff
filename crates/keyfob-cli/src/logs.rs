//! Logging to stderr, as text or with `--json` as one object per line. `KEYFOB_LOG` and `-v` set the
//! level.
//!
//! By default a short command does not log what is wrong with the settings of the store's servers:
//! `keyfob doctor` reports it. A command that runs for long logs it once.

use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::sync::OnceLock;

use keyfob::clock::{Clock as _, SystemClock};
use keyfob_server::RequestContext;
use serde_json::{Map, Value, json};
use tracing::field::{Field, Visit};
use tracing::span::Record;
use tracing::{Event, Subscriber};
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::fmt::format::{DefaultFields, Writer};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, FormattedFields};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer, Registry, reload};

use crate::failure::Failure;
use crate::terminal;
use crate::visible::visible;

const VARIABLE: &str = "KEYFOB_LOG";

/// The default levels, without the findings of a report.
const WITHOUT_FINDINGS: &str = "warn,keyfob_redis::store::report=error";

/// What takes the spans of requests, to send them to a collector.
pub(crate) type TraceLayer = Box<dyn Layer<Registry> + Send + Sync>;

/// How to log.
pub(crate) struct LogSettings {
    pub(crate) verbose: u8,
    pub(crate) json: bool,
    /// Whether the command runs for long.
    pub(crate) is_long_running: bool,
    /// The filter of the configuration, which has the one of the variable.
    pub(crate) filter: Option<String>,
    /// Whether the command is a service, whose log has times and what it does.
    pub(crate) is_service: bool,
    pub(crate) traces: Option<TraceLayer>,
}

/// Replaces the filter of the log.
type ChangeFilter = Box<dyn Fn(EnvFilter) -> bool + Send + Sync>;

static CHANGE_FILTER: OnceLock<ChangeFilter> = OnceLock::new();

/// The default levels of a service: what it does, and what goes wrong elsewhere.
const OF_SERVICE: &str = "warn,keyfob=info";

/// Starts logging. `-v` overrides the variable.
pub(crate) fn start(settings: LogSettings) -> Result<(), Failure> {
    let LogSettings { verbose, json, is_long_running, filter, is_service, traces } = settings;
    let variable = || std::env::var(VARIABLE).ok().filter(|value| !value.is_empty());
    let directives = match (verbose, filter.or_else(variable)) {
        (0, Some(configured)) => configured,
        (0, None) if is_service => OF_SERVICE.to_owned(),
        (0, None) if is_long_running => "warn".to_owned(),
        (0, None) => WITHOUT_FINDINGS.to_owned(),
        (1, _) => "info".to_owned(),
        (2, _) => "debug".to_owned(),
        (_, _) => "trace".to_owned(),
    };
    let filter = EnvFilter::try_new(directives).map_err(|_| Failure::Usage {
        code: "invalid_value",
        message: format!("log.filter or {VARIABLE} is not a log filter"),
        details: "Write a level, or levels by module: warn, or keyfob=debug,warn.".into(),
    })?;
    match traces {
        None => {
            let (filter, handle) = reload::Layer::new(filter);
            let change = move |filter| handle.reload(filter).is_ok();
            // Only the first start counts.
            let _ = CHANGE_FILTER.set(Box::new(change));
            tracing_subscriber::registry().with(filter).with(lines(json, is_service)).init();
        }
        Some(traces) => {
            // The filter is that of the log alone.
            let (filter, handle) = reload::Layer::new(filter);
            let change = move |filter| handle.reload(filter).is_ok();
            let _ = CHANGE_FILTER.set(Box::new(change));
            let lines = lines(json, is_service).with_filter(filter);
            tracing_subscriber::registry().with(traces).with(lines).init();
        }
    }
    Ok(())
}

/// Returns what writes the lines of the log.
fn lines<S>(json: bool, has_time: bool) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'a> LookupSpan<'a> + Send + Sync,
{
    let layer = tracing_subscriber::fmt::layer();
    if json {
        let layer = layer.fmt_fields(JsonFieldsOfSpan).event_format(JsonLine { has_time });
        return layer.with_writer(io::stderr).boxed();
    }
    let has_colours = io::stderr().is_terminal() && terminal::has_colours();
    let layer = layer.fmt_fields(FieldsWithRequest).with_ansi(has_colours);
    layer.with_writer(|| VisibleLog(io::stderr())).boxed()
}

/// Uses another filter from now on; without one, that of a service.
pub(crate) fn change_filter(directives: Option<&str>) {
    let filter = EnvFilter::try_new(directives.unwrap_or(OF_SERVICE)).ok();
    let change = CHANGE_FILTER.get().zip(filter);
    if !change.is_some_and(|(change, filter)| change(filter)) {
        tracing::error!("the filter of the log before stays in use");
    }
}

/// Formats fields for people, followed by those of the request that is answered.
struct FieldsWithRequest;

impl<'writer> FormatFields<'writer> for FieldsWithRequest {
    fn format_fields<R: RecordFields>(
        &self,
        mut writer: Writer<'writer>,
        fields: R,
    ) -> fmt::Result {
        DefaultFields::new().format_fields(writer.by_ref(), fields)?;
        let written = RequestContext::with_current(|request| {
            request.fields().try_for_each(|(name, value)| write!(writer, " {name}={value}"))
        });
        written.unwrap_or(Ok(()))
    }
}

/// Formats an event as an object on a line, as errors and notes are. The fields of the spans around it, and
/// those of the request that is answered, are members too.
struct JsonLine {
    has_time: bool,
}

/// Formats the fields of a span as JSON, for [`JsonLine`].
struct JsonFieldsOfSpan;

impl<'writer> FormatFields<'writer> for JsonFieldsOfSpan {
    fn format_fields<R: RecordFields>(
        &self,
        mut writer: Writer<'writer>,
        fields: R,
    ) -> fmt::Result {
        let mut json = JsonFields(Map::new());
        fields.record(&mut json);
        write!(writer, "{}", Value::Object(json.0))
    }

    /// Adds what is recorded later, so that the fields stay one object.
    fn add_fields(
        &self,
        current: &'writer mut FormattedFields<Self>,
        fields: &Record<'_>,
    ) -> fmt::Result {
        let mut json = JsonFields(serde_json::from_str(current).unwrap_or_default());
        fields.record(&mut json);
        current.fields = Value::Object(json.0).to_string();
        Ok(())
    }
}

impl<S, N> FormatEvent<S, N> for JsonLine
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut fields = JsonFields(Map::new());
        for span in context.event_scope().into_iter().flat_map(|scope| scope.from_root()) {
            let extensions = span.extensions();
            let of_span = extensions.get::<FormattedFields<N>>();
            let parsed = of_span.and_then(|fields| serde_json::from_str::<Map<_, _>>(fields).ok());
            fields.0.extend(parsed.into_iter().flatten());
        }
        let _no_request = RequestContext::with_current(|request| {
            let members = request.fields().map(|(name, value)| (name.to_owned(), value.into()));
            fields.0.extend(members);
        });
        event.record(&mut fields);
        let metadata = event.metadata();
        fields.0.insert("level".into(), metadata.level().as_str().to_lowercase().into());
        fields.0.insert("target".into(), metadata.target().into());
        if self.has_time {
            fields.0.insert("time".into(), SystemClock.now().to_string().into());
        }
        writeln!(writer, "{}", json!({ "log": fields.0 }))
    }
}

/// The fields of an event.
struct JsonFields(Map<String, Value>);

impl Visit for JsonFields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.insert(field.name().into(), format!("{value:?}").into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name().into(), value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.0.insert(field.name().into(), value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.0.insert(field.name().into(), value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.0.insert(field.name().into(), value.into());
    }
}

/// A writer of log lines for people. `tracing_subscriber` escapes the control characters of ASCII
/// itself, and writes those of its colours and lines. The rest is escaped here.
struct VisibleLog<W>(W);

impl<W: Write> Write for VisibleLog<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(bytes);
        let mut line = String::with_capacity(text.len());
        for piece in text.split_inclusive(|c: char| c.is_ascii()) {
            match piece.char_indices().next_back() {
                Some((at, last)) if last.is_ascii() => {
                    line.push_str(&visible(&piece[..at]));
                    line.push(last);
                }
                _ => line.push_str(&visible(piece)),
            }
        }
        self.0.write_all(line.as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_line_shows_what_is_invisible() {
        let mut log = VisibleLog(Vec::new());
        let line = "\u{1b}[33mWARN\u{1b}[0m subject=a\u{202e}\u{200b}é\u{9b}31m \u{a0}\n";
        assert_eq!(log.write(line.as_bytes()).unwrap(), line.len());
        let expected = "\u{1b}[33mWARN\u{1b}[0m subject=a\\u{202e}\\u{200b}é\\u{9b}31m \\u{a0}\n";
        assert_eq!(String::from_utf8(log.0).unwrap(), expected);
    }
}
