//! Layers: stores around others, that pass most verbs on.

use std::pin::Pin;

use super::{Store, StoreError};

/// A call of a store that is under way.
pub type Call<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// A store around another. The verbs that it does not write itself are written by
/// [`forward_store!`](crate::forward_store):
///
/// ```
/// use keyfob::store::*;
/// use keyfob::Store;
///
/// /// A store that takes nothing new.
/// #[derive(Debug)]
/// struct Frozen(Box<dyn Store>);
///
/// impl StoreWrapper for Frozen {
///     fn inner(&self) -> &dyn Store {
///         &*self.0
///     }
/// }
///
/// #[async_trait::async_trait]
/// impl Store for Frozen {
///     keyfob::forward_store! {
///         namespace load reseal min_key_version raise_min_key_version consume touch revoke advance stamp time_of
///         query count tallies observe entries latest watch report close
///     }
///
///     async fn insert(&self, _: Operation, _: Insert) -> Result<Inserted, StoreError> {
///         Err(StoreError::unavailable("it is frozen"))
///     }
///
///     async fn replace(&self, _: Operation, _: Replace) -> Result<Replaced, StoreError> {
///         Err(StoreError::unavailable("it is frozen"))
///     }
/// }
/// ```
pub trait StoreWrapper: Send + Sync {
    /// The store that it is around.
    fn inner(&self) -> &dyn Store;

    /// What becomes of a call that is passed on. Nothing has been done of it before it is awaited.
    fn around<'a, T: Send + 'a>(&'a self, verb: StoreMethod, call: Call<'a, T>) -> Call<'a, T> {
        let _whichever = verb;
        call
    }
}

/// A verb of the contract that can fail.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum StoreMethod {
    /// [`Store::insert`]
    Insert,
    /// [`Store::load`]
    Load,
    /// [`Store::replace`]
    Replace,
    /// [`Store::reseal`]
    Reseal,
    /// [`Store::min_key_version`]
    KeyFloor,
    /// [`Store::raise_min_key_version`]
    RaiseKeyFloor,
    /// [`Store::consume`]
    Consume,
    /// [`Store::touch`]
    Touch,
    /// [`Store::revoke`]
    Revoke,
    /// [`Store::advance`]
    Advance,
    /// [`Store::stamp`]
    Stamp,
    /// [`Store::time_of`]
    TimeOf,
    /// [`Store::query`]
    Query,
    /// [`Store::count`]
    Count,
    /// [`Store::tallies`]
    CountTotals,
    /// [`Store::observe`]
    Observe,
    /// [`Store::entries`]
    Entries,
    /// [`Store::latest`]
    Latest,
    /// [`Store::report`]
    Report,
}

impl StoreMethod {
    /// All of them.
    pub const ALL: [Self; 19] = [
        Self::Insert,
        Self::Load,
        Self::Replace,
        Self::Reseal,
        Self::KeyFloor,
        Self::RaiseKeyFloor,
        Self::Consume,
        Self::Touch,
        Self::Revoke,
        Self::Advance,
        Self::Stamp,
        Self::TimeOf,
        Self::Query,
        Self::Count,
        Self::CountTotals,
        Self::Observe,
        Self::Entries,
        Self::Latest,
        Self::Report,
    ];

    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Insert => "insert",
            Self::Load => "load",
            Self::Replace => "replace",
            Self::Reseal => "reseal",
            Self::KeyFloor => "key_floor",
            Self::RaiseKeyFloor => "raise_key_floor",
            Self::Consume => "spend",
            Self::Touch => "touch",
            Self::Revoke => "revoke",
            Self::Advance => "advance",
            Self::Stamp => "stamp",
            Self::TimeOf => "time_of",
            Self::Query => "query",
            Self::Count => "count",
            Self::CountTotals => "tallies",
            Self::Observe => "observe",
            Self::Entries => "entries",
            Self::Latest => "latest",
            Self::Report => "report",
        }
    }
}

/// Writes verbs of [`Store`](crate::Store) that go on to the store that a
/// [`StoreWrapper`](crate::store::StoreWrapper) is around, each that can fail by way of its `around`. It takes the
/// names of the verbs, and belongs into the `impl` of [`Store`](crate::Store), which is marked
/// `#[async_trait]`: what it writes is what that would make of it, but for a future that only waits
/// for another.
#[macro_export]
macro_rules! forward_store {
    ($($verb:ident)+) => {
        $($crate::forward_store! { @ $verb })+
    };
    (@ namespace) => {
        fn namespace(&self) -> &$crate::Namespace {
            $crate::store::StoreWrapper::inner(self).namespace()
        }
    };
    (@ watch) => {
        fn watch(&self, watcher: &::std::sync::Arc<$crate::store::InvalidationListener>) {
            $crate::store::StoreWrapper::inner(self).watch(watcher);
        }
    };
    (@ insert) => {
        $crate::forward_store! { @ Insert insert['life0](
            operation: $crate::store::Operation, insert: $crate::store::Insert
        ) -> $crate::store::Inserted }
    };
    (@ load) => {
        $crate::forward_store! { @ Load load['life0](
            id: $crate::TokenId
        ) -> ::core::option::Option<$crate::store::Loaded> }
    };
    (@ replace) => {
        $crate::forward_store! { @ Replace replace['life0](
            operation: $crate::store::Operation, replace: $crate::store::Replace
        ) -> $crate::store::Replaced }
    };
    (@ reseal) => {
        $crate::forward_store! { @ Reseal reseal['life0](
            operation: $crate::store::Operation, reseal: $crate::store::Reseal
        ) -> $crate::store::Resealed }
    };
    (@ min_key_version) => {
        $crate::forward_store! { @ KeyFloor min_key_version['life0]() -> $crate::seal::KeyVersion }
    };
    (@ raise_min_key_version) => {
        $crate::forward_store! { @ RaiseKeyFloor raise_min_key_version['life0](
            floor: $crate::seal::KeyVersion
        ) -> () }
    };
    (@ consume) => {
        $crate::forward_store! { @ Consume consume['life0](
            operation: $crate::store::Operation, consume: $crate::store::Consume
        ) -> $crate::store::Consumed }
    };
    (@ touch) => {
        $crate::forward_store! { @ Touch touch['life0 'life1](
            uses: &'life1 [$crate::store::LastUse]
        ) -> () }
    };
    (@ revoke) => {
        $crate::forward_store! { @ Revoke revoke['life0](
            operation: $crate::store::Operation, revoke: $crate::store::Revoke
        ) -> $crate::store::Revoked }
    };
    (@ advance) => {
        $crate::forward_store! { @ Advance advance['life0](
            operation: $crate::store::Operation, advance: $crate::store::Advance
        ) -> $crate::store::Advanced }
    };
    (@ stamp) => {
        $crate::forward_store! { @ Stamp stamp['life0](lane: $crate::Lane) -> $crate::store::Stamp }
    };
    (@ query) => {
        $crate::forward_store! { @ Query query['life0 'life1](
            query: &'life1 $crate::store::Query
        ) -> $crate::store::RecordPage }
    };
    (@ count) => {
        $crate::forward_store! { @ Count count['life0](
            term: $crate::Term, lane: ::core::option::Option<$crate::Lane>
        ) -> u64 }
    };
    (@ tallies) => {
        $crate::forward_store! { @ CountTotals tallies['life0]() -> ::std::vec::Vec<$crate::store::BucketCounts> }
    };
    (@ observe) => {
        $crate::forward_store! { @ Observe observe['life0](
            lane: $crate::Lane, entries: ::std::vec::Vec<::std::vec::Vec<u8>>
        ) -> () }
    };
    (@ entries) => {
        $crate::forward_store! { @ Entries entries['life0 'life1](
            feed: $crate::store::Feed, after: &'life1 $crate::store::Cursor, limit: usize
        ) -> $crate::store::EntryPage }
    };
    (@ latest) => {
        $crate::forward_store! { @ Latest latest['life0](
            feed: $crate::store::Feed
        ) -> $crate::store::Cursor }
    };
    (@ report) => {
        $crate::forward_store! { @ Report report['life0]() -> $crate::store::StoreReport }
    };
    (@ time_of) => {
        $crate::forward_store! { @ TimeOf time_of['life0](
            lane: $crate::Lane, at: $crate::Timestamp
        ) -> $crate::Timestamp }
    };
    (@ close) => {
        fn close<'life0, 'async_trait>(
            &'life0 self,
        ) -> ::core::pin::Pin<
            ::std::boxed::Box<
                dyn ::core::future::Future<Output = ()> + ::core::marker::Send + 'async_trait,
            >,
        >
        where
            'life0: 'async_trait,
            Self: 'async_trait,
        {
            $crate::store::StoreWrapper::inner(self).close()
        }
    };
    (@ $named:ident $verb:ident[$($life:lifetime)+]($($given:ident: $type:ty),*) -> $done:ty) => {
        fn $verb<$($life,)+ 'async_trait>(
            &'life0 self,
            $($given: $type),*
        ) -> $crate::store::Call<'async_trait, $done>
        where
            $($life: 'async_trait,)+
            Self: 'async_trait,
        {
            let call = $crate::store::StoreWrapper::inner(self).$verb($($given),*);
            $crate::store::StoreWrapper::around(self, $crate::store::StoreMethod::$named, call)
        }
    };
}
