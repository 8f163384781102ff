//! The keys and the arguments of each script, in the order in which they are sent.
//!
//! `more_keys` and `more_args` name lists of any length that follow. Their first position is known; a
//! script learns from other arguments where a later list begins.

use std::sync::Arc;

use super::arg::Arg;
use super::script::Script;
use super::signature::{Group, Signature};

macro_rules! scripts {
    ($(
        $(#[$doc:meta])*
        $name:ident {
            $(keys: $($key:ident),+;)?
            $(more_keys: $($more_key:ident),+;)?
            $(args: $($arg:ident),+;)?
            $(more_args: $($more_arg:ident),+;)?
        }
    )+) => {
        $(
            $(#[$doc])*
            pub(crate) mod $name {
                use super::*;

                $(
                    /// The keys of the script, without the lists that follow.
                    pub(crate) struct Keys { $(pub(crate) $key: Vec<u8>),+ }

                    impl From<Keys> for Vec<Vec<u8>> {
                        fn from(keys: Keys) -> Self {
                            vec![$(keys.$key),+]
                        }
                    }
                )?

                $(
                    /// The arguments of the script, without the lists that follow.
                    pub(crate) struct Args { $(pub(crate) $arg: Arg),+ }

                    impl From<Args> for Vec<Arg> {
                        fn from(args: Args) -> Self {
                            vec![$(args.$arg),+]
                        }
                    }
                )?

                pub(in super::super) const SIGNATURE: Signature = Signature {
                    name: stringify!($name),
                    keys: &[$($(stringify!($key)),+)?],
                    more_keys: &[$($(stringify!($more_key)),+)?],
                    args: &[$($(stringify!($arg)),+)?],
                    more_args: &[$($(stringify!($more_arg)),+)?],
                    groups: GROUPS,
                    source: include_str!(concat!("../lua/", stringify!($name), ".lua")),
                };
            }
        )+

        /// The scripts of a store.
        #[derive(Debug)]
        pub(crate) struct Scripts {
            $($(#[$doc])* pub(crate) $name: Script,)+
        }

        impl Scripts {
            /// Assembles the scripts. A leaf of an index is split when it holds `leaf_capacity` ids.
            pub(crate) fn new(leaf_capacity: u16) -> Arc<Self> {
                Arc::new(Self { $($name: Script::new(&$name::SIGNATURE, leaf_capacity),)+ })
            }

            pub(crate) fn all(&self) -> impl Iterator<Item = &Script> {
                [$(&self.$name),+].into_iter()
            }
        }

        #[cfg(test)]
        pub(super) const SIGNATURES: &[Signature] = &[$($name::SIGNATURE),+];
    };
}

macro_rules! groups {
    ($($(#[$doc:meta])* $name:ident, $type:ident in $table:ident of $item:ty: $($field:ident),+;)+) => {
        $(
            $(#[$doc])*
            pub(crate) struct $type { $(pub(crate) $field: $item),+ }

            impl From<$type> for Vec<$item> {
                fn from(group: $type) -> Self {
                    vec![$(group.$field),+]
                }
            }
        )+

        /// The groups that scripts may name.
        pub(super) const GROUPS: &[Group] = &[$(Group {
            name: stringify!($name),
            table: stringify!($table),
            fields: &[$(stringify!($field)),+],
        }),+];
    };
}

scripts! {
    /// Stores new records in one step.
    insert {
        keys: lane, stream, answer;
        more_keys: records;
        args: namespace, create_lane_until, deadline, remember_answer, entry_cap, stream_expires_at, entry_count, record_count;
        more_args: records, entries;
    }

    /// Loads one record with what decides whether it is revoked.
    load {
        keys: lane, record, last_use, note;
    }

    /// Loads one record without its last use and its note.
    load_existing {
        keys: lane, record;
    }

    /// Returns the string at a key.
    read_string {
        keys: key;
    }

    /// Replaces the body of a record if its version is the one that was read, and stores what is
    /// minted from it in the same step.
    replace {
        keys: lane, stream, answer, record, signal, count_directory;
        more_keys: added_heads, minted;
        args: namespace, create_lane_until, deadline, id_suffix, entry_cap, stream_expires_at, entry_count, version, body,
            key_version, moved_end_bucket, added_count, are_broad, minted_count, remember_answer;
        more_args: minted, entries;
    }

    /// Replaces the sealed form of a record and lists it under other terms.
    reseal {
        keys: lane, record;
        more_keys: added_heads, former_heads;
        args: namespace, create_lane_until, deadline, id_suffix, version, body, key_version, added_count, are_broad;
    }

    /// Returns the lowest key version that a lane accepts.
    min_key_version {
        keys: lane;
    }

    /// Raises the lowest key version that a lane accepts.
    raise_min_key_version {
        keys: lane;
        args: namespace, create_lane_until, key_version;
    }

    /// Reads a document of the service.
    read_document {
        keys: documents;
        args: name;
    }

    /// Writes or deletes a document of the service if it is as it was read.
    write_document {
        keys: lane, answer, documents, document_names;
        args: namespace, create_lane_until, deadline, name, version, key_version, document;
    }

    /// Lists documents of the service in the order of their names.
    list_documents {
        keys: documents, document_names;
        args: first, before, limit;
    }

    /// Takes one of the uses of a token.
    consume {
        keys: lane, answer, record, count_directory;
        args: namespace, create_lane_until, deadline, id_suffix;
    }

    /// Stores when tokens were last used.
    touch {
        keys: lane, count_directory;
        more_keys: touched;
        args: namespace, create_lane_until;
        more_args: touched;
    }

    /// Revokes one record, and what descends from it.
    revoke {
        keys: lane, stream, record, note, answer, signal, count_directory;
        more_keys: listed_heads;
        args: namespace, create_lane_until, deadline, id_suffix, entry_cap, stream_expires_at, entry_count, operation, revoked_at,
            tombstone, revocation_note, cascade_field;
        more_args: entries;
    }

    /// Advances one epoch of one lane.
    advance {
        keys: lane, stream, answer, signal, count_directory;
        more_keys: unfinished_or_heads;
        args: namespace, create_lane_until, deadline, answer_expires_at, entry_cap, stream_expires_at, entry_count, operation,
            revoked_at, revocation_note, field, unfinished_advance, record_prefix, count_out;
        more_args: entries;
    }

    /// Returns the stamp of a lane and keeps the lane for as long as a login may take.
    stamp {
        keys: lane;
        args: namespace, create_lane_until;
    }

    /// Returns the newest records under a term.
    query_newest {
        keys: lane;
        more_keys: heads;
        args: limit, leaf_budget, below, record_prefix, last_use_prefix, note_prefix;
    }

    /// Returns the newest ids under a term.
    newest_ids {
        more_keys: heads;
        args: limit, leaf_budget, below;
    }

    /// Loads records with ids that an index holds.
    load_listed {
        keys: lane;
        args: record_prefix, last_use_prefix, note_prefix;
        more_args: ids;
    }

    /// Returns the heads of the newest records under a term.
    heads_newest {
        keys: lane;
        more_keys: heads;
        args: namespace, limit, leaf_budget, below, record_prefix;
    }

    /// Returns the records under a term that expire soonest.
    query_expiring {
        keys: lane;
        more_keys: heads;
        args: limit, leaf_budget, resume_at, after_score, after_id, record_prefix, last_use_prefix,
            note_prefix;
    }

    /// Counts the ids under a term.
    count {
        more_keys: heads;
        args: leaf_budget, resume_at;
    }

    /// Returns the names of a lane's count buckets whose time is not over.
    count_buckets {
        keys: count_directory;
    }

    /// Returns the fields of a hash and their values.
    read_hash {
        keys: hash;
    }

    /// Appends observations.
    observe {
        keys: stream;
        args: entry_cap, stream_expires_at, entry_count;
        more_args: entries;
    }

    /// Returns the entries of a stream after a position.
    entries {
        keys: stream;
        args: after, limit, reports_trimming;
    }

    /// Returns the position of a stream's newest entry.
    latest {
        keys: stream;
    }

    /// Reads the description of a namespace, and creates it if it is given one.
    namespace_meta {
        keys: meta;
        args: created;
    }

    /// Writes the copy of the description in a lane's slot where it is missing or different.
    write_meta_copy {
        keys: copy;
        args: meta, write_until;
    }

    /// Returns whether a lane exists, and the tag of its namespace.
    lane_owner {
        keys: lane;
    }

    /// Returns a few of the advances over all lanes that are unfinished.
    unfinished_advances {
        keys: unfinished;
    }

    /// Removes an advance that is finished.
    forget_advance {
        keys: unfinished;
        args: operation;
    }

    /// Takes the permits of several rate limits, or none.
    charge {
        more_keys: limits;
        more_args: charges;
    }

    /// Renews the pulse of a lane, and refuses its older tokens if the store was rolled back.
    renew_pulse {
        keys: lane, signal;
        args: namespace, known_pulse, interval, tolerance;
    }

    /// Returns from when to when a lane has lost its writes.
    rollback {
        keys: lane;
    }

    /// Accepts the tokens again that are refused since the lane was rolled back.
    accept_rollback {
        keys: lane, stream;
        args: entry_cap, stream_expires_at, entry_count;
        more_args: entries;
    }

    /// Returns which commands the user may not run.
    missing_permissions {
        keys: any;
        more_args: commands;
    }

    /// Gives back permits that were just taken.
    refund {
        more_keys: limits;
        args: taken_at;
        more_args: refunds;
    }
}

groups! {
    /// A record to store. Its keys are the record's, the heads of its terms and its count buckets.
    new_record, NewRecordArgs in ARGV of Arg:
        before_stamp, after_stamp, keep_until, score, index_expires_at, seen_stamp, epoch_fields,
        term_count, bucket_count, stored_field, exhausted_field;

    /// A last use to store.
    touched, TouchedArgs in ARGV of Arg: id_suffix, used_at, moved_end_bucket;

    /// The keys of a last use.
    touched_keys, TouchedKeys in KEYS of Vec<u8>: record, last_use;

    /// Permits to take from one limit.
    charge, ChargeArgs in ARGV of Arg: permit, drain, burst, min_permits, max_permits;

    /// Units to give back to one limit.
    refund, RefundArgs in ARGV of Arg: units, permit, drain;
}
