//! The cache entry for a loaded record.

use crate::cache::{self, Cache, Keep, Other};
use crate::codec::Record;
use crate::manager::Inner;
use keyfob_core::bearer::BearerDigest;
use keyfob_core::time::Timestamp;
use keyfob_core::token::{Kind, SecretUsed, Token, TokenState};
use keyfob_store::{Epochs, LoadVersion, Loaded};

/// The secret that a token is cached under.
pub(super) struct CachedSecret {
    digest: BearerDigest,
    /// What the entry says about the token's other secret.
    other: Other,
    pub(super) used: SecretUsed,
}

impl CachedSecret {
    /// Returns the secret to cache a record under; `None` if it cannot be cached.
    ///
    /// A key with two secrets is cached under the newest, and the older one is noted beside it. While
    /// the newest was never used, the key is cached under the older one: the first use of the newest
    /// has to be written to the store.
    pub(super) fn of(record: &Record, now: Timestamp) -> Option<Self> {
        let newest = |other| Self { digest: record.digest, other, used: SecretUsed::Newest };
        let Some(secrets) = &record.secrets else { return Some(newest(Other::None)) };
        match (secrets.is_used, secrets.live_older(now)) {
            (true, None) => Some(newest(Other::None)),
            (true, Some(older)) => {
                Some(newest(Other::Older { half: older.digest.half(), until: older.until }))
            }
            (false, None) => None,
            (false, Some(older)) => {
                let used = SecretUsed::Older { until: older.until };
                Some(Self { digest: older.digest, other: Other::NewestUnused, used })
            }
        }
    }

    /// Returns when the secret itself ends.
    fn end(&self) -> Option<Timestamp> {
        match self.used {
            SecretUsed::Newest => None,
            SecretUsed::Older { until } => Some(until),
        }
    }
}

impl Inner {
    /// Puts a loaded token into the cache, if the cache may answer for it.
    pub(super) fn fill_cache(
        &self,
        cache: &Cache,
        load_version: LoadVersion,
        loaded: &Loaded,
        token: &Token,
        secret: &CachedSecret,
    ) {
        let now = self.clock.now();
        // The store counts limited uses, and a refresh token is proven by more than its digest.
        let is_plain = token.uses_left.is_none() && token.kind != Kind::Refresh;
        let has_cells = loaded.epochs.ancestors.len() <= Epochs::MAX_ANCESTORS;
        if !is_plain || !has_cells || !loaded.is_clear() || token.state(now) != TokenState::Active {
            return;
        }
        let since = token.idle_since();
        // Once a token has idled for half of its idle timeout, its next use is written before it is
        // answered. The cache cannot do that.
        let idle = token.idle_timeout.map(|idle| since + idle.half());
        let ends =
            [token.expires_at, token.absolute_expiry, idle, Some(loaded.keep_until), secret.end()];
        let end = ends.into_iter().flatten().min().unwrap_or(Timestamp::MAX);
        // The use that it was loaded for is written if it is due.
        let note_at = self.last_use.next_use_due(token, now);
        let bytes = &cache::bytes_of(token, end, &loaded.epochs, secret.other);
        let digest = &secret.digest;
        cache.keep(load_version, token.id, &Keep { bytes, digest, end, note_at, now });
    }
}
