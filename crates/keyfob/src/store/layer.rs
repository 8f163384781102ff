//! Layers: stores around others, that pass most verbs on.

use std::pin::Pin;

use super::{Store, StoreError};

/// A call of a store that is under way.
pub type Call<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// A store around another. The verbs that it does not write itself are written by
/// [`pass_on!`](crate::pass_on):
///
/// ```
/// use keyfob::store::*;
/// use keyfob::Store;
///
/// /// A store that takes nothing new.
/// #[derive(Debug)]
/// struct Frozen(Box<dyn Store>);
///
/// impl Layer for Frozen {
///     fn inner(&self) -> &dyn Store {
///         &*self.0
///     }
/// }
///
/// #[async_trait::async_trait]
/// impl Store for Frozen {
///     keyfob::pass_on! {
///         namespace load reseal key_floor raise_key_floor spend touch revoke advance stamp time_of
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
pub trait Layer: Send + Sync {
    /// The store that it is around.
    fn inner(&self) -> &dyn Store;

    /// What becomes of a call that is passed on. Nothing has been done of it before it is awaited.
    fn around<'a, T: Send + 'a>(&'a self, verb: Verb, call: Call<'a, T>) -> Call<'a, T> {
        let _whichever = verb;
        call
    }
}

/// A verb of the contract that can fail.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Verb {
    /// [`Store::insert`]
    Insert,
    /// [`Store::load`]
    Load,
    /// [`Store::replace`]
    Replace,
    /// [`Store::reseal`]
    Reseal,
    /// [`Store::key_floor`]
    KeyFloor,
    /// [`Store::raise_key_floor`]
    RaiseKeyFloor,
    /// [`Store::spend`]
    Spend,
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
    Tallies,
    /// [`Store::observe`]
    Observe,
    /// [`Store::entries`]
    Entries,
    /// [`Store::latest`]
    Latest,
    /// [`Store::report`]
    Report,
}

impl Verb {
    /// All of them.
    pub const ALL: [Self; 19] = [
        Self::Insert,
        Self::Load,
        Self::Replace,
        Self::Reseal,
        Self::KeyFloor,
        Self::RaiseKeyFloor,
        Self::Spend,
        Self::Touch,
        Self::Revoke,
        Self::Advance,
        Self::Stamp,
        Self::TimeOf,
        Self::Query,
        Self::Count,
        Self::Tallies,
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
            Self::Spend => "spend",
            Self::Touch => "touch",
            Self::Revoke => "revoke",
            Self::Advance => "advance",
            Self::Stamp => "stamp",
            Self::TimeOf => "time_of",
            Self::Query => "query",
            Self::Count => "count",
            Self::Tallies => "tallies",
            Self::Observe => "observe",
            Self::Entries => "entries",
            Self::Latest => "latest",
            Self::Report => "report",
        }
    }
}

/// Writes verbs of [`Store`](crate::Store) that go on to the store that a
/// [`Layer`](crate::store::Layer) is around, each that can fail by way of its `around`. It takes the
/// names of the verbs, and belongs into the `impl` of [`Store`](crate::Store), which is marked
/// `#[async_trait]`: what it writes is what that would make of it, but for a future that only waits
/// for another.
#[macro_export]
macro_rules! pass_on {
    ($($verb:ident)+) => {
        $($crate::pass_on! { @ $verb })+
    };
    (@ namespace) => {
        fn namespace(&self) -> &$crate::Namespace {
            $crate::store::Layer::inner(self).namespace()
        }
    };
    (@ watch) => {
        fn watch(&self, watcher: &::std::sync::Arc<$crate::store::Watcher>) {
            $crate::store::Layer::inner(self).watch(watcher);
        }
    };
    (@ insert) => {
        $crate::pass_on! { @ Insert insert['life0](
            operation: $crate::store::Operation, insert: $crate::store::Insert
        ) -> $crate::store::Inserted }
    };
    (@ load) => {
        $crate::pass_on! { @ Load load['life0](
            id: $crate::TokenId
        ) -> ::core::option::Option<$crate::store::Loaded> }
    };
    (@ replace) => {
        $crate::pass_on! { @ Replace replace['life0](
            operation: $crate::store::Operation, replace: $crate::store::Replace
        ) -> $crate::store::Replaced }
    };
    (@ reseal) => {
        $crate::pass_on! { @ Reseal reseal['life0](
            operation: $crate::store::Operation, reseal: $crate::store::Reseal
        ) -> $crate::store::Resealed }
    };
    (@ key_floor) => {
        $crate::pass_on! { @ KeyFloor key_floor['life0]() -> $crate::seal::KeyNumber }
    };
    (@ raise_key_floor) => {
        $crate::pass_on! { @ RaiseKeyFloor raise_key_floor['life0](
            floor: $crate::seal::KeyNumber
        ) -> () }
    };
    (@ spend) => {
        $crate::pass_on! { @ Spend spend['life0](
            operation: $crate::store::Operation, spend: $crate::store::Spend
        ) -> $crate::store::Spent }
    };
    (@ touch) => {
        $crate::pass_on! { @ Touch touch['life0 'life1](
            uses: &'life1 [$crate::store::LastUse]
        ) -> () }
    };
    (@ revoke) => {
        $crate::pass_on! { @ Revoke revoke['life0](
            operation: $crate::store::Operation, revoke: $crate::store::Revoke
        ) -> $crate::store::Revoked }
    };
    (@ advance) => {
        $crate::pass_on! { @ Advance advance['life0](
            operation: $crate::store::Operation, advance: $crate::store::Advance
        ) -> $crate::store::Advanced }
    };
    (@ stamp) => {
        $crate::pass_on! { @ Stamp stamp['life0](lane: $crate::Lane) -> $crate::store::Stamp }
    };
    (@ query) => {
        $crate::pass_on! { @ Query query['life0 'life1](
            query: &'life1 $crate::store::Query
        ) -> $crate::store::RecordPage }
    };
    (@ count) => {
        $crate::pass_on! { @ Count count['life0](
            term: $crate::Term, lane: ::core::option::Option<$crate::Lane>
        ) -> u64 }
    };
    (@ tallies) => {
        $crate::pass_on! { @ Tallies tallies['life0]() -> ::std::vec::Vec<$crate::store::Tally> }
    };
    (@ observe) => {
        $crate::pass_on! { @ Observe observe['life0](
            lane: $crate::Lane, entries: ::std::vec::Vec<::std::vec::Vec<u8>>
        ) -> () }
    };
    (@ entries) => {
        $crate::pass_on! { @ Entries entries['life0 'life1](
            feed: $crate::store::Feed, after: &'life1 $crate::store::Cursor, limit: usize
        ) -> $crate::store::EntryPage }
    };
    (@ latest) => {
        $crate::pass_on! { @ Latest latest['life0](
            feed: $crate::store::Feed
        ) -> $crate::store::Cursor }
    };
    (@ report) => {
        $crate::pass_on! { @ Report report['life0]() -> $crate::store::StoreReport }
    };
    (@ time_of) => {
        $crate::pass_on! { @ TimeOf time_of['life0](
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
            $crate::store::Layer::inner(self).close()
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
            let call = $crate::store::Layer::inner(self).$verb($($given),*);
            $crate::store::Layer::around(self, $crate::store::Verb::$named, call)
        }
    };
}
