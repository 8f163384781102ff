//! The methods of the store contract, as a label.

/// A method of the store contract that can fail.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum StoreMethod {
    /// `Store::insert`
    Insert,
    /// `Store::load`
    Load,
    /// `Store::replace`
    Replace,
    /// `Store::reseal`
    Reseal,
    /// `Store::min_key_version`
    MinKeyVersion,
    /// `Store::raise_min_key_version`
    RaiseMinKeyVersion,
    /// `Store::consume`
    Consume,
    /// `Store::touch`
    Touch,
    /// `Store::revoke`
    Revoke,
    /// `Store::advance`
    Advance,
    /// `Store::stamp`
    Stamp,
    /// `Store::time_of`
    TimeOf,
    /// `Store::query`
    Query,
    /// `Store::heads`
    Heads,
    /// `Store::count`
    Count,
    /// `Store::tallies`
    Tallies,
    /// `Store::observe`
    Observe,
    /// `Store::entries`
    Entries,
    /// `Store::latest`
    Latest,
    /// `Store::read_document`
    ReadDocument,
    /// `Store::write_document`
    WriteDocument,
    /// `Store::list_documents`
    ListDocuments,
    /// `Store::report`
    Report,
}

impl StoreMethod {
    /// Every method.
    pub const ALL: [Self; 23] = [
        Self::Insert,
        Self::Load,
        Self::Replace,
        Self::Reseal,
        Self::MinKeyVersion,
        Self::RaiseMinKeyVersion,
        Self::Consume,
        Self::Touch,
        Self::Revoke,
        Self::Advance,
        Self::Stamp,
        Self::TimeOf,
        Self::Query,
        Self::Heads,
        Self::Count,
        Self::Tallies,
        Self::Observe,
        Self::Entries,
        Self::Latest,
        Self::ReadDocument,
        Self::WriteDocument,
        Self::ListDocuments,
        Self::Report,
    ];

    /// Returns the name of the method, as the label has it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Insert => "insert",
            Self::Load => "load",
            Self::Replace => "replace",
            Self::Reseal => "reseal",
            Self::MinKeyVersion => "min_key_version",
            Self::RaiseMinKeyVersion => "raise_min_key_version",
            Self::Consume => "consume",
            Self::Touch => "touch",
            Self::Revoke => "revoke",
            Self::Advance => "advance",
            Self::Stamp => "stamp",
            Self::TimeOf => "time_of",
            Self::Query => "query",
            Self::Heads => "heads",
            Self::Count => "count",
            Self::Tallies => "tallies",
            Self::Observe => "observe",
            Self::Entries => "entries",
            Self::Latest => "latest",
            Self::ReadDocument => "read_document",
            Self::WriteDocument => "write_document",
            Self::ListDocuments => "list_documents",
            Self::Report => "report",
        }
    }
}
