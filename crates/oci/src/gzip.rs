//! Gzip (RFC 1952): a compressor that uses several threads and gives the same bytes for any number of them, and a
//! reader that also describes how the file was written.

use std::io::{self, BufRead, Read, Write};
use std::num::NonZero;
use std::thread;

use anyhow::{Context as _, ensure};
use flate2::bufread::GzDecoder;
use flate2::{Compress, Compression, Crc, FlushCompress, Status};

/// Codec, level and block size, which together with the input decide the compressed bytes. Caches of compressed data
/// use it as part of their key.
///
/// The version is the one pinned in Cargo.toml; a test compares the two.
pub const CODEC: &str = "zlib-rs-0.6.8-level-9-blocks-of-1-MiB";

const LEVEL: u32 = 9;

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

/// Compresses one block as raw deflate, flushed to a whole byte so that the next block can follow.
fn deflate(block: &[u8], last: bool) -> anyhow::Result<Vec<u8>> {
    let (flush, expected) = if last {
        (FlushCompress::Finish, Status::StreamEnd)
    } else {
        (FlushCompress::Sync, Status::Ok)
    };
    // Enough room for a block that does not compress, so that one call is enough.
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

/// How a gzip file was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packing {
    /// The number of members.
    pub members: usize,
    /// Whether every header has no name, no comment, no extra field, time 0 and the system 255 (unknown).
    pub plain_headers: bool,
    /// Whether other bytes follow the last member.
    pub trailing: bool,
}

impl Packing {
    /// Returns whether it is a single member, its header contains nothing about the machine that wrote it, and no other
    /// bytes follow.
    pub fn is_plain(&self) -> bool {
        self.members == 1 && self.plain_headers && !self.trailing
    }
}

/// Decompresses all members of a gzip file while it is read. Other bytes after the last member end it without an error;
/// [`Packing::trailing`] is then set.
#[derive(Debug)]
pub struct GzipReader<R> {
    /// `None` after the end, and while the next member is begun.
    member: Option<GzDecoder<R>>,
    packing: Packing,
    /// Whether the header of the current member has been read.
    header_seen: bool,
    /// The error of reading, which every later read returns again.
    failure: Option<(io::ErrorKind, String)>,
}

impl<R: BufRead> GzipReader<R> {
    /// Returns a reader of the decompressed content of `reader`.
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

    /// Returns how the file was written, as far as it was read.
    pub fn finish(self) -> Packing {
        self.packing
    }

    fn read_header(&mut self) {
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
    /// Reads from the current member, and from the next one when it ends.
    fn read_members(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let Some(member) = &mut self.member else {
                return Ok(0);
            };
            let length = member.read(buffer)?;
            self.read_header();
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
        // A new version of zlib-rs may give other bytes, and thereby other digests than those of published images.
        let digest = Sha256::of(&gzip(&corpus()).unwrap()).to_string();
        let golden = "a17bb50e0f876dd7edefb85a1766cb3b2987000425ceda5d3d28605be4c32f1a";
        assert_eq!(
            digest, golden,
            "the codec gives other bytes, so image digests will change; if that is intended, change CODEC and the changelog"
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

    #[test]
    fn the_reader_describes_how_a_file_was_written() {
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
