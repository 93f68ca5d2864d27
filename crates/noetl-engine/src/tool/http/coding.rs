//! How the body of a response is encoded: compressed (RFC 9110, section 8.4), and as text in a charset.

use std::borrow::Cow;
use std::io::{self, Read};

use encoding_rs::Encoding;
use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap};

/// Why a body cannot be decoded.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum CodingError {
    /// The coding is not known.
    Unknown(String),
    /// The bytes are not what the coding says.
    Damaged(String),
    /// More bytes than the bound.
    TooLarge,
}

/// Returns the body without its codings, which were applied in the order of the header. No coding may give more than
/// `bound` bytes.
///
/// # Errors
/// When a coding is not known, the body is damaged, or it is too large.
pub(super) fn decode(
    headers: &HeaderMap,
    body: Vec<u8>,
    bound: u64,
) -> Result<Vec<u8>, CodingError> {
    let values = headers.get_all(CONTENT_ENCODING).iter();
    let values = values.filter_map(|value| value.to_str().ok());
    let codings: Vec<String> = values
        .flat_map(|value| value.split(','))
        .map(|coding| coding.trim().to_ascii_lowercase())
        .filter(|coding| !coding.is_empty() && coding != "identity")
        .collect();
    let mut body = body;
    // An answer to HEAD has the header and no body.
    if body.is_empty() {
        return Ok(body);
    }
    for coding in codings.iter().rev() {
        body = decode_one(coding, &body, bound)?;
    }
    Ok(body)
}

fn decode_one(coding: &str, body: &[u8], bound: u64) -> Result<Vec<u8>, CodingError> {
    let damaged = |error: &dyn std::fmt::Display| {
        CodingError::Damaged(format!("the body is not {coding}: {error}"))
    };
    let read = |reader: &mut dyn Read| {
        let mut plain = Vec::new();
        let read = reader.take(bound + 1).read_to_end(&mut plain);
        read.map_err(|error| damaged(&error))?;
        match plain.len() as u64 > bound {
            true => Err(CodingError::TooLarge),
            false => Ok(plain),
        }
    };
    match coding {
        "gzip" | "x-gzip" => read(&mut flate2::read::MultiGzDecoder::new(body)),
        // Servers send both what the name says, zlib (RFC 1950), and raw deflate.
        "deflate" => match body {
            [first, second, ..]
                if first & 0x0f == 8 && (u16::from(*first) << 8 | u16::from(*second)) % 31 == 0 =>
            {
                read(&mut flate2::read::ZlibDecoder::new(body))
            }
            _ => read(&mut flate2::read::DeflateDecoder::new(body)),
        },
        "br" => read(&mut brotli_decompressor::Decompressor::new(body, 4096)),
        "zstd" => {
            let decoder = ruzstd::decoding::StreamingDecoder::new(body);
            read(&mut decoder.map_err(|error| damaged(&io::Error::other(error.to_string())))?)
        }
        other => Err(CodingError::Unknown(other.to_owned())),
    }
}

/// Returns a body as text: in the encoding of its byte order mark, which is removed, else in the charset that the headers
/// declare, else in UTF-8. What is no text in it becomes U+FFFD.
pub(super) fn text<'a>(headers: &HeaderMap, body: &'a [u8]) -> Cow<'a, str> {
    let kind = headers
        .get(CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok())
        .unwrap_or_default();
    let charset = kind.split(';').skip(1).find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        let value = value.trim().trim_matches('"');
        name.trim().eq_ignore_ascii_case("charset").then_some(value)
    });
    let encoding = charset.and_then(|charset| Encoding::for_label(charset.as_bytes()));
    encoding.unwrap_or(encoding_rs::UTF_8).decode(body).0
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

    use super::*;

    fn headers(name: &'static str, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(
            reqwest::header::HeaderName::from_static(name),
            value.parse().unwrap(),
        )])
    }

    fn gzip(plain: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(plain).unwrap();
        encoder.finish().unwrap()
    }

    fn decoded(coding: &str, body: &[u8]) -> Result<Vec<u8>, CodingError> {
        decode(&headers("content-encoding", coding), body.to_vec(), 1000)
    }

    #[test]
    fn every_coding_of_the_web_is_decoded() {
        let plain = b"a step, a step and a noop; ".repeat(9);
        let mut zlib = ZlibEncoder::new(Vec::new(), Compression::default());
        zlib.write_all(&plain).unwrap();
        let mut raw = DeflateEncoder::new(Vec::new(), Compression::default());
        raw.write_all(&plain).unwrap();
        let (zlib, raw) = (zlib.finish().unwrap(), raw.finish().unwrap());
        for (coding, body) in [
            ("gzip", gzip(&plain)),
            ("X-GZIP", gzip(&plain)),
            ("identity", plain.clone()),
            ("gzip, gzip", gzip(&gzip(&plain))),
            ("deflate", zlib),
            ("deflate", raw),
            ("", plain.clone()),
        ] {
            assert_eq!(decoded(coding, &body).unwrap(), plain, "{coding}");
        }
        // By the reference implementation.
        let brotli = [
            0x1b, 0xf2, 0x00, 0xf8, 0x1d, 0x09, 0x36, 0x4e, 0x74, 0x6f, 0xe4, 0x9d, 0x95, 0x61,
            0x6e, 0x73, 0xc4, 0x8c, 0x23, 0xfd, 0xf3, 0xc0, 0x32, 0x6d, 0xba, 0x7c, 0x83, 0xa3,
            0x2b, 0x5e, 0x06, 0x2c, 0x07, 0x54, 0x80, 0xbf, 0xc2, 0x25, 0xfc, 0x10, 0x55,
        ];
        assert_eq!(decoded("br", &brotli).unwrap(), plain);
        let zstd = ruzstd::encoding::compress_to_vec(
            &plain[..],
            ruzstd::encoding::CompressionLevel::Fastest,
        );
        assert_eq!(decoded("zstd", &zstd).unwrap(), plain);
    }

    #[test]
    fn bombs_and_damage_are_errors() {
        let bomb = gzip(&[0; 100_000]);
        assert_eq!(decoded("gzip", &bomb), Err(CodingError::TooLarge));
        assert_eq!(
            decoded("gzip, gzip", &gzip(&bomb)),
            Err(CodingError::TooLarge)
        );
        for coding in ["gzip", "br", "zstd", "deflate"] {
            let found = decoded(coding, b"\xffno such thing");
            assert!(
                matches!(found, Err(CodingError::Damaged(_))),
                "{coding} {found:?}"
            );
        }
        let unknown = decoded("compress", b"x");
        assert_eq!(unknown, Err(CodingError::Unknown("compress".to_owned())));
        assert_eq!(decoded("gzip", b""), Ok(Vec::new()), "an answer to HEAD");
    }

    #[test]
    fn text_is_read_in_its_charset() {
        for (kind, body, expected) in [
            ("text/plain", "grün".as_bytes(), "grün"),
            ("text/plain; charset=ISO-8859-1", b"gr\xfcn", "grün"),
            ("text/plain; charset=\"utf-8\"", b"\xef\xbb\xbfx", "x"),
            ("application/json", b"\xff\xfe{\0}\0", "{}"),
            ("text/plain; charset=nowhere", b"gr\xfcn", "gr\u{fffd}n"),
        ] {
            let headers = headers("content-type", kind);
            assert_eq!(text(&headers, body), expected, "{kind}");
        }
    }
}
