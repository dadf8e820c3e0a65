//! Harm done to good files, the same in each run.

/// Random numbers: xorshift.
pub struct Dice(u64);

impl Dice {
    /// Numbers that follow from a seed.
    pub fn new(seed: u64) -> Self {
        // Neighbouring seeds begin far apart, and none with zero.
        Self((seed.wrapping_add(1)).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// One below `end`, which is not 0.
    pub fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).expect("below a usize")
    }

    fn range(&mut self, length: usize) -> std::ops::Range<usize> {
        let from = self.below(length + 1);
        let most = if self.below(2) == 0 { 16 } else { length };
        from..(from + self.below(most + 1)).min(length)
    }
}

/// Harms a file in one way or a few.
pub fn harmed(good: &[u8], dice: &mut Dice) -> Vec<u8> {
    let mut bytes = good.to_vec();
    for _ in 0..=dice.below(3) {
        harm(&mut bytes, dice);
    }
    bytes
}

fn harm(bytes: &mut Vec<u8>, dice: &mut Dice) {
    if bytes.is_empty() {
        bytes.push(0);
    }
    // Headers are at the start, and footers at the end.
    let length = bytes.len();
    let near = length.min(64);
    let at = match dice.below(4) {
        0 => dice.below(near),
        1 => length - 1 - dice.below(near),
        _ => dice.below(length),
    };
    match dice.below(8) {
        0 => bytes[at] ^= 1 << dice.below(8),
        1 => bytes[at] = [0, 1, 0x7f, 0x80, 0xff, b'"', b'\n', b'['][dice.below(8)],
        2 => bytes.truncate(at),
        3 => {
            let copy = bytes[dice.range(length)].to_vec();
            bytes.splice(at..at, copy);
        }
        4 => drop(bytes.drain(dice.range(length))),
        5 => digits(bytes, at, dice),
        _ => number(bytes, at, dice),
    }
}

/// Makes a number of 1, 2, 4 or 8 bytes none, the most, or one more or less.
fn number(bytes: &mut [u8], at: usize, dice: &mut Dice) {
    let size = 1 << dice.below(4);
    let Some(place) = bytes.get_mut(at..at + size) else { return };
    let big_endian = dice.below(4) == 0;
    if big_endian {
        place.reverse();
    }
    let mut wide = [0; 8];
    wide[..size].copy_from_slice(place);
    let old = u64::from_le_bytes(wide);
    let new = match dice.below(6) {
        0 => 0,
        1 => u64::MAX,
        2 => u64::MAX >> 1 >> (64 - 8 * size),
        3 => old.wrapping_add(1),
        4 => old.wrapping_sub(1),
        _ => old.wrapping_mul(1 << dice.below(32)),
    };
    place.copy_from_slice(&new.to_le_bytes()[..size]);
    if big_endian {
        place.reverse();
    }
}

/// Makes another number of the first one written in digits behind a place.
fn digits(bytes: &mut Vec<u8>, at: usize, dice: &mut Dice) {
    let is_digit = |byte: &u8| byte.is_ascii_digit();
    let Some(from) = bytes[at..].iter().position(is_digit).map(|from| at + from) else { return };
    let length = bytes[from..].iter().take_while(|byte| is_digit(byte)).count();
    let numbers: [&[u8]; 9] = [
        b"0",
        b"-1",
        b"4294967295",
        b"4294967296",
        b"9223372036854775807",
        b"18446744073709551615",
        b"1e400",
        b"1e-400",
        b"99999999999999999999999999",
    ];
    bytes.splice(from..from + length, numbers[dice.below(numbers.len())].iter().copied());
}
