//! The header of an RPM package: typed values by the number of their tag.

use std::collections::BTreeMap;

use anyhow::{Context as _, ensure};

/// The region of the metadata (`RPMTAG_HEADERIMMUTABLE`).
pub(super) const IMMUTABLE: u32 = 63;
/// The region of the signatures (`RPMTAG_HEADERSIGNATURES`).
pub(super) const SIGNATURES: u32 = 62;
const MAGIC: [u8; 8] = [0x8e, 0xad, 0xe8, 1, 0, 0, 0, 0];
/// The length of an index entry, and of the trailer of a region.
const ENTRY: usize = 16;
const BINARY: u32 = 7;

/// A value of a header.
#[derive(Debug, Clone)]
pub(super) enum Value {
    U16(Vec<u16>),
    U32(Vec<u32>),
    Text(String),
    Texts(Vec<String>),
    /// Text that could have translations; there is one, in English.
    Translated(String),
}

/// A header, whose bytes follow from the values.
#[derive(Debug, Default)]
pub(super) struct Header(BTreeMap<u32, Value>);

impl Header {
    pub(super) fn add(&mut self, tag: u32, value: Value) {
        self.0.insert(tag, value);
    }

    /// Returns the header; the tag `region` covers all others, so that they can be signed.
    ///
    /// # Errors
    /// When it is too large for the format.
    pub(super) fn bytes(&self, region: u32) -> anyhow::Result<Vec<u8>> {
        let (mut index, mut store) = (Vec::new(), Vec::new());
        for (tag, value) in &self.0 {
            let (kind, count, alignment, bytes) = encode(value);
            store.resize(usize::next_multiple_of(store.len(), alignment), 0);
            let offset = u32::try_from(store.len())?;
            for word in [*tag, kind, offset, u32::try_from(count)?] {
                index.extend(word.to_be_bytes());
            }
            store.extend(bytes);
        }
        let count = u32::try_from(self.0.len() + 1)?;
        let size = u32::try_from(ENTRY)?;
        let mut bytes = MAGIC.to_vec();
        bytes.extend(count.to_be_bytes());
        bytes.extend(u32::try_from(store.len() + ENTRY)?.to_be_bytes());
        for word in [region, BINARY, u32::try_from(store.len())?, size] {
            bytes.extend(word.to_be_bytes());
        }
        bytes.extend(index);
        bytes.extend(store);
        // The trailer says how far before it the region begins.
        for word in [region, BINARY, (count * size).wrapping_neg(), size] {
            bytes.extend(word.to_be_bytes());
        }
        Ok(bytes)
    }
}

/// Returns type, count, alignment and bytes of a value.
fn encode(value: &Value) -> (u32, usize, usize, Vec<u8>) {
    let text = |text: &String| [text.as_bytes(), b"\0"].concat();
    match value {
        Value::U16(all) => (
            3,
            all.len(),
            2,
            all.iter().flat_map(|it| it.to_be_bytes()).collect(),
        ),
        Value::U32(all) => (
            4,
            all.len(),
            4,
            all.iter().flat_map(|it| it.to_be_bytes()).collect(),
        ),
        Value::Text(one) => (6, 1, 1, text(one)),
        Value::Texts(all) => (8, all.len(), 1, all.iter().flat_map(text).collect()),
        Value::Translated(one) => (9, 1, 1, text(one)),
    }
}

/// Returns the length of the header that begins at a place.
pub(super) fn length(bytes: &[u8], start: usize) -> anyhow::Result<usize> {
    let header = bytes.get(start..).context("a header is missing")?;
    let is_header = header.starts_with(&MAGIC);
    ensure!(is_header, "a header is damaged");
    let word = |at: usize| {
        let word = header.get(at..at + 4).and_then(|word| word.try_into().ok());
        let word = word
            .map(u32::from_be_bytes)
            .context("a header is cut short")?;
        anyhow::Ok(usize::try_from(word)?)
    };
    let length = word(12)? + word(8)?.saturating_mul(ENTRY) + ENTRY;
    ensure!(length <= header.len(), "a header is cut short");
    Ok(length)
}
