//! Crates for Rust's package registry (registry web API; sparse index).

use anyhow::Context as _;
use noetl_oci::registry::Method;
use noetl_oci::{Blob, Sha256};
use serde::Deserialize;
use serde_json::Value;

use crate::publish::endpoints::Service;
use crate::publish::remotes::Remotes;
use crate::publish::request::{Change, Part, Request};
use crate::publish::step::{Item, State, Undone};

/// A line of the index: one version.
#[derive(Debug, Deserialize)]
struct Line {
    vers: String,
    cksum: String,
}

/// A crate of one version.
#[derive(Debug, Clone)]
pub(crate) struct Crate {
    pub name: String,
    pub version: String,
    /// What the registry is told of it.
    pub metadata: Value,
    /// The `.crate` file.
    pub content: Blob,
    pub sha256: Sha256,
}

/// Returns the path of a crate's file in the index.
fn index_path(name: &str) -> String {
    let name = name.to_ascii_lowercase();
    match name.len() {
        1 | 2 => format!("/{}/{name}", name.len()),
        3 => format!("/3/{}/{name}", &name[..1]),
        _ => format!("/{}/{}/{name}", &name[..2], &name[2..4]),
    }
}

/// Returns the SHA-256 in hexadecimal of a version in the index.
///
/// # Errors
/// When the index does not answer.
pub(crate) fn find(
    remotes: &Remotes<'_>,
    name: &str,
    version: &str,
) -> anyhow::Result<Option<String>> {
    let Some(answer) = remotes.get(Service::CratesIndex, &index_path(name), "text/plain")? else {
        return Ok(None);
    };
    let text = String::from_utf8_lossy(&answer.body);
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let line: Line =
            serde_json::from_str(line).context("the index of crates has an unknown line")?;
        if line.vers == version {
            return Ok(Some(line.cksum));
        }
    }
    Ok(None)
}

impl Crate {
    /// The body is the length of the metadata, the metadata, the length of the file, and the file.
    fn request(&self) -> anyhow::Result<Request> {
        let metadata = serde_json::to_vec(&self.metadata)?;
        let mut start = u32::try_from(metadata.len())?.to_le_bytes().to_vec();
        start.extend(metadata);
        start.extend(u32::try_from(self.content.length())?.to_le_bytes());
        Ok(Request {
            content_type: "application/octet-stream".to_owned(),
            body: vec![Part::Bytes(start), Part::File(self.content.clone())],
            ..Request::empty(Service::Crates, Method::PUT, "/api/v1/crates/new")
        })
    }
}

impl Item for Crate {
    fn name(&self) -> String {
        format!("crate {} {}", self.name, self.version)
    }

    fn changes(&self) -> anyhow::Result<Vec<Change>> {
        Ok(vec![self.request()?.change()?])
    }

    fn observe(&self, remotes: &Remotes<'_>) -> anyhow::Result<State> {
        let sha256 = self.sha256.to_string();
        Ok(match find(remotes, &self.name, &self.version)? {
            None => State::Absent,
            Some(found) if found == sha256 => State::Done,
            Some(found) => State::Other(format!("this version with sha256 {found}")),
        })
    }

    fn apply(&self, remotes: &Remotes<'_>) -> anyhow::Result<()> {
        remotes.send(&self.request()?, &[]).map(drop)
    }

    fn undo(&self, remotes: &Remotes<'_>) -> anyhow::Result<Undone> {
        Ok(match self.observe(remotes)? {
            State::Absent => Undone::Nothing,
            _ => Undone::Stays(format!(
                "`cargo yank {}@{}` hides it from new builds",
                self.name, self.version
            )),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::index_path;

    #[test]
    fn names_have_their_folder_in_the_index() {
        for (name, path) in [
            ("a", "/1/a"),
            ("ab", "/2/ab"),
            ("abc", "/3/a/abc"),
            ("noetlctl", "/no/et/noetlctl"),
        ] {
            assert_eq!(index_path(name), path);
        }
    }
}
