//! A text file in blocks of whole records, so that several can be split into fields at once.

use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use memchr::{memchr, memchr_iter, memrchr};

use super::source::read_error;
use crate::error::{Error, Place, Result};

/// Bytes of a block, as near as the records allow.
const BLOCK: usize = if cfg!(test) { 1 << 10 } else { 1 << 20 };
/// The most bytes that one record may have, so that an unclosed quote cannot eat the memory.
const LONGEST_RECORD: usize = if cfg!(test) { 1 << 20 } else { 64 << 20 };

/// Whole records.
#[derive(Debug, Clone, Default)]
pub(super) struct Block {
    /// The line that the first one begins on, from 1.
    pub(super) line: u64,
    /// Their bytes; the last record is ended too.
    pub(super) bytes: Vec<u8>,
}

/// The blocks of a file, read forward.
pub(super) struct Blocks {
    path: Arc<Path>,
    reader: Box<dyn Read + Send>,
    delimiter: u8,
    /// What was read of the record that is not whole yet, and the line that it begins on.
    rest: Vec<u8>,
    line: u64,
    ended: bool,
}

impl Blocks {
    /// The blocks of what a reader reads, whose fields are parted by `delimiter`.
    pub(super) fn new(path: Arc<Path>, reader: Box<dyn Read + Send>, delimiter: u8) -> Self {
        Self { path, reader, delimiter, rest: Vec::new(), line: 1, ended: false }
    }

    /// The next block; none at the end.
    pub(super) fn next(&mut self) -> Result<Option<Block>> {
        let mut size = BLOCK.max(self.rest.len());
        loop {
            self.fill(size)?;
            let end = if self.ended {
                self.rest.len()
            } else {
                last_record_end(&self.rest, self.delimiter).unwrap_or(0)
            };
            if end > 0 {
                let rest = self.rest.split_off(end);
                let bytes = std::mem::replace(&mut self.rest, rest);
                let line = self.line;
                self.line += memchr_iter(b'\n', &bytes).count() as u64;
                return Ok(Some(Block { line, bytes }));
            }
            if self.ended {
                return Ok(None);
            }
            if self.rest.len() >= LONGEST_RECORD {
                let most = LONGEST_RECORD >> 20;
                let problem = format!("a record of more than {most} MiB starts here");
                return Err(Error::data(&self.path, Place::line(self.line), problem)
                    .with_help("is a quote left open?"));
            }
            size = size.saturating_mul(2).min(LONGEST_RECORD);
        }
    }

    /// Reads until `rest` has this size or the file ends, and ends its last line.
    fn fill(&mut self, size: usize) -> Result<()> {
        let more = size.saturating_sub(self.rest.len());
        if self.ended || more == 0 {
            return Ok(());
        }
        let mut piece = self.reader.by_ref().take(more as u64);
        let read = piece.read_to_end(&mut self.rest);
        self.ended = read.map_err(|error| read_error(&self.path, error))? < more;
        if self.ended && self.rest.last().is_some_and(|last| *last != b'\n') {
            self.rest.push(b'\n');
        }
        Ok(())
    }
}

/// Where the last whole record ends among bytes that begin with a record. A quote opens at the start
/// of a field only, and a pair of them within a quoted field is one of its characters.
fn last_record_end(bytes: &[u8], delimiter: u8) -> Option<usize> {
    let mut outside = 0;
    let mut end = None;
    let last_line =
        |from: usize, to: usize| memrchr(b'\n', &bytes[from..to]).map(|at| from + at + 1);
    while let Some(quote) = memchr(b'"', &bytes[outside..]) {
        let quote = outside + quote;
        end = last_line(outside, quote).or(end);
        outside = quote + 1;
        let before = quote.checked_sub(1).map_or(b'\n', |before| bytes[before]);
        if before != b'\n' && before != delimiter {
            continue;
        }
        loop {
            let Some(next) = memchr(b'"', &bytes[outside..]) else { return end };
            outside += next + 1;
            if bytes.get(outside) != Some(&b'"') {
                break;
            }
            outside += 1;
        }
    }
    last_line(outside, bytes.len()).or(end)
}

#[cfg(test)]
mod tests {
    use super::last_record_end;

    #[test]
    fn records_end_at_line_feeds_outside_of_quotes() {
        for (text, end) in [
            ("a,b\n1,2", Some(4)),
            ("a,b", None),
            ("a,\"x\ny\"\nb", Some(8)),
            ("a,\"x\ny", None),
            ("1,2\na,\"x\ny", Some(4)),
            ("1,2\na,\"x\n\"\"\ny\"\n", Some(15)),
            // A quote within a field that has none at its start is a character.
            ("5\" nail,1\n6", Some(10)),
            ("5,\"a\"b\"\nc", Some(8)),
            ("\"a\n\",1\n\"", Some(7)),
            ("a,\"b\"", None),
        ] {
            assert_eq!(last_record_end(text.as_bytes(), b','), end, "{text:?}");
        }
    }
}
