//! Files for Python's package index (legacy upload API, simple repository API: PEP 503, PEP 691).

use anyhow::Context as _;
use noetl_oci::registry::Method;
use noetl_oci::{Blob, Sha256};

use crate::publish::endpoints::Service;
use crate::publish::remotes::Remotes;
use crate::publish::request::{Change, Part, Request};
use crate::publish::step::{Item, State, Undone};

/// The boundary of the parts of a form; the hash of a form must not depend on the time.
const BOUNDARY: &str = "noetl-4d1b0f5c7a2e";

/// A wheel or a source distribution.
#[derive(Debug, Clone)]
pub(crate) struct File {
    /// The distribution.
    pub project: String,
    pub name: String,
    pub content: Blob,
    pub sha256: Sha256,
    /// The core metadata, as in `METADATA` and `PKG-INFO`.
    pub metadata: String,
}

impl File {
    fn request(&self) -> Request {
        let is_wheel = self.name.ends_with(".whl");
        let mut fields = vec![
            (":action", "file_upload".to_owned()),
            ("protocol_version", "1".to_owned()),
            (
                "filetype",
                if is_wheel { "bdist_wheel" } else { "sdist" }.to_owned(),
            ),
            (
                "pyversion",
                if is_wheel { "py3" } else { "source" }.to_owned(),
            ),
            ("sha256_digest", self.sha256.to_string()),
        ];
        let (head, text) = self
            .metadata
            .split_once("\n\n")
            .unwrap_or((&self.metadata, ""));
        for line in head.lines() {
            if let Some((name, value)) = line.split_once(": ")
                && let Some(field) = field(name)
            {
                fields.push((field, value.to_owned()));
            }
        }
        fields.push(("description", text.to_owned()));
        let mut form = String::new();
        for (name, value) in fields {
            form.push_str(&format!(
                "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"
            ));
        }
        form.push_str(&format!(
            "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"content\"; filename=\"{}\"\r\n\
             Content-Type: application/octet-stream\r\n\r\n",
            self.name
        ));
        Request {
            content_type: format!("multipart/form-data; boundary={BOUNDARY}"),
            body: vec![
                Part::Bytes(form.into_bytes()),
                Part::File(self.content.clone()),
                Part::Bytes(format!("\r\n--{BOUNDARY}--\r\n").into_bytes()),
            ],
            ..Request::empty(Service::Pypi, Method::POST, "/")
        }
    }
}

/// Returns the field of the form for a field of core metadata.
fn field(name: &str) -> Option<&'static str> {
    const FIELDS: [(&str, &str); 11] = [
        ("Metadata-Version", "metadata_version"),
        ("Name", "name"),
        ("Version", "version"),
        ("Summary", "summary"),
        ("Keywords", "keywords"),
        ("License-Expression", "license_expression"),
        ("License-File", "license_file"),
        ("Project-URL", "project_urls"),
        ("Requires-Python", "requires_python"),
        ("Description-Content-Type", "description_content_type"),
        ("Dynamic", "dynamic"),
    ];
    let mut fields = FIELDS.iter();
    fields.find_map(|(metadata, field)| (*metadata == name).then_some(*field))
}

/// Returns the hash of a file in the index, or `Some(None)` when the index has the file without a hash.
///
/// # Errors
/// When the index does not answer.
pub(crate) fn find(
    remotes: &Remotes<'_>,
    project: &str,
    file: &str,
) -> anyhow::Result<Option<Option<Sha256>>> {
    let path = format!("/simple/{project}/");
    let accept = "application/vnd.pypi.simple.v1+json, text/html;q=0.5";
    let Some(answer) = remotes.get(Service::PypiIndex, &path, accept)? else {
        return Ok(None);
    };
    if let Ok(index) = serde_json::from_slice::<serde_json::Value>(&answer.body) {
        let files = index["files"].as_array();
        let files = files.context("the index of packages answers with an unknown document")?;
        let found = files.iter().find(|it| it["filename"] == *file);
        return Ok(found.map(|it| sha256(it["hashes"]["sha256"].as_str()?)));
    }
    let html = String::from_utf8_lossy(&answer.body);
    let mut links = html.split("href=").skip(1);
    let found = links.find_map(|link| {
        let quote = link.chars().next()?;
        let link = link[1..].split(quote).next()?;
        let (address, fragment) = link.split_once('#').unwrap_or((link, ""));
        let name = address.split('?').next()?.rsplit('/').next()?;
        (name == file || name.replace("%2B", "+") == file).then(|| fragment.to_owned())
    });
    Ok(found.map(|fragment| sha256(fragment.strip_prefix("sha256=")?)))
}

fn sha256(hex: &str) -> Option<Sha256> {
    Sha256::from_digest(&format!("sha256:{hex}"))
}

impl Item for File {
    fn name(&self) -> String {
        format!("file {}", self.name)
    }

    fn changes(&self) -> anyhow::Result<Vec<Change>> {
        Ok(vec![self.request().change()?])
    }

    fn observe(&self, remotes: &Remotes<'_>) -> anyhow::Result<State> {
        Ok(match find(remotes, &self.project, &self.name)? {
            None => State::Absent,
            Some(found) if found == Some(self.sha256) => State::Done,
            Some(Some(found)) => State::Other(format!("a file of this name with sha256 {found}")),
            Some(None) => State::Other("a file of this name without a hash".to_owned()),
        })
    }

    fn apply(&self, remotes: &Remotes<'_>) -> anyhow::Result<()> {
        remotes.send(&self.request(), &[]).map(drop)
    }

    fn undo(&self, remotes: &Remotes<'_>) -> anyhow::Result<Undone> {
        Ok(match self.observe(remotes)? {
            State::Absent => Undone::Nothing,
            _ => Undone::Stays("the index never takes this name again; yank it there".to_owned()),
        })
    }
}
