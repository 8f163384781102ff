//! The parts of a validation and of a list, one by one: `cargo bench` in this folder.
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot be set up has to stop")]

use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, criterion_group, criterion_main};
use keyfob::clock::{Clock, SystemClock};
use keyfob::{BearerPrefix, BearerToken, Filter, Grant, Kind, MemoryStore, Store};
use keyfob::{TokenManager, ValidationChain, fuzzing};
use tokio::runtime::{Builder, Runtime};

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

fn grant() -> Grant {
    Grant::new(Kind::Access)
        .subject("user-0000001")
        .client("client-07")
        .audience("api.example")
        .scopes("read write")
        .tag("mobile")
        .label("env", "prod")
}

fn bearer(criterion: &mut Criterion) {
    let manager = TokenManager::new(MemoryStore::new().unwrap());
    let issued = runtime().block_on(manager.issue(grant())).unwrap();
    let (text, prefix) = (issued.bearer.expose(), BearerPrefix::default());
    criterion.bench_function("bearer/parse", |bencher| {
        bencher.iter(|| BearerToken::parse(black_box(text), &prefix));
    });
    criterion.bench_function("bearer/digest", |bencher| {
        bencher.iter(|| black_box(&issued.bearer).digest());
    });
}

fn validation(criterion: &mut Criterion) {
    let runtime = runtime();
    let manager = TokenManager::new(MemoryStore::new().unwrap());
    let issued = runtime.block_on(manager.issue(grant())).unwrap();
    let text = issued.bearer.expose();
    let plain = ValidationChain::new();
    let demanding = ValidationChain::new()
        .allow_kind(Kind::Access)
        .allow_audience("api.example")
        .require_scope("read")
        .require_scope("write");
    for (name, chain) in [("cached, no demands", &plain), ("cached, four demands", &demanding)] {
        criterion.bench_function(&format!("check/{name}"), |bencher| {
            bencher.iter(|| {
                let check = manager.validate_with(black_box(text), chain, |token| token.kind());
                runtime.block_on(check).unwrap()
            });
        });
    }
    criterion.bench_function("validate/cached, the token whole", |bencher| {
        bencher.iter(|| runtime.block_on(manager.validate(black_box(text), &plain)).unwrap());
    });
}

fn record(criterion: &mut Criterion) {
    let runtime = runtime();
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new().unwrap());
    let manager = TokenManager::builder(Arc::clone(&store)).build();
    let issued = runtime.block_on(manager.issue(grant())).unwrap();
    let body = runtime.block_on(store.load(issued.token.id)).unwrap().unwrap().body;
    criterion.bench_function("record/decode and encode", |bencher| {
        bencher.iter(|| fuzzing::decode_record(black_box(&body)).unwrap());
    });
}

fn filter(criterion: &mut Criterion) {
    let text = "kind:access subject:user-0000001 tag:mobile label:env=prod state:active";
    let now = SystemClock.now();
    Filter::parse(text, now).unwrap();
    criterion.bench_function("filter/parse", |bencher| {
        bencher.iter(|| Filter::parse(black_box(text), now));
    });
}

criterion_group!(pieces, bearer, validation, record, filter);
criterion_main!(pieces);
