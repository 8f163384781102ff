//! Stores around other stores, that forward most methods.

use std::pin::Pin;

use super::{Store, StoreError, StoreMethod};

/// A call of a store method in progress.
pub type Call<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// A store around another store. Write the methods that differ, and let
/// [`forward_store!`](crate::forward_store) write the rest:
///
/// ```
/// use keyfob_store::*;
///
/// /// A store that accepts nothing new.
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
/// impl RecordStore for Frozen {
///     keyfob_store::forward_store! { namespace load consume touch revoke advance stamp time_of }
///
///     async fn insert(&self, _: Operation, _: Insert) -> Result<Inserted, StoreError> {
///         Err(StoreError::unavailable("it is frozen"))
///     }
///
///     async fn replace(&self, _: Operation, _: Replace) -> Result<Replaced, StoreError> {
///         Err(StoreError::unavailable("it is frozen"))
///     }
/// }
///
/// #[async_trait::async_trait]
/// impl TermIndex for Frozen {
///     keyfob_store::forward_store! { query heads count }
/// }
///
/// #[async_trait::async_trait]
/// impl EventLog for Frozen {
///     keyfob_store::forward_store! { observe entries latest }
/// }
///
/// #[async_trait::async_trait]
/// impl Counting for Frozen {
///     keyfob_store::forward_store! { tallies }
/// }
///
/// #[async_trait::async_trait]
/// impl Resealing for Frozen {
///     keyfob_store::forward_store! { reseal min_key_version raise_min_key_version }
/// }
///
/// #[async_trait::async_trait]
/// impl Documents for Frozen {
///     keyfob_store::forward_store! { read_document write_document list_documents }
/// }
///
/// #[async_trait::async_trait]
/// impl Invalidations for Frozen {
///     keyfob_store::forward_store! { watch }
/// }
///
/// #[async_trait::async_trait]
/// impl Maintenance for Frozen {
///     keyfob_store::forward_store! { report metrics close }
/// }
/// ```
pub trait StoreWrapper: Send + Sync {
    /// Returns the inner store.
    fn inner(&self) -> &dyn Store;

    /// Wraps every forwarded call that can fail. Nothing has happened before `call` is awaited.
    fn around<'a, T: Send + 'a>(&'a self, method: StoreMethod, call: Call<'a, T>) -> Call<'a, T> {
        let _unused = method;
        call
    }
}

/// Writes methods that forward to the inner store of a [`StoreWrapper`](crate::StoreWrapper). Each
/// method that can fail goes through [`StoreWrapper::around`](crate::StoreWrapper::around). Use it
/// inside the `impl` of a contract trait that is marked `#[async_trait]`, and list the names of the
/// methods. It writes what `async_trait` would write, without a second boxed future around the inner
/// one.
#[macro_export]
macro_rules! forward_store {
    ($($method:ident)+) => {
        $($crate::forward_store! { @ $method })+
    };
    (@ namespace) => {
        fn namespace(&self) -> &$crate::Namespace {
            $crate::StoreWrapper::inner(self).namespace()
        }

        fn is_namespace_certain(&self) -> bool {
            $crate::StoreWrapper::inner(self).is_namespace_certain()
        }
    };
    (@ watch) => {
        fn watch(&self, watcher: &::std::sync::Arc<$crate::InvalidationListener>) {
            $crate::StoreWrapper::inner(self).watch(watcher);
        }
    };
    (@ metrics) => {
        fn metrics(&self) -> ::core::option::Option<$crate::metrics::Metrics> {
            $crate::StoreWrapper::inner(self).metrics()
        }
    };
    (@ insert) => {
        $crate::forward_store! { @ Insert insert['life0](
            operation: $crate::Operation, insert: $crate::Insert
        ) -> $crate::Inserted }
    };
    (@ load) => {
        $crate::forward_store! { @ Load load['life0](
            id: $crate::TokenId
        ) -> ::core::option::Option<$crate::Loaded> }
    };
    (@ replace) => {
        $crate::forward_store! { @ Replace replace['life0](
            operation: $crate::Operation, replace: $crate::Replace
        ) -> $crate::Replaced }
    };
    (@ reseal) => {
        $crate::forward_store! { @ Reseal reseal['life0](
            operation: $crate::Operation, reseal: $crate::Reseal
        ) -> $crate::Resealed }
    };
    (@ min_key_version) => {
        $crate::forward_store! { @ MinKeyVersion min_key_version['life0]() -> $crate::KeyVersion }
    };
    (@ raise_min_key_version) => {
        $crate::forward_store! { @ RaiseMinKeyVersion raise_min_key_version['life0](
            floor: $crate::KeyVersion
        ) -> () }
    };
    (@ consume) => {
        $crate::forward_store! { @ Consume consume['life0](
            operation: $crate::Operation, consume: $crate::Consume
        ) -> $crate::Consumed }
    };
    (@ touch) => {
        $crate::forward_store! { @ Touch touch['life0 'life1](
            uses: &'life1 [$crate::LastUse]
        ) -> () }
    };
    (@ revoke) => {
        $crate::forward_store! { @ Revoke revoke['life0](
            operation: $crate::Operation, revoke: $crate::Revoke
        ) -> $crate::Revoked }
    };
    (@ advance) => {
        $crate::forward_store! { @ Advance advance['life0](
            operation: $crate::Operation, advance: $crate::Advance
        ) -> $crate::Advanced }
    };
    (@ stamp) => {
        $crate::forward_store! { @ Stamp stamp['life0](lane: $crate::Lane) -> $crate::Stamp }
    };
    (@ query) => {
        $crate::forward_store! { @ Query query['life0 'life1](
            query: &'life1 $crate::Query
        ) -> $crate::RecordPage }
    };
    (@ heads) => {
        $crate::forward_store! { @ Heads heads['life0 'life1](
            query: &'life1 $crate::Query
        ) -> $crate::RecordPage<$crate::RecordHead> }
    };
    (@ count) => {
        $crate::forward_store! { @ Count count['life0](
            term: $crate::Term, lane: ::core::option::Option<$crate::Lane>
        ) -> u64 }
        $crate::forward_store! { @ Count estimate['life0](
            term: $crate::Term, lane: ::core::option::Option<$crate::Lane>
        ) -> u64 }
    };
    (@ tallies) => {
        $crate::forward_store! { @ Tallies tallies['life0]() -> $crate::Tallies }
    };
    (@ observe) => {
        $crate::forward_store! { @ Observe observe['life0](
            lane: $crate::Lane, entries: ::std::vec::Vec<::std::vec::Vec<u8>>
        ) -> () }
    };
    (@ entries) => {
        $crate::forward_store! { @ Entries entries['life0 'life1](
            feed: $crate::Feed, after: &'life1 $crate::Cursor, limit: usize
        ) -> $crate::EntryPage }
    };
    (@ latest) => {
        $crate::forward_store! { @ Latest latest['life0](
            feed: $crate::Feed
        ) -> $crate::Cursor }

        fn appended(&self, feed: $crate::Feed) -> ::core::option::Option<$crate::Appended> {
            $crate::StoreWrapper::inner(self).appended(feed)
        }
    };
    (@ read_document) => {
        $crate::forward_store! { @ ReadDocument read_document['life0 'life1](
            name: &'life1 $crate::DocumentName
        ) -> ::core::option::Option<$crate::Document> }
    };
    (@ write_document) => {
        $crate::forward_store! { @ WriteDocument write_document['life0](
            operation: $crate::Operation, write: $crate::WriteDocument
        ) -> $crate::DocumentWritten }
    };
    (@ list_documents) => {
        $crate::forward_store! { @ ListDocuments list_documents['life0 'life1](
            list: &'life1 $crate::ListDocuments
        ) -> ::std::vec::Vec<$crate::Document> }
    };
    (@ report) => {
        $crate::forward_store! { @ Report report['life0]() -> $crate::StoreReport }
    };
    (@ rollback) => {
        fn rollback<'life0, 'async_trait>(
            &'life0 self,
        ) -> $crate::Call<'async_trait, ::core::option::Option<$crate::Rollback>>
        where
            'life0: 'async_trait,
            Self: 'async_trait,
        {
            $crate::StoreWrapper::inner(self).rollback()
        }
    };
    (@ accept_rollback) => {
        fn accept_rollback<'life0, 'async_trait>(
            &'life0 self,
            events: ::std::vec::Vec<::std::vec::Vec<u8>>,
        ) -> $crate::Call<'async_trait, u16>
        where
            'life0: 'async_trait,
            Self: 'async_trait,
        {
            $crate::StoreWrapper::inner(self).accept_rollback(events)
        }
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
            $crate::StoreWrapper::inner(self).close()
        }
    };
    (@ $named:ident $method:ident[$($life:lifetime)+]($($given:ident: $type:ty),*) -> $done:ty) => {
        fn $method<$($life,)+ 'async_trait>(
            &'life0 self,
            $($given: $type),*
        ) -> $crate::Call<'async_trait, $done>
        where
            $($life: 'async_trait,)+
            Self: 'async_trait,
        {
            let call = $crate::StoreWrapper::inner(self).$method($($given),*);
            $crate::StoreWrapper::around(self, $crate::StoreMethod::$named, call)
        }
    };
}
