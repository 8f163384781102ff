//! The scripts: one for each verb, put together from the pieces in `lua/`.
//!
//! A script is all that makes a verb atomic, and is sent by its digest alone. All keys on the hot
//! paths are declared; what a page or a late id touches besides (records, chunks, directories), and
//! where a record that is there already is counted, follows from a declared key and lies in the same
//! slot.

use keyfob_store::{BucketCounts, Epoch};

/// The scripts of a store.
#[derive(Debug)]
pub(crate) struct Scripts {
    pub(crate) insert: Script,
    pub(crate) load: Script,
    pub(crate) replace: Script,
    pub(crate) reseal: Script,
    pub(crate) floor: Script,
    pub(crate) raise_floor: Script,
    pub(crate) consume: Script,
    pub(crate) touch: Script,
    pub(crate) revoke: Script,
    pub(crate) advance: Script,
    pub(crate) stamp: Script,
    pub(crate) newest: Script,
    pub(crate) expiring: Script,
    pub(crate) count: Script,
    pub(crate) spans: Script,
    pub(crate) hash: Script,
    pub(crate) observe: Script,
    pub(crate) entries: Script,
    pub(crate) latest: Script,
    pub(crate) meta: Script,
    pub(crate) exists: Script,
    pub(crate) walks: Script,
    pub(crate) end_walk: Script,
    pub(crate) charge: Script,
    pub(crate) refund: Script,
}

/// One script.
#[derive(Clone, Debug)]
pub(crate) struct Script {
    pub(crate) digest: String,
    pub(crate) text: String,
}

macro_rules! script {
    ($leaf:expr, $($piece:literal),+) => {
        Script::new(concat!($(include_str!(concat!("lua/", $piece, ".lua"))),+), $leaf)
    };
}

impl Scripts {
    pub(crate) fn new(leaf: u16) -> Self {
        Self {
            insert: script!(
                leaf, "names", "clock", "lane", "events", "index", "counting", "records", "insert"
            ),
            load: script!(leaf, "names", "header", "load"),
            replace: script!(
                leaf, "names", "clock", "lane", "header", "verdict", "events", "signal", "index",
                "counting", "counted", "shift", "records", "replace"
            ),
            reseal: script!(leaf, "names", "clock", "lane", "header", "index", "reseal"),
            floor: script!(leaf, "names", "floor"),
            raise_floor: script!(leaf, "names", "clock", "lane", "raise_floor"),
            consume: script!(
                leaf, "names", "clock", "header", "verdict", "counting", "counted", "spend"
            ),
            touch: script!(
                leaf, "names", "clock", "header", "verdict", "counting", "counted", "shift",
                "touch"
            ),
            revoke: script!(
                leaf,
                "when_full",
                "names",
                "clock",
                "lane",
                "advance_fn",
                "header",
                "verdict",
                "events",
                "signal",
                "counting",
                "counted",
                "count_listed",
                "revoke"
            ),
            advance: script!(
                leaf,
                "when_full",
                "names",
                "clock",
                "lane",
                "advance_fn",
                "header",
                "verdict",
                "events",
                "signal",
                "counting",
                "counted",
                "count_listed",
                "count_cells",
                "advance"
            ),
            stamp: script!(leaf, "names", "clock", "lane", "stamp"),
            newest: script!(leaf, "names", "order", "header", "page_fn", "newest"),
            expiring: script!(leaf, "names", "clock", "header", "page_fn", "leaves", "expiring"),
            count: script!(leaf, "names", "clock", "leaves", "count"),
            spans: script!(leaf, "names", "clock", "spans"),
            hash: script!(leaf, "names", "hash"),
            observe: script!(leaf, "names", "events", "observe"),
            entries: script!(leaf, "names", "clock", "entries"),
            latest: script!(leaf, "names", "clock", "latest"),
            meta: script!(leaf, "names", "meta"),
            exists: script!(leaf, "names", "exists"),
            walks: script!(leaf, "names", "walks"),
            end_walk: script!(leaf, "names", "end_walk"),
            charge: script!(leaf, "names", "clock", "meter", "charge"),
            refund: script!(leaf, "names", "clock", "meter", "refund"),
        }
    }

    pub(crate) fn all(&self) -> [&Script; 25] {
        [
            &self.insert,
            &self.load,
            &self.replace,
            &self.reseal,
            &self.floor,
            &self.raise_floor,
            &self.consume,
            &self.touch,
            &self.revoke,
            &self.advance,
            &self.stamp,
            &self.newest,
            &self.expiring,
            &self.count,
            &self.spans,
            &self.hash,
            &self.observe,
            &self.entries,
            &self.latest,
            &self.meta,
            &self.exists,
            &self.walks,
            &self.end_walk,
            &self.charge,
            &self.refund,
        ]
    }
}

impl Script {
    fn new(text: &str, leaf: u16) -> Self {
        let idle = Epoch::KEPT_AT_LEAST.as_millis();
        let text = text
            .replace("@ORDER@", include_str!("lua/order.lua"))
            .replace(
                "@VERDICT@",
                concat!(include_str!("lua/header.lua"), include_str!("lua/verdict.lua")),
            )
            .replace("@CAP@", &leaf.to_string())
            .replace("@COUNTED_OUT@", &BucketCounts::COUNTED_OUT.to_string())
            .replace("@IDLE@", &idle.to_string());
        let digest = redis::Script::new(&text).get_hash().to_owned();
        Self { digest, text }
    }
}
