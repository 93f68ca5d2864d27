//! `~/.noetl/noetl_server.log`: the output of the background server. Restarts append to it, and a full file
//! is rotated.

use std::fs::{self, File};
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use crate::config;

/// A start rotates a file that has this size.
const LIMIT_BYTES: u64 = 10 << 20;

/// How many full files are kept; `noetl_server.log.1` is the newest.
const KEPT: u32 = 3;

/// Returns the path of the log, after its folder is created.
pub(super) fn path() -> anyhow::Result<PathBuf> {
    let folder = config::home()?;
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    Ok(folder.join("noetl_server.log"))
}

/// Opens the log for a new server, which appends to it.
pub(super) fn open() -> anyhow::Result<File> {
    let path = path()?;
    rotate(&path, LIMIT_BYTES).with_context(|| format!("cannot rotate {}", path.display()))?;
    let mut options = File::options();
    options.create(true).append(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        // With NOETL_DEBUG it contains the output of playbooks.
        options.mode(0o600);
    }
    options
        .open(&path)
        .with_context(|| format!("cannot write {}", path.display()))
}

fn rotate(path: &Path, limit_bytes: u64) -> std::io::Result<()> {
    match fs::metadata(path) {
        Ok(metadata) if metadata.len() >= limit_bytes => {}
        _ => return Ok(()),
    }
    let numbered = |number: u32| PathBuf::from(format!("{}.{number}", path.display()));
    for number in (1..KEPT).rev() {
        match fs::rename(numbered(number), numbered(number + 1)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    fs::rename(path, numbered(1))
}

/// Returns the last lines of a file and the offset of its end. The file is read backwards, since a log can be
/// long.
pub(super) fn tail(file: &mut File, lines: usize) -> std::io::Result<(Vec<u8>, u64)> {
    const CHUNK_BYTES: u64 = 64 << 10;
    let end = file.seek(SeekFrom::End(0))?;
    let mut start = end;
    let mut text = Vec::new();
    while start > 0 && newlines(&text) <= lines {
        let length = CHUNK_BYTES.min(start);
        start -= length;
        file.seek(SeekFrom::Start(start))?;
        let mut chunk = Vec::new();
        file.by_ref().take(length).read_to_end(&mut chunk)?;
        chunk.append(&mut text);
        text = chunk;
    }
    // The newline at the end of the file does not start another line.
    let body = text.strip_suffix(b"\n").unwrap_or(&text);
    let mut starts = (0..body.len()).rev().filter(|index| body[*index] == b'\n');
    let from = match lines {
        0 => text.len(),
        lines => starts.nth(lines - 1).map_or(0, |index| index + 1),
    };
    Ok((text.split_off(from), end))
}

fn newlines(text: &[u8]) -> usize {
    text.iter().filter(|byte| **byte == b'\n').count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_log_is_rotated() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        for content in ["1111", "2222", "3333", "4444", "5555"] {
            rotate(&log, 4).unwrap();
            fs::write(&log, content).unwrap();
        }
        let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap_or_default();
        assert_eq!(
            ["log", "log.1", "log.2", "log.3", "log.4"].map(read),
            ["5555", "4444", "3333", "2222", ""]
        );
        rotate(&log, 5).unwrap();
        assert_eq!(read("log"), "5555");
    }

    #[test]
    fn the_tail_has_the_last_lines() {
        let mut file = tempfile::tempfile().unwrap();
        let text: String = (0..30_000)
            .map(|number| format!("line {number}\n"))
            .collect();
        std::io::Write::write_all(&mut file, text.as_bytes()).unwrap();
        let mut last = |lines| String::from_utf8(tail(&mut file, lines).unwrap().0).unwrap();
        assert_eq!(last(0), "");
        assert_eq!(last(2), "line 29998\nline 29999\n");
        assert_eq!(last(20_000).lines().count(), 20_000);
        assert_eq!(last(usize::MAX), text);
    }
}
