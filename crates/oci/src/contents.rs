//! Reads a layer in one pass over its bytes: its digests, how it is compressed, and the records of its tar.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, BufRead, BufReader, Cursor, Read};

use anyhow::{Context as _, anyhow, ensure};
use memchr::memmem;

use crate::digest::{Hashing, Sha256};
use crate::elf::{self, Machine};
use crate::gzip::{GzipReader, Packing};
use crate::leaks::{Patterns, Search};
use crate::media_type::Compression;
use crate::member::Member;
use crate::tar::record::{self, Record};

/// How much of a stream is read at a time, in bytes.
const CHUNK: usize = 64 * 1024;

/// Small files below this folder are kept: users, groups, certificates.
const KEPT_FOLDER: &str = "etc/";

/// The largest file that is kept, in bytes.
const KEPT_FILE: u64 = 512 * 1024;

/// How many bytes of the files of one layer are kept in total.
const KEPT_TOTAL: u64 = 8 << 20;

/// What was found in a layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayerContents {
    /// The SHA-256 of the blob.
    pub sha256: Sha256,
    /// The length of the blob in bytes.
    pub size: u64,
    /// The format by its first bytes: `gzip`, `zstd`, `tar` or `unknown`.
    pub format: &'static str,
    /// How the gzip file was written; `None` when it was not read as gzip.
    pub packing: Option<Packing>,
    /// The SHA-256 of the uncompressed tar; `None` when it could not be decompressed.
    pub diff_id: Option<Sha256>,
    /// Why the layer could not be read to its end; `None` when it could.
    pub problem: Option<LayerProblem>,
    /// The records of the tar in order, as far as it could be read.
    pub members: Vec<Member>,
}

/// Why a layer could not be read to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LayerProblem {
    /// It cannot be decompressed; the text is the reason.
    Packing(String),
    /// The decompressed bytes are not a complete tar; the text is the reason.
    Tar(String),
    /// This crate does not support the compression (zstd).
    NotRead,
}

impl LayerContents {
    /// Reads a layer from its first byte to its last, in bounded memory. `compression` is that of its media type.
    ///
    /// # Errors
    /// When `reader` fails. A layer that is damaged is not an error: see [`LayerContents::problem`].
    pub fn read(reader: impl Read, compression: Compression) -> anyhow::Result<Self> {
        let mut source = Source {
            inner: Hashing::new(reader),
            failure: None,
        };
        let mut buffered = BufReader::with_capacity(4 * CHUNK, &mut source);
        let mut prefix = Vec::new();
        // `Source` remembers an error here.
        drop((&mut buffered).take(512).read_to_end(&mut prefix));
        let format = format(&prefix);
        let whole = Cursor::new(prefix).chain(&mut buffered);
        let unpacked = match compression {
            Compression::Gzip => unpack_gzip(whole),
            Compression::None => Unpacked {
                packing: None,
                tar: TarContents::read(whole),
            },
            Compression::Zstd => Unpacked {
                packing: None,
                tar: TarContents {
                    problem: Some(LayerProblem::NotRead),
                    ..TarContents::default()
                },
            },
        };
        drop(io::copy(&mut buffered, &mut io::sink()));
        drop(buffered);
        if let Some(failure) = source.failure {
            return Err(failure).context("cannot read the layer");
        }
        let (sha256, size) = source.inner.finish();
        Ok(Self {
            sha256,
            size,
            format,
            packing: unpacked.packing,
            diff_id: unpacked.tar.diff_id,
            problem: unpacked.tar.problem,
            members: unpacked.tar.members,
        })
    }

    /// Returns whether any file in it is an ELF file.
    pub fn has_machine_code(&self) -> bool {
        self.members.iter().any(|member| member.machine.is_some())
    }
}

/// Returns the format of a blob by its first bytes.
fn format(prefix: &[u8]) -> &'static str {
    match prefix {
        [0x1f, 0x8b, ..] => "gzip",
        [0x28, 0xb5, 0x2f, 0xfd, ..] => "zstd",
        _ if prefix.get(257..262) == Some(b"ustar".as_slice()) => "tar",
        _ => "unknown",
    }
}

/// Hashes what is read, and remembers an error of the reader, so that it does not count as damage of the layer.
struct Source<R> {
    inner: Hashing<R>,
    failure: Option<anyhow::Error>,
}

impl<R: Read> Read for Source<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.failure.is_some() {
            return Ok(0);
        }
        match self.inner.read(buffer) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => {
                let copy = io::Error::new(error.kind(), error.to_string());
                self.failure = Some(error.into());
                Err(copy)
            }
            other => other,
        }
    }
}

struct Unpacked {
    packing: Option<Packing>,
    tar: TarContents,
}

fn unpack_gzip(reader: impl BufRead) -> Unpacked {
    let mut gzip = GzipReader::new(reader);
    let tar = TarContents::read(&mut gzip);
    Unpacked {
        packing: Some(gzip.finish()),
        tar,
    }
}

#[derive(Default)]
struct TarContents {
    diff_id: Option<Sha256>,
    problem: Option<LayerProblem>,
    members: Vec<Member>,
}

impl TarContents {
    fn read(reader: impl Read) -> Self {
        let mut hashing = Hashing::new(reader);
        let mut members = Vec::new();
        let mut reading = MemberReader {
            patterns: Patterns::default(),
            kept: 0,
        };
        let read = record::for_each(&mut hashing, |record, content| {
            members.push(reading.member(record, content)?);
            Ok(())
        });
        // Bytes after the end of the tar are part of the digest.
        match io::copy(&mut hashing, &mut io::sink()) {
            Err(error) => Self {
                diff_id: None,
                problem: Some(LayerProblem::Packing(error.to_string())),
                members,
            },
            Ok(_) => Self {
                diff_id: Some(hashing.finish().0),
                problem: read
                    .err()
                    .map(|error| LayerProblem::Tar(format!("{error:#}"))),
                members,
            },
        }
    }
}

/// Reads the records of one layer.
struct MemberReader {
    patterns: Patterns,
    /// How many bytes of files have been kept.
    kept: u64,
}

impl MemberReader {
    fn member(&mut self, record: &Record, content: &mut dyn Read) -> anyhow::Result<Member> {
        let mut member = Member::of(record);
        let cut_short = || format!("{} is truncated", member.header_path);
        if member.is_extension() {
            let mut bytes = Vec::new();
            content.read_to_end(&mut bytes).with_context(cut_short)?;
            member.has_xattrs = memmem::find(&bytes, b"SCHILY.xattr.").is_some();
            return Ok(member);
        }
        let plain = member.path().trim_start_matches("./").to_owned();
        let keeps = plain.starts_with(KEPT_FOLDER)
            && member.size <= KEPT_FILE
            && self.kept + member.size <= KEPT_TOTAL;
        let mut kept = Vec::new();
        let mut search = Search::new(&self.patterns);
        let mut chunk = vec![0; CHUNK.min(usize::try_from(member.size)?)];
        let mut machine = None;
        let mut is_first = true;
        loop {
            let length = read_full(content, &mut chunk).with_context(cut_short)?;
            let bytes = &chunk[..length];
            if std::mem::take(&mut is_first) && length >= elf::PREFIX {
                machine = Machine::of(bytes);
            }
            if length == 0 {
                break;
            }
            search.feed(bytes);
            if keeps {
                kept.extend_from_slice(bytes);
            }
        }
        member.machine = machine;
        member.leaks = search.finish().map(Box::new);
        if keeps && member.kind == '0' {
            self.kept += member.size;
            member.kept = Some(kept.into());
        }
        Ok(member)
    }
}

/// Reads until the buffer is full or the reader ends; returns the number of bytes.
fn read_full(reader: &mut dyn Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match reader.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(length) => filled += length,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// Reads the content of one record of a layer into memory; `position` is that in [`LayerContents::members`].
///
/// # Errors
/// When the layer cannot be read, or has no such member.
pub(crate) fn read_member(
    reader: impl Read,
    compression: Compression,
    position: usize,
) -> anyhow::Result<Vec<u8>> {
    let mut found = read_members(reader, compression, &BTreeSet::from([position]))?;
    Ok(found.remove(&position).unwrap_or_default())
}

/// Reads the contents of records of a layer into memory, in one pass that ends after the last of them.
///
/// # Errors
/// When the layer cannot be read, or lacks one of the members.
pub(crate) fn read_members(
    reader: impl Read,
    compression: Compression,
    positions: &BTreeSet<usize>,
) -> anyhow::Result<BTreeMap<usize, Vec<u8>>> {
    let buffered = BufReader::with_capacity(4 * CHUNK, reader);
    let tar: Box<dyn Read + '_> = match compression {
        Compression::Gzip => Box::new(GzipReader::new(buffered)),
        Compression::None => Box::new(buffered),
        Compression::Zstd => return Err(anyhow!("zstd is not supported")),
    };
    let (mut number, mut found) = (0, BTreeMap::new());
    let read = record::for_each(tar, |_, content| {
        if positions.contains(&number) {
            let mut bytes = Vec::new();
            content.read_to_end(&mut bytes)?;
            found.insert(number, bytes);
            ensure!(found.len() < positions.len(), "found");
        }
        number += 1;
        Ok(())
    });
    match (found.len() == positions.len(), read) {
        (true, _) => Ok(found),
        (false, Err(error)) => Err(error),
        (false, Ok(())) => Err(anyhow!("the layer lacks one of the members {positions:?}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gzip::gzip;
    use crate::tar::write::{Entry, to_bytes};

    fn layer() -> Vec<u8> {
        let elf = [
            b"\x7fELF\x02\x01\x01".as_slice(),
            &[0; 11],
            &[62, 0],
            &[0; 44],
        ]
        .concat();
        let entries = [
            Entry::folder("etc", 0o755),
            Entry::file("etc/passwd", 0o644, "root:x:0:0::/:/bin/sh\n"),
            Entry::file("program", 0o755, elf),
        ];
        to_bytes(&entries, 5).unwrap()
    }

    #[test]
    fn a_layer_has_digests_members_and_small_files() {
        let tar = layer();
        let packed = gzip(&tar).unwrap();
        let contents = LayerContents::read(packed.as_slice(), Compression::Gzip).unwrap();
        assert_eq!(contents.sha256, Sha256::of(&packed));
        assert_eq!(contents.diff_id, Some(Sha256::of(&tar)));
        assert_eq!((contents.format, &contents.problem), ("gzip", &None));
        assert!(contents.packing.unwrap().is_plain() && contents.has_machine_code());
        let kept = contents.members[1].kept.as_deref().unwrap();
        assert!(kept.starts_with(b"root:"));
        assert_eq!(contents.members[2].machine, Some(Machine::Amd64));
        let program = read_member(packed.as_slice(), Compression::Gzip, 2).unwrap();
        assert_eq!(program.len(), 64);
        assert!(read_member(packed.as_slice(), Compression::Gzip, 3).is_err());
    }

    #[test]
    fn damage_is_recorded_and_the_digest_is_that_of_all_bytes() {
        let packed = gzip(&layer()).unwrap();
        let cut = &packed[..packed.len() - 9];
        let contents = LayerContents::read(cut, Compression::Gzip).unwrap();
        assert_eq!(contents.sha256, Sha256::of(cut));
        assert!(matches!(contents.problem, Some(LayerProblem::Packing(_))));
        assert_eq!(contents.diff_id, None);
        let no_tar = gzip(&[7; 2000]).unwrap();
        let contents = LayerContents::read(no_tar.as_slice(), Compression::Gzip).unwrap();
        assert!(matches!(contents.problem, Some(LayerProblem::Tar(_))));
        assert_eq!(contents.diff_id, Some(Sha256::of(&[7; 2000])));
    }

    #[test]
    fn an_error_of_the_reader_is_not_damage() {
        struct Failing(usize);
        impl Read for Failing {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                self.0 += 1;
                match self.0 {
                    1 => Ok(buffer.len().min(100)),
                    2 => Err(io::Error::other("the connection broke")),
                    _ => Ok(0),
                }
            }
        }
        let error = LayerContents::read(Failing(0), Compression::Gzip).unwrap_err();
        assert!(format!("{error:#}").contains("the connection broke"));
    }
}
