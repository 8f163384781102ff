//! The cache: entries that it keeps, evicts and no longer returns.

use super::*;
use keyfob_core::bearer::{BearerPrefix, BearerToken, Generation};
use keyfob_core::id::Lane;
use keyfob_core::random::SeededRandom;
use keyfob_core::time::Ttl;
use keyfob_core::token::{Kind, sample};
use keyfob_store::Invalidation;

const NOW: Timestamp = Timestamp::from_millis(1_795_000_000_000);

struct Bench {
    cache: Cache,
    random: SeededRandom,
    source: keyfob_store::InvalidationSource,
}

fn bench(tokens: usize) -> Bench {
    let settings = CacheConfig::default().with_max_tokens(tokens);
    let cache = Cache::new(settings, LaneCount::DEFAULT, &Metrics::none()).unwrap();
    let source = cache.watcher().add_source(LaneCount::DEFAULT.lanes());
    source.confirm_forever();
    Bench { cache, random: SeededRandom::new(1), source }
}

impl Bench {
    fn draw(&self) -> BearerToken {
        let id = TokenId::draw(NOW, Lane::new(7), &self.random).unwrap();
        let prefix = BearerPrefix::default();
        BearerToken::draw(&prefix, Kind::Access, id, Generation::FIRST, &self.random).unwrap()
    }

    fn keep(&self, bearer: &BearerToken, epochs: &Epochs) {
        self.keep_under(self.cache.watcher().load_version(), bearer, epochs);
    }

    fn keep_under(&self, load_version: LoadVersion, bearer: &BearerToken, epochs: &Epochs) {
        let mut token = sample::token();
        (token.id, token.kind) = (bearer.id(), bearer.kind());
        // The token must fit into its entry.
        (token.metadata, token.claims) = Default::default();
        let end = NOW + Ttl::from_mins(5);
        let (bytes, digest) = (&bytes_of(&token, end, epochs, Other::None), &bearer.digest());
        self.cache.keep(
            load_version,
            bearer.id(),
            &Keep { bytes, digest, end, note_at: NOW, now: NOW },
        );
    }

    fn find(&self, bearer: &BearerToken, now: Timestamp) -> Option<TokenId> {
        let prefix = BearerPrefix::default();
        let presented = Presented::parse(bearer.expose(), &prefix).unwrap();
        match self.cache.look(&presented, now, (), |token, _, ()| token.id()).unwrap() {
            Found::Active(id) => Some(id),
            Found::Unknown | Found::Nothing(()) => None,
        }
    }
}

#[test]
fn a_cached_token_is_found_until_it_ends() {
    let bench = bench(100);
    let (one, other) = (bench.draw(), bench.draw());
    bench.keep(&one, &Epochs::default());
    assert_eq!(bench.find(&one, NOW), Some(one.id()));
    assert_eq!(bench.find(&other, NOW), None);
    let end = NOW + Ttl::from_mins(5);
    assert!(bench.find(&one, end.saturating_sub(Ttl::from_secs(1))).is_some());
    assert_eq!(bench.find(&one, end), None);
}

#[test]
fn a_fill_that_an_invalidation_overtook_is_not_found() {
    let bench = bench(100);
    let bearer = bench.draw();
    let before = bench.cache.watcher().load_version();
    bench.cache.watcher().invalidate(Lane::new(7), Invalidation::of(bearer.id()));
    bench.keep_under(before, &bearer, &Epochs::default());
    assert_eq!(bench.find(&bearer, NOW), None);
    bench.keep(&bearer, &Epochs::default());
    assert!(bench.find(&bearer, NOW).is_some());
}

#[test]
fn each_field_that_a_token_answers_to_ends_it() {
    let bench = bench(100);
    let field = |number| keyfob_core::namespace::EpochField::from_bytes([number; 8]);
    let epochs = Epochs {
        subject: Some(field(1)),
        client: Some(field(2)),
        ancestors: (3..3 + Epochs::MAX_ANCESTORS as u8).map(field).collect(),
    };
    let fields =
        (1..3 + Epochs::MAX_ANCESTORS as u8).map(|number| Invalidation::Field(field(number)));
    let bearer = bench.draw();
    for change in fields.chain([Invalidation::All, Invalidation::of(bearer.id())]) {
        bench.keep(&bearer, &epochs);
        assert!(bench.find(&bearer, NOW).is_some(), "{change:?}");
        bench.cache.watcher().invalidate(Lane::new(7), change);
        assert_eq!(bench.find(&bearer, NOW), None, "{change:?}");
    }
}

#[test]
fn distrust_hides_what_is_kept_and_a_new_source_ends_it() {
    let bench = bench(100);
    let bearer = bench.draw();
    bench.keep(&bearer, &Epochs::default());
    bench.source.distrust();
    assert_eq!(bench.find(&bearer, NOW), None);
    bench.source.confirm_forever();
    assert!(bench.find(&bearer, NOW).is_some(), "a silent feed removes no entry");
    let next = bench.cache.watcher().add_source([Lane::new(7)]);
    next.confirm_forever();
    assert_eq!(bench.find(&bearer, NOW), None, "a new connection invalidates the entry");
}

#[test]
fn used_entries_outlive_unused_ones() {
    let bench = bench(64);
    let used = bench.draw();
    bench.keep(&used, &Epochs::default());
    let mut found = 0;
    for _ in 0..640 {
        found += usize::from(bench.find(&used, NOW).is_some());
        bench.keep(&bench.draw(), &Epochs::default());
    }
    // If all entries of a set are in use, one is evicted. It is rarely an entry that is used all
    // the time.
    assert!(found > 500, "{found}");
}

#[test]
fn almost_all_that_there_is_room_for_is_kept() {
    let bench = bench(10_000);
    let bearers: Vec<BearerToken> = (0..10_000).map(|_| bench.draw()).collect();
    bearers.iter().for_each(|bearer| bench.keep(bearer, &Epochs::default()));
    let found = bearers.iter().filter(|bearer| bench.find(bearer, NOW).is_some()).count();
    assert!(found > 9_990, "{found}");
    let report = bench.cache.report();
    assert!(report.tokens as usize >= found && report.max_tokens == 10_000, "{report:?}");
}

#[test]
fn a_use_is_due_once_and_then_after_a_while() {
    let bench = bench(100);
    let bearer = bench.draw();
    bench.keep(&bearer, &Epochs::default());
    let prefix = BearerPrefix::default();
    let presented = Presented::parse(bearer.expose(), &prefix).unwrap();
    let is_due = |now: Timestamp| {
        let next = || now + Ttl::from_mins(1);
        let look = bench.cache.look(&presented, now, (), |_, used, ()| used.is_due(now, next));
        matches!(look, Ok(Found::Active(true)))
    };
    let later = NOW + Ttl::from_mins(1);
    assert_eq!(
        [is_due(NOW), is_due(NOW), is_due(later), is_due(later)],
        [true, false, true, false]
    );
}
