//! Large values: JSON of more than 256 KiB is stored once for each execution, in chunks, and the rows that hold it
//! refer to it.
//!
//! [`Extracted::new`] takes the large values out of a column's JSON and leaves `null` in their place. The row keeps a
//! [`Reference`] for each, which says where in the column's text that `null` is, and [`splice`] puts texts there.

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use sqlx::AnyConnection;

use super::database::Store;
use super::error::StoreError;
use super::write::Write;
use crate::vault::hash_of;

/// The largest JSON text of a value that is stored in its row, in bytes.
const LARGE: usize = 256 << 10;
/// The largest chunk of a content, in bytes: what a reader of a stream holds at a time.
const CHUNK: usize = 64 << 10;
/// What stands in the place of a large value.
pub(crate) const PLACEHOLDER: &str = "null";

/// The columns that refer to contents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Column {
    Context,
    Result,
    Meta,
    Variables,
}

/// Where a large value belongs: the `null` at `offset` bytes of the column's text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Reference {
    pub(crate) column: Column,
    pub(crate) offset: usize,
    pub(crate) hash: String,
    /// The length of its JSON text.
    pub(crate) bytes: usize,
}

/// A large value, as JSON text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Content {
    offset: usize,
    text: String,
}

/// The JSON text of a value, without the large values in it.
#[derive(Debug, Default)]
pub(crate) struct Extracted {
    pub(crate) text: String,
    pub(crate) contents: Vec<Content>,
}

/// A text that fails to grow beyond [`LARGE`], so that a large value is not written twice.
struct Small(Vec<u8>);

impl std::io::Write for Small {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if self.0.len() + bytes.len() > LARGE {
            return Err(std::io::ErrorKind::FileTooLarge.into());
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Extracted {
    /// Takes out the smallest values that are too large, so that what remains is not.
    pub(crate) fn new(json: &Json) -> Self {
        let mut small = Small(Vec::new());
        let text = serde_json::to_writer(&mut small, json).ok();
        if let Some(text) = text.and_then(|()| String::from_utf8(small.0).ok()) {
            return Self {
                text,
                contents: Vec::new(),
            };
        }
        let mut extracted = Self::default();
        extracted.add(json);
        extracted
    }

    fn add(&mut self, json: &Json) {
        let start = self.text.len();
        let before = self.contents.len();
        match json {
            Json::Array(items) => {
                self.text.push('[');
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        self.text.push(',');
                    }
                    self.add(item);
                }
                self.text.push(']');
            }
            Json::Object(fields) => {
                self.text.push('{');
                for (index, (name, value)) in fields.iter().enumerate() {
                    if index > 0 {
                        self.text.push(',');
                    }
                    self.text.push_str(&Json::from(name.as_str()).to_string());
                    self.text.push(':');
                    self.add(value);
                }
                self.text.push('}');
            }
            other => self.text.push_str(&other.to_string()),
        }
        if self.text.len() - start > LARGE {
            // Many small values, or one large: with the large values inside, it is one content.
            let inner = self.contents.split_off(before);
            let places = inner
                .iter()
                .map(|content| (content.offset - start, content.text.as_str()));
            let text = splice(&self.text[start..], places);
            self.text.truncate(start);
            self.text.push_str(PLACEHOLDER);
            self.contents.push(Content {
                offset: start,
                text,
            });
        }
    }

    /// The length of the whole text.
    pub(crate) fn bytes(&self) -> usize {
        let contents: usize = self.contents.iter().map(|content| content.text.len()).sum();
        self.text.len() + contents
    }

    /// Stores the contents that the execution does not have yet, and returns references to all of them.
    pub(crate) async fn store(
        &self,
        transaction: &mut Write,
        execution_id: i64,
        column: Column,
    ) -> Result<Vec<Reference>, StoreError> {
        let mut references = Vec::with_capacity(self.contents.len());
        for Content { offset, text } in &self.contents {
            let hash = hash_of(text);
            Store::insert_content(transaction, execution_id, &hash, text).await?;
            references.push(Reference {
                column,
                offset: *offset,
                hash,
                bytes: text.len(),
            });
        }
        Ok(references)
    }
}

/// Returns a text with others in the place of the `null` at each of these offsets, which are in order.
pub(crate) fn splice<'a>(text: &str, places: impl IntoIterator<Item = (usize, &'a str)>) -> String {
    let mut whole = String::with_capacity(text.len());
    let mut rest = 0;
    for (offset, other) in places {
        whole.push_str(&text[rest..offset]);
        whole.push_str(other);
        rest = offset + PLACEHOLDER.len();
    }
    whole.push_str(&text[rest..]);
    whole
}

/// Returns the references of a row, those of a column in the order of their places.
///
/// # Errors
/// [`StoreError::Corrupt`] when the row's column of references, or a place in `text`, is not what was written.
pub(crate) fn references(
    contents: Option<&str>,
    column: Column,
    text: &str,
) -> Result<Vec<Reference>, StoreError> {
    let Some(contents) = contents else {
        return Ok(Vec::new());
    };
    let corrupt = || StoreError::corrupt("a row's list of contents", "it does not fit the row");
    let all: Vec<Reference> = serde_json::from_str(contents).map_err(|_| corrupt())?;
    let mut rest = 0;
    let mut found = Vec::new();
    for reference in all.into_iter().filter(|one| one.column == column) {
        let here = text.get(reference.offset..);
        if reference.offset < rest || !here.is_some_and(|here| here.starts_with(PLACEHOLDER)) {
            return Err(corrupt());
        }
        rest = reference.offset + PLACEHOLDER.len();
        found.push(reference);
    }
    Ok(found)
}

/// Returns references as a row keeps them; none when there are none.
pub(crate) fn to_column(references: &[Reference]) -> Option<String> {
    (!references.is_empty()).then(|| serde_json::to_string(references).unwrap_or_default())
}

/// Splits a text into chunks, between characters.
fn chunks(mut text: &str) -> impl Iterator<Item = &str> {
    std::iter::from_fn(move || {
        let (chunk, rest) = text.split_at(text.floor_char_boundary(CHUNK));
        text = rest;
        (!chunk.is_empty()).then_some(chunk)
    })
}

impl Store {
    async fn insert_content(
        transaction: &mut Write,
        execution_id: i64,
        hash: &str,
        text: &str,
    ) -> Result<(), StoreError> {
        let known: Option<(i64,)> = sqlx::query_as(
            "SELECT chunk FROM content WHERE execution_id = $1 AND hash = $2 LIMIT 1",
        )
        .bind(execution_id)
        .bind(hash)
        .fetch_optional(&mut **transaction)
        .await?;
        if known.is_some() {
            return Ok(());
        }
        for (chunk, text) in (0_i64..).zip(chunks(text)) {
            sqlx::query(
                "INSERT INTO content (execution_id, hash, chunk, text) VALUES ($1, $2, $3, $4)",
            )
            .bind(execution_id)
            .bind(hash)
            .bind(chunk)
            .bind(text)
            .execute(&mut **transaction)
            .await?;
        }
        Ok(())
    }

    /// Returns the number of chunks of a content and its bytes; none when there is no such content.
    pub(crate) async fn content_size(
        &self,
        execution_id: i64,
        hash: &str,
    ) -> Result<Option<(i64, i64)>, StoreError> {
        let (chunks, bytes): (i64, Option<i64>) = sqlx::query_as(
            "SELECT COUNT(*), CAST(SUM(OCTET_LENGTH(text)) AS BIGINT) FROM content \
             WHERE execution_id = $1 AND hash = $2",
        )
        .bind(execution_id)
        .bind(hash)
        .fetch_one(self.reader())
        .await?;
        Ok(bytes.map(|bytes| (chunks, bytes)))
    }

    /// Returns a chunk of a content.
    pub(crate) async fn content_chunk(
        &self,
        execution_id: i64,
        hash: &str,
        chunk: i64,
    ) -> Result<String, StoreError> {
        let found: Option<(String,)> = sqlx::query_as(
            "SELECT text FROM content WHERE execution_id = $1 AND hash = $2 AND chunk = $3",
        )
        .bind(execution_id)
        .bind(hash)
        .bind(chunk)
        .fetch_optional(self.reader())
        .await?;
        found
            .map(|(text,)| text)
            .ok_or_else(|| StoreError::missing(execution_id, hash))
    }

    /// Returns a column's text with all its contents in place.
    pub(crate) async fn whole(
        connection: &mut AnyConnection,
        execution_id: i64,
        text: String,
        references: &[Reference],
    ) -> Result<String, StoreError> {
        if references.is_empty() {
            return Ok(text);
        }
        let mut contents = Vec::with_capacity(references.len());
        for reference in references {
            let chunks: Vec<(String,)> = sqlx::query_as(
                "SELECT text FROM content WHERE execution_id = $1 AND hash = $2 ORDER BY chunk",
            )
            .bind(execution_id)
            .bind(&reference.hash)
            .fetch_all(&mut *connection)
            .await?;
            let content: String = chunks.into_iter().map(|(text,)| text).collect();
            if content.len() != reference.bytes {
                return Err(StoreError::missing(execution_id, &reference.hash));
            }
            contents.push(content);
        }
        let places = references.iter().zip(&contents);
        Ok(splice(
            &text,
            places.map(|(reference, content)| (reference.offset, content.as_str())),
        ))
    }
}

impl StoreError {
    /// A content that a row refers to is not there, or not whole.
    pub(crate) fn missing(execution_id: i64, hash: &str) -> Self {
        let what = format!("content {hash} of execution {execution_id}");
        Self::corrupt(what, "it is not complete")
    }
}
