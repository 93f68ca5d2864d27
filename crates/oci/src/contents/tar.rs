//! Reads the tar of a layer, record by record.

use std::io::{self, Read};

use anyhow::Context as _;
use bytes::Bytes;
use memchr::memmem;

use super::{CHUNK, LayerProblem};
use crate::digest::{Hashing, Sha256};
use crate::elf::{self, Machine};
use crate::leaks::{Patterns, Search};
use crate::member::Member;
use crate::tar::record::{self, Record};

/// Small files below this folder are kept: users, groups, certificates.
const KEPT_FOLDER: &str = "etc/";

/// The largest file that is kept, in bytes.
const KEPT_FILE: u64 = 512 * 1024;

/// How many bytes of the files of one layer are kept in total.
const KEPT_TOTAL: u64 = 8 << 20;

/// What was found in the tar of a layer.
#[derive(Default)]
pub(super) struct TarContents {
    /// The SHA-256 of the tar; `None` when it could not be decompressed.
    pub(super) diff_id: Option<Sha256>,
    /// Why it could not be read to its end.
    pub(super) problem: Option<LayerProblem>,
    /// Its records in order.
    pub(super) members: Vec<Member>,
}

impl TarContents {
    /// Reads a tar while it is decompressed.
    pub(super) fn read(reader: impl Read) -> Self {
        Self::visit(reader, |_, _| {})
    }

    /// Reads a tar in memory; the file at `program` is kept as a part of it.
    pub(super) fn of_bytes(tar: Bytes, program: Option<&str>) -> Self {
        let program = program.map(plain);
        let mut places = Vec::new();
        let mut found = Self::visit(&*tar, |record, position| {
            if program.is_some() && program == Some(plain(&record.path())) {
                places.push((position, record.content_at()));
            }
        });
        for (position, start) in places {
            let member = found.members.get_mut(position);
            let Some(member) = member.filter(|member| member.kind == '0') else {
                continue;
            };
            let end = start.saturating_add(member.size);
            if let (Ok(start), Ok(end)) = (usize::try_from(start), usize::try_from(end))
                && end <= tar.len()
            {
                member.kept = Some(tar.slice(start..end));
            }
        }
        found
    }

    /// Reads a tar, and calls `visit` with each record and its position in [`Self::members`].
    fn visit(reader: impl Read, mut visit: impl FnMut(&Record, usize)) -> Self {
        let mut hashing = Hashing::new(reader);
        let mut members = Vec::new();
        let mut reading = MemberReader {
            patterns: Patterns::default(),
            kept: 0,
        };
        let read = record::for_each(&mut hashing, |record, content| {
            visit(record, members.len());
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
        let keeps = plain(member.path()).starts_with(KEPT_FOLDER)
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

/// Returns a path without what it may begin with.
fn plain(path: &str) -> &str {
    path.trim_start_matches("./").trim_start_matches('/')
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
