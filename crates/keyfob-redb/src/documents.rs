//! Documents of the service: reads, and the rows.

use std::ops::Bound;

use keyfob_store::{
    Document, DocumentName, DocumentVersion, KeyVersion, ListDocuments, OperationId,
};
use redb::{ReadOnlyTable, ReadTransaction, ReadableTable, TableError};

use crate::error::TxError;
use crate::row::Damaged;
use crate::tables;

type Bytes = ReadOnlyTable<&'static [u8], &'static [u8]>;

/// Reads one document.
pub(crate) fn read(
    transaction: &ReadTransaction,
    name: &DocumentName,
) -> Result<Option<Document>, TxError> {
    let Some(table) = open(transaction)? else { return Ok(None) };
    match table.get(name.as_str().as_bytes())? {
        Some(row) => Ok(Some(parse(name.clone(), row.value())?)),
        None => Ok(None),
    }
}

/// Lists documents in the order of their names.
pub(crate) fn list(
    transaction: &ReadTransaction,
    list: &ListDocuments,
) -> Result<Vec<Document>, TxError> {
    let (first, before) = list.bounds();
    let Some(table) = open(transaction)?.filter(|_| first < before) else { return Ok(Vec::new()) };
    let bounds = (Bound::Included(first.as_slice()), Bound::Excluded(before.as_slice()));
    let mut documents = Vec::new();
    for row in table.range::<&[u8]>(bounds)?.take(list.page_size()) {
        let (name, row) = row?;
        documents.push(parse(name_of(name.value())?, row.value())?);
    }
    Ok(documents)
}

/// Checks every row, and calls `problem` for each that cannot be read.
pub(crate) fn check(
    transaction: &ReadTransaction,
    mut problem: impl FnMut(TxError),
) -> Result<(), TxError> {
    let Some(table) = open(transaction)? else { return Ok(()) };
    for row in table.iter()? {
        let (name, row) = row?;
        let parsed = name_of(name.value()).and_then(|name| parse(name, row.value()));
        if let Err(error) = parsed {
            problem(error);
        }
    }
    Ok(())
}

fn open(transaction: &ReadTransaction) -> Result<Option<Bytes>, TxError> {
    match transaction.open_table(tables::DOCUMENTS) {
        Ok(table) => Ok(Some(table)),
        Err(TableError::TableDoesNotExist(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn name_of(key: &[u8]) -> Result<DocumentName, TxError> {
    let name = std::str::from_utf8(key).ok().and_then(|name| name.parse().ok());
    name.ok_or_else(|| Damaged("its name is invalid").of("a document").into())
}

/// Returns the row of a document.
pub(crate) fn row(document: &Document) -> Vec<u8> {
    let key = document.key.value().to_be_bytes();
    [document.version.0.as_bytes(), &key[..], &document.body].concat()
}

/// Reads a row.
pub(crate) fn parse(name: DocumentName, row: &[u8]) -> Result<Document, TxError> {
    let fields = || {
        let (version, rest) = row.split_first_chunk()?;
        let (key, body) = rest.split_first_chunk()?;
        let version = DocumentVersion(OperationId::from_bytes(*version));
        Some((version, KeyVersion::new(u16::from_be_bytes(*key)), body.to_vec()))
    };
    let damaged = || Damaged("it is shorter than its header").of(&name);
    let (version, key, body) = fields().ok_or_else(damaged)?;
    Ok(Document { name, version, key, body })
}
