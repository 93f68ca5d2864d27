//! Requests that change something at a service, as values: the plan lists them before one is sent.
//!
//! Paths and bodies have `{names}` in the places of values that only the service knows, such as the number of a release.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use noetl_oci::registry::Method;
use noetl_oci::{Blob, Sha256};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::publish::endpoints::Service;

/// Values that only a service knows, by their names.
pub(crate) type Values<'a> = &'a [(&'static str, &'a str)];

/// A change that a release makes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Change {
    /// The service, the method and the path.
    pub request: String,
    /// The SHA-256 of the body.
    pub sha256: Sha256,
}

impl Change {
    /// Returns a change that is not one HTTP request, such as a push of git. `content` is what is sent.
    pub(crate) fn new(request: impl Into<String>, content: impl AsRef<[u8]>) -> Self {
        Self {
            request: request.into(),
            sha256: Sha256::of(content.as_ref()),
        }
    }
}

/// A request that changes something.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// Where it goes.
    pub service: Service,
    /// The method.
    pub method: Method,
    /// The path with its query, below the address of the service.
    pub path: String,
    /// The type of the body.
    pub content_type: String,
    /// The body.
    pub body: Vec<Part>,
}

/// A part of a body.
#[derive(Debug, Clone)]
pub(crate) enum Part {
    /// Bytes.
    Bytes(Vec<u8>),
    /// A file.
    File(Blob),
    /// A file in base64.
    Base64(Blob),
    /// JSON with names in the places of values.
    Json(Value),
}

impl Request {
    /// Returns a request with a JSON body.
    pub(crate) fn json(
        service: Service,
        method: Method,
        path: impl Into<String>,
        body: Value,
    ) -> Self {
        Self {
            service,
            method,
            path: path.into(),
            content_type: "application/json".to_owned(),
            body: vec![Part::Json(body)],
        }
    }

    /// Returns a request without a body.
    pub(crate) fn empty(service: Service, method: Method, path: impl Into<String>) -> Self {
        Self {
            body: Vec::new(),
            ..Self::json(service, method, path, Value::Null)
        }
    }

    /// Returns what it changes.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub(crate) fn change(&self) -> anyhow::Result<Change> {
        let Self {
            service,
            method,
            path,
            ..
        } = self;
        Ok(Change::new(
            format!("{service} {method} {path}"),
            self.bytes(&[])?,
        ))
    }

    /// Returns the body with values in the places of their names.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub(crate) fn bytes(&self, values: Values<'_>) -> anyhow::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        for part in &self.body {
            match part {
                Part::Bytes(part) => bytes.extend_from_slice(part),
                Part::File(file) => bytes.append(&mut file.read()?),
                Part::Base64(file) => bytes.extend(STANDARD.encode(file.read()?).into_bytes()),
                Part::Json(json) => {
                    let mut json = json.clone();
                    fill_json(&mut json, values);
                    bytes.append(&mut serde_json::to_vec(&json)?);
                }
            }
        }
        Ok(bytes)
    }

    /// Returns the path with values in the places of their names.
    pub(crate) fn filled_path(&self, values: Values<'_>) -> String {
        fill(&self.path, values)
    }
}

fn fill(text: &str, values: Values<'_>) -> String {
    let mut text = text.to_owned();
    for (name, value) in values {
        text = text.replace(&format!("{{{name}}}"), value);
    }
    text
}

/// Fills the texts of a document that are a name and nothing else, so that other text with braces stays as it is.
fn fill_json(json: &mut Value, values: Values<'_>) {
    match json {
        Value::String(text) => {
            let found = values
                .iter()
                .find(|(name, _)| *text == format!("{{{name}}}"));
            if let Some((_, value)) = found {
                (*value).clone_into(text);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|it| fill_json(it, values)),
        Value::Object(fields) => fields.values_mut().for_each(|it| fill_json(it, values)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn names_are_filled_in_paths_and_in_whole_texts() {
        let body = json!({"parents": ["{head}"], "message": "a {head} in a text"});
        let request = Request::json(Service::Github, Method::POST, "/commits/{head}", body);
        let values = &[("head", "abc")];
        assert_eq!(request.filled_path(values), "/commits/abc");
        let sent: Value = serde_json::from_slice(&request.bytes(values).unwrap()).unwrap();
        let expected = json!({"parents": ["abc"], "message": "a {head} in a text"});
        assert_eq!(sent, expected);
        let change = request.change().unwrap();
        assert_eq!(change.request, "github POST /commits/{head}");
        assert_eq!(change, request.change().unwrap());
    }

    #[test]
    fn parts_are_joined() {
        let file = Blob::from(b"file".to_vec());
        let body = vec![
            Part::Bytes(b"<".to_vec()),
            Part::File(file.clone()),
            Part::Base64(file),
        ];
        let request = Request {
            body,
            ..Request::empty(Service::Npm, Method::PUT, "/noetl")
        };
        assert_eq!(request.bytes(&[]).unwrap(), b"<fileZmlsZQ==");
    }
}
