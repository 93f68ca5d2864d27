//! Gzip (RFC 1952): a compressor that uses several threads and gives the same bytes for any number of them, and
//! readers that also describe how the file was written.
//!
//! This is a crate of its own so that it can be optimised in development builds, which compress and read whole images.

use std::io::{Read, Write};
use std::num::NonZero;
use std::thread;

use anyhow::{Context as _, ensure};
use flate2::Crc;

mod block;
mod reader;
mod whole;

pub use reader::{GzipReader, Packing};
pub use whole::unpack_whole;

/// Codec, level and block size, which together with the input decide the compressed bytes. Caches of compressed data
/// use it as part of their key.
///
/// The version is the one of the crate that is pinned in Cargo.toml; a test compares the two.
pub const CODEC: &str = "libdeflate-1.26.1-level-6-blocks-of-1-MiB";

/// The size of a block in bytes. Each is compressed independently, which makes the result about 0.2 % larger.
const BLOCK: usize = 1 << 20;

/// How many blocks each thread compresses before the results are written; enough to keep all threads busy.
const BLOCKS_PER_THREAD: usize = 4;

/// A header without information about this machine: no name, time 0, best compression, unknown system.
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 2, 255];

/// Returns how many threads this machine can run at the same time; 1 when that is not known.
pub fn processor_count() -> usize {
    thread::available_parallelism().map_or(1, NonZero::get)
}

/// Compresses bytes in memory, on all processors.
///
/// # Errors
/// When the codec fails, which it does not for any input.
pub fn gzip(bytes: &[u8]) -> anyhow::Result<Vec<u8>> {
    let mut packed = Vec::new();
    compress(bytes, &mut packed, processor_count())?;
    Ok(packed)
}

/// Decompresses bytes in memory, which may be several members.
///
/// # Errors
/// When it is not gzip, is truncated or damaged (checksum and length of each member are checked), or other bytes follow
/// the last member.
pub fn gunzip(bytes: &[u8]) -> anyhow::Result<Vec<u8>> {
    let mut plain = Vec::with_capacity(bytes.len() * 3);
    let mut reader = GzipReader::new(bytes);
    reader
        .read_to_end(&mut plain)
        .context("not a complete gzip file")?;
    ensure!(
        !reader.finish().trailing,
        "not a complete gzip file: other bytes follow it"
    );
    Ok(plain)
}

/// Compresses `reader` into `writer` on `threads` threads, whose number does not change the bytes. Needs a few MiB of
/// memory for each thread.
///
/// # Errors
/// When `reader` or `writer` fails.
pub fn compress(
    mut reader: impl Read,
    mut writer: impl Write,
    threads: usize,
) -> anyhow::Result<()> {
    let threads = threads.max(1);
    let mut crc = Crc::new();
    let write = |writer: &mut dyn Write, bytes: &[u8]| {
        writer
            .write_all(bytes)
            .context("cannot write the compressed data")
    };
    write(&mut writer, &HEADER)?;
    let mut next = read_block(&mut reader)?;
    loop {
        // One more block than is compressed is read, to know which is the last.
        let mut blocks = vec![next];
        while blocks.len() <= threads * BLOCKS_PER_THREAD {
            match read_block(&mut reader)? {
                block if block.is_empty() => break,
                block => blocks.push(block),
            }
        }
        let is_end = blocks.len() <= threads * BLOCKS_PER_THREAD;
        next = if is_end {
            Vec::new()
        } else {
            blocks.pop().unwrap_or_default()
        };
        for (block_crc, deflated) in deflate_all(&blocks, is_end, threads)? {
            crc.combine(&block_crc);
            write(&mut writer, &deflated)?;
        }
        if is_end {
            break;
        }
    }
    write(&mut writer, &crc.sum().to_le_bytes())?;
    // The length modulo 2^32 (RFC 1952, ISIZE).
    write(&mut writer, &crc.amount().to_le_bytes())
}

/// Reads the next block; only the last is shorter than the others.
fn read_block(reader: &mut impl Read) -> anyhow::Result<Vec<u8>> {
    let mut block = Vec::new();
    reader
        .take(BLOCK as u64)
        .read_to_end(&mut block)
        .context("cannot read the data to compress")?;
    Ok(block)
}

/// Compresses blocks, and returns checksums and results in order. Thread `t` compresses every `threads`-th block,
/// beginning with block `t`.
fn deflate_all(
    blocks: &[Vec<u8>],
    is_end: bool,
    threads: usize,
) -> anyhow::Result<Vec<(Crc, Vec<u8>)>> {
    let one = |number: usize| {
        let block = &blocks[number];
        let mut crc = Crc::new();
        crc.update(block);
        let last = is_end && number + 1 == blocks.len();
        block::deflate(block, last).map(|deflated| (crc, deflated))
    };
    let threads = threads.min(blocks.len());
    if threads == 1 {
        return (0..blocks.len()).map(one).collect();
    }
    let mut done: Vec<_> = thread::scope(|scope| {
        let start = |first: usize| {
            scope.spawn(move || {
                let own = (first..blocks.len()).step_by(threads);
                own.map(|number| (number, one(number))).collect::<Vec<_>>()
            })
        };
        let workers: Vec<_> = (0..threads).map(start).collect();
        let results = workers.into_iter().map(|worker| {
            worker
                .join()
                .expect("compressing does not panic, and a panic here must not be hidden")
        });
        results.flatten().collect()
    });
    done.sort_unstable_by_key(|(number, _)| *number);
    done.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    /// A little more than 4 MiB: text that compresses, noise that does not, and a last block of odd length.
    fn corpus() -> Vec<u8> {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut corpus = Vec::new();
        while corpus.len() < 4 * BLOCK + 77_777 {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let word = state >> 33;
            if corpus.len() / BLOCK == 2 {
                corpus.extend((state >> 16).to_le_bytes());
            } else {
                corpus.extend(format!("step {} calls {:x}; ", word % 97, word % 4099).bytes());
            }
        }
        corpus.truncate(4 * BLOCK + 77_777);
        corpus
    }

    fn packing(bytes: &[u8]) -> Packing {
        let mut reader = GzipReader::new(bytes);
        io::copy(&mut reader, &mut io::sink()).unwrap();
        reader.finish()
    }

    #[test]
    fn the_codec_has_not_changed() {
        // A new version of libdeflate may give other bytes, and thereby other digests than those of published images.
        let packed = gzip(&corpus()).unwrap();
        let digest = ring::digest::digest(&ring::digest::SHA256, &packed);
        let digest: String = digest
            .as_ref()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let golden = "d8d2d85b49b63f09b7e9facee5f6b0079faa540d9ec420acec8281095c2bf6e3";
        assert_eq!(
            digest, golden,
            "the codec gives other bytes, so image digests will change; if that is intended, change CODEC and the changelog"
        );
        let pinned = CODEC
            .strip_prefix("libdeflate-")
            .unwrap()
            .split('-')
            .next()
            .unwrap();
        let cargo_toml = include_str!("../../../Cargo.toml");
        assert!(cargo_toml.contains(&format!("libdeflater = \"={pinned}\"")));
    }

    #[test]
    fn the_number_of_threads_does_not_change_the_bytes() {
        let many = 9 * BLOCK;
        let long = corpus().repeat(3);
        for length in [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 4 * BLOCK + 77_777, many] {
            let input = &long[..length];
            let on = |threads| {
                let mut packed = Vec::new();
                compress(input, &mut packed, threads).unwrap();
                packed
            };
            let one = on(1);
            assert!(packing(&one).is_plain(), "{length}");
            assert_eq!(gunzip(&one).unwrap(), input, "{length}");
            for threads in [2, 8, 100] {
                assert_eq!(on(threads), one, "{length} on {threads}");
            }
        }
    }

    #[test]
    fn noise_that_does_not_compress_still_fits() {
        let mut state = 1_u64;
        let noise: Vec<u8> = std::iter::repeat_with(|| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state as u8
        })
        .take(2 * BLOCK + 5)
        .collect();
        assert_eq!(gunzip(&gzip(&noise).unwrap()).unwrap(), noise);
    }

    #[test]
    fn damage_is_noticed() {
        let whole = gzip(&corpus()).unwrap();
        for at in [whole.len() / 2, whole.len() - 1, whole.len() - 5] {
            let mut broken = whole.clone();
            broken[at] ^= 1;
            assert!(gunzip(&broken).is_err(), "{at}");
        }
        assert!(gunzip(&whole[..whole.len() - 9]).is_err(), "cut short");
    }
}
