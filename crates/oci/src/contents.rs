//! Reads a layer in one pass over its bytes: its digests, how it is compressed, and the records of its tar.

mod tar;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, BufRead, BufReader, Cursor, Read};

use anyhow::{Context as _, anyhow, ensure};
use noetl_gzip::{GzipReader, Packing, unpack_whole};

use self::tar::TarContents;
use crate::digest::{Hashing, Sha256};
use crate::media_type::Compression;
use crate::member::Member;
use crate::tar::record;

/// How much of a stream is read at a time, in bytes.
const CHUNK: usize = 64 * 1024;

/// A layer of at most this many bytes is read into memory and decompressed at once.
const SMALL: u64 = 16 << 20;

/// To how many bytes a small layer may decompress.
const SMALL_TAR: usize = 48 << 20;

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
        Self::read_after(Vec::new(), Source::new(reader), compression)
    }

    /// The same, faster for a layer whose descriptor says that it is small. The file at `program` is kept then.
    pub(crate) fn read_sized(
        reader: impl Read,
        compression: Compression,
        size: u64,
        program: Option<&str>,
    ) -> anyhow::Result<Self> {
        if size > SMALL || compression != Compression::Gzip {
            return Self::read(reader, compression);
        }
        let mut source = Source::new(reader);
        let mut packed = Vec::with_capacity(usize::try_from(size)? + 1);
        // `Source` remembers an error here.
        drop((&mut source).take(SMALL + 1).read_to_end(&mut packed));
        let is_whole = packed.len() as u64 <= SMALL && source.failure.is_none();
        let unpacked = is_whole.then(|| unpack_whole(&packed, SMALL_TAR)).flatten();
        let Some((tar, packing)) = unpacked else {
            return Self::read_after(packed, source, compression);
        };
        drop(packed);
        let unpacked = Unpacked {
            packing: Some(packing),
            tar: TarContents::of_bytes(tar.into(), program),
        };
        source.finish("gzip", unpacked)
    }

    /// Reads a layer of which `read` is what `source` has given already.
    fn read_after<R: Read>(
        mut read: Vec<u8>,
        mut source: Source<R>,
        compression: Compression,
    ) -> anyhow::Result<Self> {
        let mut buffered = BufReader::with_capacity(4 * CHUNK, &mut source);
        // `Source` remembers an error here.
        let missing = 512_usize.saturating_sub(read.len());
        drop((&mut buffered).take(missing as u64).read_to_end(&mut read));
        let format = format(&read);
        let whole = Cursor::new(read).chain(&mut buffered);
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
        source.finish(format, unpacked)
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

impl<R: Read> Source<R> {
    fn new(reader: R) -> Self {
        Self {
            inner: Hashing::new(reader),
            failure: None,
        }
    }

    /// Returns what was found, with the digest of all bytes that were read.
    ///
    /// # Errors
    /// When the reader failed.
    fn finish(self, format: &'static str, found: Unpacked) -> anyhow::Result<LayerContents> {
        if let Some(failure) = self.failure {
            return Err(failure).context("cannot read the layer");
        }
        let (sha256, size) = self.inner.finish();
        Ok(LayerContents {
            sha256,
            size,
            format,
            packing: found.packing,
            diff_id: found.tar.diff_id,
            problem: found.tar.problem,
            members: found.tar.members,
        })
    }
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
    use crate::elf::Machine;
    use crate::tar::write::{Entry, to_bytes};
    use noetl_gzip::gzip;

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
    fn a_small_layer_is_read_as_any_other() {
        let packed = gzip(&layer()).unwrap();
        let noise: Vec<u8> = (0..SMALL + 9).map(|at| ((at * at) >> 7) as u8).collect();
        for blob in [
            &packed[..],
            &packed[..packed.len() - 9],
            &[&packed[..], &packed].concat(),
            &[&packed[..], b"tail"].concat(),
            &gzip(&[7; 2000]).unwrap(),
            b"",
            &noise,
        ] {
            let size = blob.len() as u64;
            for size in [size, 0, SMALL, SMALL + 1] {
                let small = LayerContents::read_sized(blob, Compression::Gzip, size, None);
                let whole = LayerContents::read(blob, Compression::Gzip);
                assert_eq!(small.unwrap(), whole.unwrap(), "{size}");
            }
        }
        let small = LayerContents::read_sized(&*packed, Compression::Gzip, 9, Some("/program"));
        let program = small.unwrap().members[2].kept.clone().unwrap();
        assert!(program.len() == 64 && program.starts_with(b"\x7fELF"));
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
        for error in [
            LayerContents::read(Failing(0), Compression::Gzip),
            LayerContents::read_sized(Failing(0), Compression::Gzip, 200, None),
        ] {
            let error = format!("{:#}", error.unwrap_err());
            assert!(error.contains("the connection broke"), "{error}");
        }
    }
}
