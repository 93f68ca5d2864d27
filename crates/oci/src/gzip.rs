//! Gzip (RFC 1952): one way to compress, on all processors and with the same bytes for any number of
//! threads, and a reader that says how the bytes were packed.

use std::io::{self, BufRead, Read, Write};
use std::num::NonZero;
use std::thread;

use anyhow::{Context as _, ensure};
use flate2::bufread::GzDecoder;
use flate2::{Compress, Compression, Crc, FlushCompress, Status};

/// What decides the bytes besides the input: the key of everything that is kept compressed.
///
/// The version is that of the pin in Cargo.toml; a test compares the two.
pub const CODEC: &str = "zlib-rs-0.6.8-level-9-blocks-of-1-MiB";

const LEVEL: u32 = 9;

/// Each block is compressed without knowledge of the one before, which costs about 0.2 % of size.
const BLOCK: usize = 1 << 20;

/// How many blocks each thread gets before the results are written: enough to keep all threads busy.
const BLOCKS_PER_THREAD: usize = 4;

/// A header that says nothing of this machine: no name, time 0, best compression, system unknown.
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 2, 255];

/// Returns how many threads this machine runs at once.
pub fn processor_count() -> usize {
    thread::available_parallelism().map_or(1, NonZero::get)
}

/// Compresses bytes on all processors.
pub fn gzip(bytes: &[u8]) -> anyhow::Result<Vec<u8>> {
    let mut packed = Vec::new();
    compress(bytes, &mut packed, processor_count())?;
    Ok(packed)
}

/// Decompresses bytes in memory; the checksum and the length of each member must fit.
pub fn gunzip(bytes: &[u8]) -> anyhow::Result<Vec<u8>> {
    let mut plain = Vec::with_capacity(bytes.len() * 3);
    let mut reader = GzipReader::new(bytes);
    reader
        .read_to_end(&mut plain)
        .context("not a whole gzip file")?;
    ensure!(
        !reader.finish().trailing,
        "not a whole gzip file: something that is not gzip follows it"
    );
    Ok(plain)
}

/// Compresses what `reader` gives into `writer` on `threads` threads; their number decides nothing but
/// time. Holds a few blocks of 1 MiB for each thread in memory.
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
            .context("cannot write what was compressed")
    };
    write(&mut writer, &HEADER)?;
    let mut next = read_block(&mut reader)?;
    loop {
        // One block more than is compressed is read, so that the last one is known.
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
    // The length modulo 2^32, as RFC 1952 wants it.
    write(&mut writer, &crc.amount().to_le_bytes())
}

/// Reads the next block, which is shorter than the others only at the end.
fn read_block(reader: &mut impl Read) -> anyhow::Result<Vec<u8>> {
    let mut block = Vec::new();
    reader
        .take(BLOCK as u64)
        .read_to_end(&mut block)
        .context("cannot read what is to be compressed")?;
    Ok(block)
}

/// Compresses blocks and returns the results in order; thread `t` takes every `threads`-th block from `t`.
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
        deflate(block, last).map(|deflated| (crc, deflated))
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

/// Compresses one block as raw deflate, which ends at a byte so that the next can follow.
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

/// How a gzip file was packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packing {
    /// How many members it has.
    pub members: usize,
    /// Whether every header names no file, no time and no system.
    pub plain_headers: bool,
    /// Whether something that is not gzip follows the last member.
    pub trailing: bool,
}

impl Packing {
    /// Returns whether it is one member with a header that says nothing of the machine that wrote it, and
    /// nothing follows it.
    pub fn is_plain(&self) -> bool {
        self.members == 1 && self.plain_headers && !self.trailing
    }
}

/// Decompresses all members of a gzip file while it is read. Bytes behind the last member that are not
/// gzip end it without an error; [`GzipReader::finish`] tells of them.
#[derive(Debug)]
pub struct GzipReader<R> {
    /// Taken while a member is exchanged for the next one.
    member: Option<GzDecoder<R>>,
    packing: Packing,
    /// Whether the current member's header has been looked at.
    header_seen: bool,
    /// Why reading failed, which every later read says again.
    failure: Option<(io::ErrorKind, String)>,
}

impl<R: BufRead> GzipReader<R> {
    /// Reads from the first byte of the first member.
    pub fn new(reader: R) -> Self {
        Self {
            member: Some(GzDecoder::new(reader)),
            packing: Packing {
                members: 0,
                plain_headers: true,
                trailing: false,
            },
            header_seen: false,
            failure: None,
        }
    }

    /// Returns how the file was packed, as far as it was read.
    pub fn finish(self) -> Packing {
        self.packing
    }

    fn look_at_header(&mut self) {
        let header = self.member.as_ref().and_then(GzDecoder::header);
        if let Some(header) = header.filter(|_| !self.header_seen) {
            let named = header.filename().is_some() || header.comment().is_some();
            let plain = !named && header.extra().is_none() && header.mtime() == 0;
            self.packing.plain_headers &= plain && header.operating_system() == 255;
            self.packing.members += 1;
            self.header_seen = true;
        }
    }
}

impl<R: BufRead> Read for GzipReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if let Some((kind, message)) = &self.failure {
            return Err(io::Error::new(*kind, message.clone()));
        }
        let result = self.read_members(buffer);
        if let Err(error) = &result
            && error.kind() != io::ErrorKind::Interrupted
        {
            self.failure = Some((error.kind(), error.to_string()));
        }
        result
    }
}

impl<R: BufRead> GzipReader<R> {
    /// Reads from the current member, and goes on with the next one at its end.
    fn read_members(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let Some(member) = &mut self.member else {
                return Ok(0);
            };
            let length = member.read(buffer)?;
            self.look_at_header();
            if length > 0 || buffer.is_empty() {
                return Ok(length);
            }
            let Some(mut rest) = self.member.take().map(GzDecoder::into_inner) else {
                return Ok(0);
            };
            match rest.fill_buf()? {
                [] => return Ok(0),
                [0x1f, ..] => {
                    self.header_seen = false;
                    self.member = Some(GzDecoder::new(rest));
                }
                _ => {
                    self.packing.trailing = true;
                    return Ok(0);
                }
            }
        }
    }
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

    fn packing(bytes: &[u8]) -> Packing {
        let mut reader = GzipReader::new(bytes);
        io::copy(&mut reader, &mut io::sink()).unwrap();
        reader.finish()
    }

    #[test]
    fn the_codec_has_not_changed() {
        // A new zlib-rs may compress differently, and every digest that was ever published would move.
        let digest = Sha256::of(&gzip(&corpus()).unwrap()).to_string();
        let golden = "a17bb50e0f876dd7edefb85a1766cb3b2987000425ceda5d3d28605be4c32f1a";
        assert_eq!(
            digest, golden,
            "the codec compresses differently, and image digests will change; if that is meant, say so in the changelog and in CODEC"
        );
        let pinned = CODEC
            .strip_prefix("zlib-rs-")
            .unwrap()
            .split('-')
            .next()
            .unwrap();
        let cargo_toml = include_str!("../../../Cargo.toml");
        assert!(cargo_toml.contains(&format!("zlib-rs = \"={pinned}\"")));
    }

    #[test]
    fn threads_decide_nothing() {
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

    #[test]
    fn the_reader_tells_how_a_file_was_packed() {
        let one = gzip(b"one").unwrap();
        let two = packing(&[&one[..], &one[..]].concat());
        assert_eq!((two.members, two.trailing), (2, false));
        let tail = packing(&[&one[..], b"tail"].concat());
        assert_eq!((tail.members, tail.trailing), (1, true));
        assert!(gunzip(&[&one[..], b"tail"].concat()).is_err());
        let builder = flate2::GzBuilder::new().mtime(1).operating_system(255);
        let mut encoder = builder.write(Vec::new(), Compression::fast());
        encoder.write_all(b"one").unwrap();
        assert!(!packing(&encoder.finish().unwrap()).is_plain());
    }
}
