//! Decompresses a file that is whole in memory, in one call of libdeflate, which takes half the time of
//! [`GzipReader`](crate::GzipReader).

use libdeflater::Decompressor;
use memchr::memmem;

use crate::reader::Packing;

/// The length of a header without optional fields, and that of the checksum and length at the end (RFC 1952).
const HEADER: usize = 10;
const TRAILER: usize = 8;

/// Decompresses a file of one undamaged member whose header has no optional fields, and whose content is at most `limit`
/// bytes long. Returns the content and how the file was written; `None` for any other file, which
/// [`GzipReader`](crate::GzipReader) reads or explains.
///
/// ```
/// let packed = noetl_gzip::gzip(b"text")?;
/// let (content, packing) = noetl_gzip::unpack_whole(&packed, 100).unwrap();
/// assert!(content == b"text" && packing.is_plain());
/// assert!(noetl_gzip::unpack_whole(&packed, 3).is_none());
/// # anyhow::Ok(())
/// ```
pub fn unpack_whole(packed: &[u8], limit: usize) -> Option<(Vec<u8>, Packing)> {
    let [0x1f, 0x8b, 8, 0, time @ .., _, system] = packed.first_chunk::<HEADER>()? else {
        return None;
    };
    let (body, trailer) = packed.split_last_chunk::<TRAILER>()?;
    // libdeflate checks the checksum and the length that follow the member, and says nothing of the bytes after them.
    // They are the last of the file when the same eight bytes stand nowhere else.
    if memmem::find(body, trailer).is_some() {
        return None;
    }
    let length = u32::from_le_bytes(*trailer.last_chunk()?);
    let length = usize::try_from(length).ok().filter(|it| *it <= limit)?;
    let mut content = vec![0; length];
    let found = Decompressor::new().gzip_decompress(packed, &mut content);
    let packing = Packing {
        members: 1,
        plain_headers: *time == [0; 4] && *system == 255,
        trailing: false,
    };
    (found == Ok(length)).then_some((content, packing))
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};

    use super::*;
    use crate::{GzipReader, gzip};

    fn by_reader(packed: &[u8]) -> Option<(Vec<u8>, Packing)> {
        let (mut reader, mut content) = (GzipReader::new(packed), Vec::new());
        reader.read_to_end(&mut content).ok()?;
        Some((content, reader.finish()))
    }

    fn by_zlib(builder: flate2::GzBuilder, content: &[u8]) -> Vec<u8> {
        let mut encoder = builder.write(Vec::new(), flate2::Compression::default());
        encoder.write_all(content).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn it_is_what_the_reader_says() {
        let text = b"step ".repeat(70_000);
        let plain = flate2::GzBuilder::new;
        for packed in [
            gzip(b"").unwrap(),
            gzip(b"x").unwrap(),
            gzip(&text).unwrap(),
            by_zlib(plain(), &text),
            by_zlib(plain().operating_system(255), &text),
            by_zlib(plain().mtime(7).operating_system(255), &text),
        ] {
            let whole = unpack_whole(&packed, text.len());
            assert!(whole.is_some() && whole == by_reader(&packed));
        }
    }

    #[test]
    fn other_files_are_left_to_the_reader() {
        let (one, two) = (gzip(b"one").unwrap(), gzip(b"two, three").unwrap());
        let named = by_zlib(flate2::GzBuilder::new().filename("name"), b"text");
        let twice_with_other_bytes = [&one[..], b"other", &one[one.len() - TRAILER..]].concat();
        for other in [
            b"".as_slice(),
            b"text that is not gzip",
            &one[..HEADER],
            &one[..one.len() - 1],
            &[&one[..], &two].concat(),
            &[&one[..], &one].concat(),
            &[&one[..], b"tail"].concat(),
            &twice_with_other_bytes,
            &named,
        ] {
            assert_eq!(unpack_whole(other, 1000), None);
        }
        assert_eq!(unpack_whole(&two, 9), None, "longer than the limit");
    }

    #[test]
    fn damage_is_never_taken_for_content() {
        let whole = gzip(&b"a step, a step and a noop ".repeat(500)).unwrap();
        let content = by_reader(&whole);
        for at in 0..whole.len() {
            for bit in 0..8 {
                let mut damaged = whole.clone();
                damaged[at] ^= 1 << bit;
                let found = unpack_whole(&damaged, 1 << 20);
                assert!(found.is_none() || found == by_reader(&damaged), "{at}");
                assert!(at < HEADER || found.is_none() || found == content, "{at}");
            }
        }
    }
}
