//! What an Arrow file claims of itself, held against its size before anything of a size claimed is
//! made: the lengths of its messages, and what their compressed parts are said to become.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};

use arrow_ipc::reader::read_footer_length;
use arrow_ipc::{CompressionType, RecordBatch, root_as_footer, root_as_message};

use crate::data::memory;
use crate::error::size;

/// What a file in disorder is told to be.
type Problem = String;

const CONTINUED: [u8; 4] = [0xff; 4];
/// Bytes at a file's start and end that are no message: magic, and magic with the footer's length.
const START: u64 = 8;
const END: u64 = 10;
/// Bytes of a batch from which on it is asked whether there is memory for it.
const LARGE: u64 = 256 << 20;

/// A file, and how long it is.
struct Checked<'a> {
    file: &'a mut File,
    length: u64,
}

/// Checks a file that begins with the magic, or a stream.
pub(super) fn check(file: &mut File, is_stream: bool) -> Result<(), Problem> {
    let length = file.seek(SeekFrom::End(0)).map_err(said)?;
    let mut checked = Checked { file, length };
    if is_stream { checked.stream() } else { checked.blocks() }
}

fn said(error: impl std::fmt::Display) -> Problem {
    error.to_string()
}

fn unsigned(number: i64) -> Result<u64, Problem> {
    u64::try_from(number).map_err(|_| format!("a length or a place of {number}"))
}

impl Checked<'_> {
    /// Bytes that must be there.
    fn read(&mut self, from: u64, length: u64) -> Result<Vec<u8>, Problem> {
        if from.checked_add(length).is_none_or(|end| end > self.length) {
            let there = self.length;
            return Err(format!("{length} bytes are said to be at byte {from} of {there}"));
        }
        self.file.seek(SeekFrom::Start(from)).map_err(said)?;
        let mut bytes = Vec::new();
        self.file.by_ref().take(length).read_to_end(&mut bytes).map_err(said)?;
        Ok(bytes)
    }

    fn blocks(&mut self) -> Result<(), Problem> {
        let end = self.length.checked_sub(END + START).ok_or("it ends within its first bytes")?;
        let tail: [u8; 10] =
            self.read(end + START, END)?.try_into().map_err(|_| "it became shorter")?;
        let footer_length = read_footer_length(tail).map_err(said)? as u64;
        let start = end.checked_sub(footer_length).ok_or("its footer is longer than the file")?;
        let footer = self.read(start + START, footer_length)?;
        let footer = root_as_footer(&footer).map_err(said)?;
        let batches = footer.recordBatches().into_iter().flatten();
        for block in footer.dictionaries().into_iter().flatten().chain(batches) {
            let (at, meta) = (unsigned(block.offset())?, unsigned(block.metaDataLength().into())?);
            let head = self.read(at, meta)?;
            let head = head.strip_prefix(&CONTINUED).unwrap_or(&head);
            let head = head.get(4..).ok_or("a message without a head")?;
            self.message(head, at + meta, Some(unsigned(block.bodyLength())?))?;
        }
        Ok(())
    }

    fn stream(&mut self) -> Result<(), Problem> {
        let mut at = 0;
        while at < self.length {
            let mut length = self.read(at, 4)?;
            at += 4;
            if length == CONTINUED {
                length = self.read(at, 4)?;
                at += 4;
            }
            let length = length.try_into().map_or(0, u32::from_le_bytes);
            if length == 0 {
                return Ok(());
            }
            let head = self.read(at, length.into())?;
            at += u64::from(length);
            at += self.message(&head, at, None)?;
        }
        Ok(())
    }

    /// Checks a message whose body begins at a byte, and gives the length of that.
    fn message(&mut self, head: &[u8], body: u64, length: Option<u64>) -> Result<u64, Problem> {
        let message = root_as_message(head).map_err(said)?;
        let length = length.map_or_else(|| unsigned(message.bodyLength()), Ok)?;
        self.read(body.saturating_add(length), 0)?;
        let batch = message.header_as_record_batch();
        let dictionary = message.header_as_dictionary_batch().and_then(|batch| batch.data());
        if let Some(batch) = batch.or(dictionary) {
            let unpacked = self.unpacked(&batch, body)?.unwrap_or(length);
            // A row has a bit at least, unless all of its columns are of the type that has no values.
            let rows = unsigned(batch.length())?;
            if rows / 8 > unpacked {
                return Err(format!("{unpacked} bytes are said to hold {rows} rows"));
            }
        }
        Ok(length)
    }

    /// Checks what the compressed parts of a batch are said to become, and sums it up: a byte of LZ4
    /// stands for 255 at most, and four of zstd for 128 KiB. None where nothing is compressed.
    fn unpacked(&mut self, batch: &RecordBatch, body: u64) -> Result<Option<u64>, Problem> {
        let Some(compression) = batch.compression() else { return Ok(None) };
        let mut all = 0_u64;
        let times = if compression.codec() == CompressionType::ZSTD { 1 << 15 } else { 255 };
        for part in batch.buffers().into_iter().flatten() {
            let (at, length) = (unsigned(part.offset())?, unsigned(part.length())?);
            let Some(packed) = length.checked_sub(8).filter(|packed| *packed > 0) else { continue };
            let claimed = self.read(body.saturating_add(at), 8)?;
            let claimed = claimed.try_into().map_or(0, i64::from_le_bytes);
            // What is not compressed after all claims -1.
            let claimed = u64::try_from(claimed).unwrap_or(packed);
            if claimed / times > packed {
                return Err(format!("{packed} compressed bytes are said to become {claimed}"));
            }
            all = all.saturating_add(claimed);
        }
        if all > LARGE && memory::available().is_some_and(|free| all > free) {
            return Err(format!("a batch takes {}, and there is no room for it", size(all)));
        }
        Ok(Some(all))
    }
}
