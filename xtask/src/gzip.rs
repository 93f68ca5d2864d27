//! The one gzip of archives and layers: fixed blocks on all processors, one member, and the same
//! bytes for any number of threads.

use std::io::Read as _;
use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use anyhow::{Context as _, ensure};
use flate2::bufread::GzDecoder;
use flate2::read::MultiGzDecoder;
use flate2::{Compress, Compression, Crc, FlushCompress, Status};

/// What decides the bytes besides the input: the key of everything that is kept compressed.
///
/// The version is that of the pin in Cargo.toml, and a test here compares the two.
pub(crate) const CODEC: &str = "zlib-rs-0.6.8-level-9-blocks-of-1-MiB";

const LEVEL: u32 = 9;

/// Each block is compressed without knowledge of the one before, which costs about 0.2 % of size.
const BLOCK: usize = 1 << 20;

/// Header of RFC 1952 that says nothing of this machine: no name, time 0, best compression, system unknown.
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 2, 255];

/// Compresses on all processors.
pub(crate) fn gzip(bytes: &[u8]) -> anyhow::Result<Vec<u8>> {
    gzip_on(bytes, all_processors())
}

/// How many threads this machine runs at once.
pub(crate) fn all_processors() -> usize {
    thread::available_parallelism().map_or(1, NonZero::get)
}

/// Compresses on `threads` threads; their number decides nothing but time.
pub(crate) fn gzip_on(bytes: &[u8], threads: usize) -> anyhow::Result<Vec<u8>> {
    let mut blocks: Vec<&[u8]> = bytes.chunks(BLOCK).collect();
    if blocks.is_empty() {
        blocks.push(&[]);
    }
    let mut packed = HEADER.to_vec();
    let mut crc = Crc::new();
    for (block_crc, deflated) in deflate_all(&blocks, threads)? {
        crc.combine(&block_crc);
        packed.extend(deflated);
    }
    packed.extend(crc.sum().to_le_bytes());
    // The length modulo 2^32, as RFC 1952 wants it.
    packed.extend((bytes.len() as u32).to_le_bytes());
    Ok(packed)
}

/// Compresses every block and gives the results in order; a thread that is done takes the next one.
fn deflate_all(blocks: &[&[u8]], threads: usize) -> anyhow::Result<Vec<(Crc, Vec<u8>)>> {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done = Vec::new();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some(block) = blocks.get(number) else {
                return done;
            };
            let mut crc = Crc::new();
            crc.update(block);
            done.push((number, crc, deflate(block, number + 1 == blocks.len())));
        }
    };
    let mut done: Vec<_> = thread::scope(|scope| {
        let workers: Vec<_> = (0..threads.clamp(1, blocks.len()))
            .map(|_| scope.spawn(work))
            .collect();
        let results = workers.into_iter().map(|worker| {
            worker
                .join()
                .expect("compressing does not panic, and a panic here must not be hidden")
        });
        results.flatten().collect()
    });
    done.sort_unstable_by_key(|(number, ..)| *number);
    done.into_iter()
        .map(|(_, crc, deflated)| Ok((crc, deflated?)))
        .collect()
}

/// One block as raw deflate, which ends at a byte so that the next can follow.
fn deflate(block: &[u8], last: bool) -> anyhow::Result<Vec<u8>> {
    let (flush, expected) = if last {
        (FlushCompress::Finish, Status::StreamEnd)
    } else {
        (FlushCompress::Sync, Status::Ok)
    };
    // Room for a block that does not compress at all, so that one call is enough.
    let mut deflated = Vec::with_capacity(block.len() + block.len() / 8 + 1024);
    let mut stream = Compress::new(Compression::new(LEVEL), false);
    let status = stream
        .compress_vec(block, &mut deflated, flush)
        .context("cannot compress")?;
    ensure!(
        status == expected && deflated.len() < deflated.capacity(),
        "cannot compress: {status:?} after {} bytes",
        deflated.len()
    );
    Ok(deflated)
}

/// Decompresses; the trailer's CRC and length must fit.
pub(crate) fn gunzip(bytes: &[u8]) -> anyhow::Result<Vec<u8>> {
    let mut plain = Vec::with_capacity(bytes.len() * 3);
    MultiGzDecoder::new(bytes)
        .read_to_end(&mut plain)
        .context("not a whole gzip file")?;
    Ok(plain)
}

/// Whether a gzip file is one member whose header names no file, no time and no system (RFC 1952).
pub(crate) fn is_plain_gzip(bytes: &[u8]) -> bool {
    let mut member = GzDecoder::new(bytes);
    let whole = std::io::copy(&mut member, &mut std::io::sink()).is_ok();
    whole && member.into_inner().is_empty() && matches!(bytes, [_, _, 8, 0, 0, 0, 0, 0, _, 255, ..])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Sha256;

    /// Four MiB and a little: text that compresses, noise that does not, and a last block of odd length.
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

    #[test]
    fn the_codec_has_not_changed() {
        // A new zlib-rs may compress differently, and every digest we ever published would move.
        let digest = Sha256::of(&gzip(&corpus()).unwrap()).to_string();
        let golden = "a17bb50e0f876dd7edefb85a1766cb3b2987000425ceda5d3d28605be4c32f1a";
        assert_eq!(
            digest, golden,
            "codec drift: image digests will change; if that is meant, say so in the changelog and name it in CODEC"
        );
        let pinned = CODEC
            .strip_prefix("zlib-rs-")
            .unwrap()
            .split('-')
            .next()
            .unwrap();
        let cargo_toml = include_str!("../../Cargo.toml");
        assert!(cargo_toml.contains(&format!("zlib-rs = \"={pinned}\"")));
    }

    #[test]
    fn threads_decide_nothing() {
        for length in [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 4 * BLOCK + 77_777] {
            let input = &corpus()[..length];
            let one = gzip_on(input, 1).unwrap();
            assert!(is_plain_gzip(&one), "{length}");
            assert_eq!(gunzip(&one).unwrap(), input, "{length}");
            for threads in [2, 8, 100] {
                assert_eq!(
                    gzip_on(input, threads).unwrap(),
                    one,
                    "{length} on {threads}"
                );
            }
        }
    }

    #[test]
    fn what_does_not_compress_still_fits() {
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
        assert!(
            !is_plain_gzip(&[&whole[..], &whole[..]].concat()),
            "two members"
        );
    }
}
