//! Files harmed at random: whatever becomes of them, the program goes on.

use arrow_ipc::CompressionType;
use parquet::basic::Compression;

use super::columnar::{arrow_file, arrow_stream, parquet_of, table};
use super::*;

/// Numbers without end, the same in each run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % end as u64).expect("below a usize")
    }
}

#[test]
fn harmed_files_are_refused_or_read() {
    let folder = Folder::new();
    let table = table();
    for (name, good) in [
        ("a.parquet", parquet_of(&table, Compression::SNAPPY)),
        ("a.arrow", arrow_file(&table, None)),
        ("b.arrow", arrow_file(&table, Some(CompressionType::LZ4_FRAME))),
        ("c.arrow", arrow_file(&table, Some(CompressionType::ZSTD))),
        ("a.arrows", arrow_stream(&table)),
    ] {
        let mut dice = Dice(20_240_331);
        let mut refused = 0;
        for _ in 0..400 {
            let mut bad = good.clone();
            for _ in 0..=dice.below(3) {
                // As often in the last kilobyte, where the footer is, as anywhere.
                let reach = if dice.below(2) == 0 { bad.len() } else { bad.len().min(1024) };
                let at = bad.len() - 1 - dice.below(reach);
                bad[at] = [0, 0xff, 0x7f, dice.below(256) as u8][dice.below(4)];
            }
            if dice.below(10) == 0 {
                bad.truncate(dice.below(bad.len()));
            }
            refused += usize::from(read(&folder.file(name, bad)).is_err());
        }
        // Were it none, nothing would have been harmed.
        assert!(refused > 50, "{name}: {refused}");
    }
}

#[test]
fn files_cut_short_are_refused_wherever_it_is() {
    let folder = Folder::new();
    let table = table();
    for (name, good) in [
        ("a.parquet", parquet_of(&table, Compression::SNAPPY)),
        ("a.arrow", arrow_file(&table, None)),
    ] {
        for part in 1..20 {
            let said = refused(&folder.file(name, &good[..good.len() * part / 20]));
            assert_says(&said, &[name, "not", "is the file complete"]);
        }
    }
}

#[test]
fn what_a_batch_is_said_to_become_is_checked_before_it_is_made() {
    let folder = Folder::new();
    let mut bad = arrow_file(&table(), Some(CompressionType::LZ4_FRAME));
    // The length of a compressed part stands before the magic of LZ4.
    let frame = bad.windows(4).position(|bytes| bytes == [4, 0x22, 0x4d, 0x18]).expect("a frame");
    bad[frame - 8..frame].copy_from_slice(&(1_i64 << 58).to_le_bytes());
    let said = refused(&folder.file("a.arrow", bad));
    assert_says(&said, &["a.arrow", "compressed bytes are said to become 288230376151711744"]);
}

#[test]
fn other_files_by_these_names_are_refused() {
    let folder = Folder::new();
    for name in ["a.parquet", "a.arrow", "a.feather", "a.npy", "a.npz"] {
        let said = refused(&folder.file(name, "a,b\n1,2\n3,4\n"));
        assert_says(&said, &[name, "not", "text"]);
        assert_says(&refused(&folder.file(name, "")), &[name, "the file is empty"]);
    }
    let zip = refused(&folder.file("book.xlsx", b"PK\x03\x04 and so on"));
    assert_says(&zip, &["unknown kind of file: .xlsx", ".csv"]);
}
