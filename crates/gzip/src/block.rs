//! Compresses one block of a gzip member with libdeflate, so that another block can follow it.
//!
//! libdeflate writes whole deflate streams only (RFC 1951): the last of its deflate blocks has the flag BFINAL, after
//! which a reader stops. To let more blocks follow, that flag is cleared and an empty stored block is appended, which
//! ends at a whole byte, as zlib's Z_SYNC_FLUSH does. Where the last deflate block begins and where it ends is only
//! known after reading the codes of the whole stream.

use anyhow::{Context as _, bail, ensure};
use libdeflater::{CompressionLvl, Compressor};

/// The level of libdeflate, 1 to 12. At 6 its output is as small as that of zlib at 9, in a third of the processor
/// time.
pub(super) const LEVEL: i32 = 6;

/// Compresses `block` as raw deflate. Unless it is the `last` block, the result ends at a whole byte and does not end
/// the deflate stream.
///
/// # Errors
/// When the codec fails, which it does not for any input.
pub(super) fn deflate(block: &[u8], last: bool) -> anyhow::Result<Vec<u8>> {
    let level = CompressionLvl::new(LEVEL)
        .ok()
        .context("libdeflate does not know the level")?;
    let mut compressor = Compressor::new(level);
    let mut deflated = vec![0; compressor.deflate_compress_bound(block.len())];
    let length = compressor
        .deflate_compress(block, &mut deflated)
        .context("cannot compress")?;
    deflated.truncate(length);
    if !last {
        open(&mut deflated)?;
    }
    Ok(deflated)
}

/// Changes a whole deflate stream so that more deflate blocks can follow it.
fn open(stream: &mut Vec<u8>) -> anyhow::Result<()> {
    let span = Reader::new(stream).last_block()?;
    ensure!(
        span.end.div_ceil(8) == stream.len(),
        "libdeflate wrote {} bytes after the end of the deflate stream",
        stream.len().saturating_sub(span.end.div_ceil(8))
    );
    stream[span.start / 8] &= !(1 << (span.start % 8));
    // The three zero bits that begin a stored block fit into the last byte, or need one more.
    if (1..=5).contains(&(span.end % 8)) {
        stream.extend([0, 0, 0xff, 0xff]);
    } else {
        stream.extend([0, 0, 0, 0xff, 0xff]);
    }
    Ok(())
}

/// Where a deflate block begins and ends, in bits from the start of the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Span {
    start: usize,
    end: usize,
}

/// Reads a deflate stream without decompressing it: only to know where its blocks are.
struct Reader<'a> {
    stream: &'a [u8],
    /// Bits that have been read.
    at: usize,
}

/// The order in which the lengths of the codes for lengths are written (RFC 1951, section 3.2.7).
const ORDER: [usize; 19] = [
    16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15,
];

/// The symbol that ends a block.
const END: usize = 256;

/// How many bits [`Reader::peek`] returns at least.
const PEEKED: usize = 57;

impl<'a> Reader<'a> {
    fn new(stream: &'a [u8]) -> Self {
        Self { stream, at: 0 }
    }

    /// Reads to the end of the block that has the flag BFINAL, and returns where it is.
    fn last_block(&mut self) -> anyhow::Result<Span> {
        loop {
            let start = self.at;
            let is_last = self.take(1)? == 1;
            match self.take(2)? {
                0 => self.skip_stored()?,
                1 => {
                    let lengths = [[8; 144].as_slice(), &[9; 112], &[7; 24], &[8; 8]].concat();
                    let literals = Code::of_literals(&lengths)?;
                    self.skip_symbols(&literals, &Code::of_distances(&[5; 30])?)?;
                }
                2 => {
                    let (literals, distances) = self.read_codes()?;
                    self.skip_symbols(&literals, &distances)?;
                }
                _ => bail!("a deflate block has the reserved type 3"),
            }
            if is_last {
                let end = self.at;
                return Ok(Span { start, end });
            }
        }
    }

    /// Returns the next bits, at least [`PEEKED`] of them, without taking them; zeros follow the end of the stream.
    fn peek(&self) -> u64 {
        let at = self.at / 8;
        let bits = match self.stream.get(at..at + 8) {
            Some(bytes) => u64::from_le_bytes(bytes.try_into().unwrap_or_default()),
            None => {
                let rest = self.stream.get(at..).unwrap_or_default().iter();
                rest.rev()
                    .fold(0, |bits, byte| bits << 8 | u64::from(*byte))
            }
        };
        bits >> (self.at % 8)
    }

    fn advance(&mut self, count: usize) -> anyhow::Result<()> {
        self.at += count;
        ensure!(
            self.at <= self.stream.len() * 8,
            "a deflate stream has no end"
        );
        Ok(())
    }

    /// Takes up to 32 bits.
    fn take(&mut self, count: usize) -> anyhow::Result<usize> {
        let bits = self.peek() & ((1 << count) - 1);
        self.advance(count)?;
        Ok(bits as usize)
    }

    fn symbol(&mut self, code: &Code) -> anyhow::Result<usize> {
        let (symbol, length) = code.find(self.peek());
        ensure!(length > 0, "a deflate stream has a code that means nothing");
        self.advance(length)?;
        Ok(symbol)
    }

    fn skip_stored(&mut self) -> anyhow::Result<()> {
        self.at = self.at.next_multiple_of(8);
        let length = self.take(16)?;
        // The complement of the length, and the bytes.
        self.advance(16 + 8 * length)
    }

    /// Reads the two codes of a block with codes of its own (RFC 1951, section 3.2.7).
    fn read_codes(&mut self) -> anyhow::Result<(Code, Code)> {
        let literals = 257 + self.take(5)?;
        let distances = 1 + self.take(5)?;
        let lengths = 4 + self.take(4)?;
        let mut of_lengths = [0; 19];
        for symbol in &ORDER[..lengths] {
            of_lengths[*symbol] = self.take(3)? as u8;
        }
        let code = Code::new(&of_lengths, |_| 0)?;
        let mut all: Vec<u8> = Vec::with_capacity(literals + distances);
        while all.len() < literals + distances {
            let symbol = self.symbol(&code)?;
            let (value, times) = match symbol {
                16 => {
                    let last = all.last().context("a deflate stream repeats no length")?;
                    (*last, 3 + self.take(2)?)
                }
                17 => (0, 3 + self.take(3)?),
                18 => (0, 11 + self.take(7)?),
                length => (length as u8, 1),
            };
            all.resize(all.len() + times, value);
        }
        ensure!(
            all.len() == literals + distances,
            "a deflate stream has too many lengths"
        );
        let (literals, distances) = all.split_at(literals);
        Ok((Code::of_literals(literals)?, Code::of_distances(distances)?))
    }

    /// Reads literals and matches until the end of the block.
    fn skip_symbols(&mut self, literals: &Code, distances: &Code) -> anyhow::Result<()> {
        /// How many bits a match may have: two codes with 15 each, 5 extra bits of the length and 13 of the distance.
        const LONGEST_MATCH: usize = 48;
        loop {
            let bits = self.peek();
            let mut used = 0;
            // Several short symbols are in the bits that were read.
            while used + LONGEST_MATCH <= PEEKED {
                let (symbol, length) = literals.find(bits >> used);
                used += length;
                let mut is_known = length > 0;
                if symbol > END {
                    let (_, distance) = distances.find(bits >> used);
                    used += distance;
                    is_known &= distance > 0;
                }
                ensure!(is_known, "a deflate stream has a code that means nothing");
                if symbol == END {
                    return self.advance(used);
                }
            }
            self.advance(used)?;
        }
    }
}

/// A Huffman code as a table (RFC 1951, section 3.2.2).
struct Code {
    /// For each value of the next `longest` bits: the symbol, and the length of its code with its extra bits; the length
    /// is 0 where no code begins so.
    table: Vec<(u16, u8)>,
}

impl Code {
    /// Returns the code of literals and lengths with these lengths. Lengths have extra bits (RFC 1951, section 3.2.5).
    fn of_literals(lengths: &[u8]) -> anyhow::Result<Self> {
        Self::new(lengths, |symbol| match symbol {
            0..=264 | 285.. => 0,
            _ => (symbol - 261) / 4,
        })
    }

    /// Returns the code of distances with these lengths. Distances have extra bits (RFC 1951, section 3.2.5).
    fn of_distances(lengths: &[u8]) -> anyhow::Result<Self> {
        Self::new(lengths, |symbol| (symbol / 2).saturating_sub(1))
    }

    /// Returns the code whose symbols have codes of these lengths, 0 to 15, 0 meaning that a symbol has none, and `extra`
    /// bits after them.
    fn new(lengths: &[u8], extra: impl Fn(usize) -> usize) -> anyhow::Result<Self> {
        let longest = usize::from(lengths.iter().copied().max().unwrap_or(0));
        ensure!(
            longest <= 15,
            "a deflate stream has a code of {longest} bits"
        );
        let mut table = vec![(0, 0); 1 << longest];
        let mut next = 0_usize;
        for length in 1..=longest {
            next <<= 1;
            let symbols = lengths.iter().enumerate();
            for (symbol, _) in symbols.filter(|(_, it)| usize::from(**it) == length) {
                ensure!(
                    next < 1 << length,
                    "a deflate stream has more codes of {length} bits than there are"
                );
                // Codes are written from their most significant bit on, all else from the least.
                let reversed = next.reverse_bits() >> (usize::BITS as usize - length);
                for entry in table.iter_mut().skip(reversed).step_by(1 << length) {
                    *entry = (symbol as u16, (length + extra(symbol)) as u8);
                }
                next += 1;
            }
        }
        Ok(Self { table })
    }

    /// Returns the symbol that `bits` begin with, and the length of its code with its extra bits.
    fn find(&self, bits: u64) -> (usize, usize) {
        let (symbol, length) = self.table[bits as usize & (self.table.len() - 1)];
        (symbol.into(), length.into())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use flate2::read::DeflateDecoder;

    use super::*;

    /// Text of few and of many symbols, noise, runs and nothing: each makes libdeflate choose other types of blocks.
    fn inputs() -> Vec<Vec<u8>> {
        let mut state = 7_u64;
        let mut noise = |length: usize, symbols: u64| -> Vec<u8> {
            let byte = || {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                (state % symbols) as u8
            };
            std::iter::repeat_with(byte).take(length).collect()
        };
        let mut inputs = vec![Vec::new(), vec![7], vec![0; 1 << 20]];
        inputs.extend((1..200).map(|length| b"step ".repeat(length)));
        for symbols in [1, 2, 3, 17, 100, 256] {
            inputs.extend([1, 5, 300, 70_000].map(|length| noise(length, symbols)));
        }
        let mixed = [
            noise(90_000, 256),
            noise(90_000, 4),
            b"noop ".repeat(40_000),
        ];
        inputs.push(mixed.concat());
        inputs
    }

    fn inflate(stream: &[u8]) -> Vec<u8> {
        let mut plain = Vec::new();
        DeflateDecoder::new(stream).read_to_end(&mut plain).unwrap();
        plain
    }

    #[test]
    fn a_block_that_is_not_the_last_can_be_followed_by_another() {
        for first in inputs() {
            for second in [&b""[..], b"a second block"] {
                let open = deflate(&first, false).unwrap();
                let stream = [open, deflate(second, true).unwrap()].concat();
                assert!(
                    inflate(&stream) == [&first, second].concat(),
                    "{} bytes",
                    first.len()
                );
            }
        }
    }

    #[test]
    fn the_streams_of_another_compressor_are_read_as_well() {
        // zlib chooses other blocks and other codes than libdeflate does.
        for input in inputs() {
            for level in [0, 1, 6, 9] {
                let level = flate2::Compression::new(level);
                let mut encoder = flate2::read::DeflateEncoder::new(&input[..], level);
                let mut stream = Vec::new();
                encoder.read_to_end(&mut stream).unwrap();
                open(&mut stream).unwrap();
                stream.extend(deflate(b"more", true).unwrap());
                assert!(inflate(&stream) == [&input, &b"more"[..]].concat());
            }
        }
    }

    #[test]
    fn a_damaged_stream_is_an_error_not_a_panic() {
        let whole = deflate(&b"a step, a step and a noop ".repeat(500), true).unwrap();
        for length in 0..whole.len() {
            assert!(open(&mut whole[..length].to_vec()).is_err(), "{length}");
        }
        let mut state = 1_u64;
        for _ in 0..20_000 {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            let mut stream = whole.clone();
            let at = (state >> 40) as usize % stream.len();
            stream[at] ^= (state >> 32) as u8;
            // Damage may also leave a stream that can be read; it must only not panic.
            drop(open(&mut stream));
        }
    }
}
