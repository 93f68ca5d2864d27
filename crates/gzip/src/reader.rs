//! Reads gzip, and describes how the file was written.

use std::io::{self, BufRead, Read};

use flate2::bufread::GzDecoder;

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
    use std::io::Write;

    use flate2::Compression;

    use super::*;
    use crate::{gunzip, gzip};

    fn packing(bytes: &[u8]) -> Packing {
        let mut reader = GzipReader::new(bytes);
        io::copy(&mut reader, &mut io::sink()).unwrap();
        reader.finish()
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
