//! A view of a file that keeps what is written in memory. With it the engine repairs what a crash has
//! left, in a file that may only be read: a copy of a file in use is in that state.

use std::collections::BTreeMap;
use std::io;
use std::ops::Bound;
use std::sync::{PoisonError, RwLock};

use redb::backends::FileBackend;
use redb::{BackendError, StorageBackend};

const BLOCK_BYTES: u64 = 4096;

/// A file that is never changed, below blocks in memory.
#[derive(Debug)]
pub(crate) struct Overlay {
    file: FileBackend,
    written: RwLock<Written>,
}

#[derive(Debug)]
struct Written {
    blocks: BTreeMap<u64, Box<[u8]>>,
    len: u64,
    /// Bytes of the file from this position on are not part of the view: it was once shorter.
    file_end: u64,
}

impl Overlay {
    pub(crate) fn new(file: FileBackend) -> io::Result<Self> {
        let len = file.len()?;
        let written = Written { blocks: BTreeMap::new(), len, file_end: len };
        Ok(Self { file, written: RwLock::new(written) })
    }

    /// Reads a block of the file. What lies beyond its end is zero.
    fn file_block(&self, number: u64, file_end: u64) -> io::Result<Box<[u8]>> {
        let mut block = vec![0; BLOCK_BYTES as usize].into_boxed_slice();
        let start = number * BLOCK_BYTES;
        let within = file_end.saturating_sub(start).min(BLOCK_BYTES) as usize;
        if let Some(part) = block.get_mut(..within).filter(|part| !part.is_empty()) {
            self.file.read(start, part)?;
        }
        Ok(block)
    }
}

/// Splits a range into the parts that lie in one block: the block, the offset in it, and the length.
fn parts(offset: u64, len: usize) -> impl Iterator<Item = (u64, usize, usize)> {
    let end = offset + len as u64;
    let mut at = offset;
    std::iter::from_fn(move || {
        let within = at % BLOCK_BYTES;
        let len = (BLOCK_BYTES - within).min(end - at);
        let part = (at / BLOCK_BYTES, within as usize, len as usize);
        at += len;
        (len > 0).then_some(part)
    })
}

impl StorageBackend for Overlay {
    fn len(&self) -> io::Result<u64> {
        Ok(self.written.read().unwrap_or_else(PoisonError::into_inner).len)
    }

    fn read(&self, offset: u64, mut out: &mut [u8]) -> io::Result<()> {
        let written = self.written.read().unwrap_or_else(PoisonError::into_inner);
        if written.len < offset + out.len() as u64 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        for (number, within, len) in parts(offset, out.len()) {
            let from_file;
            let block = match written.blocks.get(&number) {
                Some(block) => block,
                None => {
                    from_file = self.file_block(number, written.file_end)?;
                    &from_file
                }
            };
            let (part, rest) = out.split_at_mut(len);
            part.copy_from_slice(block.get(within..within + len).unwrap_or_default());
            out = rest;
        }
        Ok(())
    }

    fn write(&self, offset: u64, mut data: &[u8]) -> io::Result<()> {
        let mut written = self.written.write().unwrap_or_else(PoisonError::into_inner);
        for (number, within, len) in parts(offset, data.len()) {
            if !written.blocks.contains_key(&number) {
                let block = self.file_block(number, written.file_end)?;
                written.blocks.insert(number, block);
            }
            let (part, rest) = data.split_at(len);
            let block = written.blocks.get_mut(&number);
            if let Some(target) = block.and_then(|block| block.get_mut(within..within + len)) {
                target.copy_from_slice(part);
            }
            data = rest;
        }
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut written = self.written.write().unwrap_or_else(PoisonError::into_inner);
        if len < written.len {
            // The part that is cut off must read as zero if the view grows again.
            written.file_end = written.file_end.min(len);
            written.blocks.split_off(&len.div_ceil(BLOCK_BYTES));
            let within = (len % BLOCK_BYTES) as usize;
            if let Some(block) = written.blocks.get_mut(&(len / BLOCK_BYTES)) {
                block.iter_mut().skip(within).for_each(|byte| *byte = 0);
            }
        }
        written.len = len;
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn close(&self) -> io::Result<()> {
        self.file.close()
    }

    // Others may read the file too, and no process may write it meanwhile.
    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.try_lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.query_lock_range(start, end)
    }
}
