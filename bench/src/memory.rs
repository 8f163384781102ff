//! Bytes per token: in Redis, on disk, and in the cache (R3, V5).

use std::sync::Arc;

use anyhow::{Context, Result};
use keyfob_redb::RedbStore;
use tokio::runtime::Runtime;

use crate::child;
use crate::fleet::Fleet;
use crate::population;
use crate::report::{Figure, Report};
use crate::server::Server;
use crate::size::Size;
use crate::target::Target;

/// The clear header of a record in Redis that has a subject and a client.
const HEADER: f64 = 51.0 + 16.0;

pub(crate) fn measure(
    report: &mut Report,
    runtime: &Runtime,
    size: Size,
    fleet: &mut Fleet,
) -> Result<()> {
    cache(report, size)?;
    let tokens = size.tokens(1_000_000);
    let on_redis = fleet.redis(runtime)?;
    on_redis.filled.fill_to(runtime, tokens)?;
    let bytes = on_redis.bytes_each()?;
    let length = record_length(&on_redis.server)?;
    let what = "bytes of Redis for a token, indexed by all, subject, client, tag, label";
    report.add(Figure::plain("R3", what, bytes, "B").judged());
    let what = "the same without the record's body";
    let target = Target::value_at_most(350.0);
    report.add(Figure::plain("R3", what, bytes - (length - HEADER), "B").against(target));
    report.note(format!(
        "a record in Redis has {length:.0} B, of which {HEADER:.0} B are its header; measured at {} \
         tokens, without the streams of events",
        on_redis.filled.tokens
    ));
    report.add(Figure::plain(
        "R3",
        "bytes of Redis for a minimal token",
        bare(runtime, size)?,
        "B",
    ));

    let on_disk = fleet.disk()?;
    on_disk.filled.fill_to(runtime, tokens)?;
    let what = "bytes on disk for a token, listed as above";
    report.add(Figure::plain("E1", what, on_disk.bytes_each()?, "B"));
    let what = "bytes on disk for a minimal token";
    report.add(Figure::plain("E1", what, bare_on_disk(runtime, size)?, "B"));
    Ok(())
}

/// Measures the memory of the cache per token in a separate process, as the system counts it, and
/// the cost of adding a token.
fn cache(report: &mut Report, size: Size) -> Result<()> {
    let tokens = size.tokens(1_000_000);
    let cache = child::cache_memory(tokens)?;
    let what = format!("bytes of the cache for a token, {tokens} tokens");
    let figure = Figure::plain("V5", what, cache.resident_bytes / cache.kept, "B");
    let reported = cache.reported_bytes / cache.kept;
    report.add(figure.beside_value("the cache's own report", reported).judged());
    let what = "adding a loaded token to the cache";
    let target = Target::value_at_most(300.0);
    report.add(Figure::plain("V5", what, cache.fill_nanos, "ns").against(target));
    report.note(format!(
        "of {tokens} tokens the cache kept {:.1} %",
        cache.kept / tokens as f64 * 100.0
    ));
    Ok(())
}

/// Returns the mean length of some records.
fn record_length(server: &Server) -> Result<f64> {
    let script = "local sum, n, tries = 0, 0, 0 \
                  while n < 200 and tries < 100000 do \
                  local key = redis.call('RANDOMKEY') tries = tries + 1 \
                  if string.find(key, ':r{', 1, true) then \
                  sum, n = sum + redis.call('STRLEN', key), n + 1 end end \
                  return tostring(sum / n)";
    let mean = server.call(&["EVAL", script, "0"])?.to_string();
    mean.parse().context("the mean length is not a number")
}

/// Tokens that have only the index entry for *all tokens*. A quarter of a million fill the server's
/// tables to the same degree as a million.
fn bare(runtime: &Runtime, size: Size) -> Result<f64> {
    let tokens = size.tokens(250_000);
    let server = Server::start()?;
    let store = server.store(runtime, "bare")?;
    let manager = population::manager(Arc::new(store));
    let empty = server.data_bytes()?;
    runtime.block_on(population::issue(&manager, 0..tokens, 128, u64::MAX, population::bare))?;
    let bytes = (server.data_bytes()? - empty) / tokens as f64;
    runtime.block_on(manager.shutdown());
    Ok(bytes)
}

fn bare_on_disk(runtime: &Runtime, size: Size) -> Result<f64> {
    let tokens = size.tokens(100_000);
    let folder = crate::folder::on_disk()?;
    let path = folder.path().join("keyfob.redb");
    let manager = population::manager(Arc::new(RedbStore::open(&path)?));
    runtime.block_on(population::issue(&manager, 0..tokens, 64, u64::MAX, population::bare))?;
    let bytes = std::fs::metadata(&path)?.len() as f64 / tokens as f64;
    runtime.block_on(manager.shutdown());
    Ok(bytes)
}
