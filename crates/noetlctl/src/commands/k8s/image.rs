//! The images that the manifests name: taken as given, with a warning for what may change under a name.

use std::fmt;
use std::str::FromStr;

use anyhow::{Context as _, ensure};

use crate::error::WithHelp as _;

/// Where a release's image is published.
const RELEASED: &str = "ghcr.io/noetl/noetl";
/// What the tag of the image with a Python ends with.
const PYTHON: &str = "-python";

/// An image's name as Kubernetes reads it: `NAME[:TAG][@DIGEST]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Image {
    name: String,
    tag: Option<String>,
    digest: Option<String>,
}

impl Image {
    /// The image of this release.
    pub(crate) fn released() -> Self {
        Self {
            name: RELEASED.to_owned(),
            tag: Some(env!("CARGO_PKG_VERSION").to_owned()),
            digest: None,
        }
    }

    /// The same image with a Python, by the convention of its tag. What its digest is nobody can say.
    ///
    /// # Errors
    /// When there is no tag to put `-python` behind.
    pub(crate) fn with_python(&self) -> anyhow::Result<Self> {
        let tag = self.tag.as_ref();
        let tag = tag
            .with_context(|| {
                format!("{self} has no tag, so that the workers' image cannot be derived")
            })
            .help("name it with --python-image")?;
        Ok(Self {
            name: self.name.clone(),
            tag: Some(format!("{tag}{PYTHON}")),
            digest: None,
        })
    }

    /// What may go wrong with a name that says less than the image's digest.
    pub(crate) fn warning(&self) -> Option<String> {
        let what = match (&self.digest, &self.tag) {
            (Some(_), _) => return None,
            (None, Some(tag)) if tag != "latest" => "a tag may be moved",
            _ => "`latest` is another image every day",
        };
        Some(format!(
            "{self} is not pinned: {what}; `cargo xtask image resolve` writes its digest"
        ))
    }
}

impl FromStr for Image {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => (rest, Some(digest)),
            None => (text, None),
        };
        // A colon before the last slash is that of a registry's port.
        let tag_at = rest
            .rfind(':')
            .filter(|colon| !rest[*colon..].contains('/'));
        let (name, tag) = tag_at.map_or((rest, None), |colon| {
            (&rest[..colon], Some(&rest[colon + 1..]))
        });
        let plain = |part: &str, more: &str| {
            !part.is_empty()
                && part
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || more.contains(c))
        };
        let right = plain(name, "._-/:")
            && name
                .split('/')
                .all(|part| part.starts_with(|c: char| c.is_ascii_alphanumeric()))
            && is_lower(name)
            && tag.is_none_or(|tag| plain(tag, "._-"))
            && digest.is_none_or(is_digest);
        ensure_image(right, text)?;
        Ok(Self {
            name: name.to_owned(),
            tag: tag.map(str::to_owned),
            digest: digest.map(str::to_owned),
        })
    }
}

fn ensure_image(right: bool, text: &str) -> anyhow::Result<()> {
    let checked = || {
        ensure!(right, "`{text}` is no image name");
        Ok(())
    };
    checked().help("an image is named like ghcr.io/noetl/noetl:0.1.0, with @sha256:… and 64 digits behind it when it is pinned")
}

/// Only a registry's host may have capitals.
fn is_lower(name: &str) -> bool {
    let repository = match name.split_once('/') {
        Some((host, rest)) if host.contains(['.', ':']) => rest,
        _ => name,
    };
    !repository.contains(|c: char| c.is_ascii_uppercase())
}

fn is_digest(text: &str) -> bool {
    text.strip_prefix("sha256:").is_some_and(|hex| {
        hex.len() == 64
            && hex
                .bytes()
                .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    })
}

impl fmt::Display for Image {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.name)?;
        if let Some(tag) = &self.tag {
            write!(formatter, ":{tag}")?;
        }
        if let Some(digest) = &self.digest {
            write!(formatter, "@{digest}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(text: &str) -> Image {
        text.parse().unwrap()
    }

    #[test]
    fn names_are_kept_as_they_are() {
        let digest = format!("sha256:{}", "0a".repeat(32));
        for name in [
            "noetl",
            "noetl:1",
            "127.0.0.1:5000/noetl",
            "127.0.0.1:5000/a/noetl:0.1.0",
        ] {
            assert_eq!(image(name).to_string(), name);
            let pinned = format!("{name}@{digest}");
            assert_eq!(image(&pinned).to_string(), pinned);
            assert_eq!(image(&pinned).warning(), None);
            assert!(image(name).warning().is_some());
        }
        for name in [
            "",
            "image_name:image_tag@sha256:1",
            "a:",
            "a//b",
            "a b",
            "-x",
            "UPPER:1",
            "ghcr.io/Noetl/noetl:1",
            "a@sha512:00",
            "{{ image }}",
        ] {
            assert!(name.parse::<Image>().is_err(), "{name}");
        }
    }

    #[test]
    fn the_workers_image_follows_the_tag() {
        assert_eq!(
            image("h:5000/noetl:1.2").with_python().unwrap().to_string(),
            "h:5000/noetl:1.2-python"
        );
        let pinned = image(&format!("noetl:1@sha256:{}", "0".repeat(64)));
        assert_eq!(pinned.with_python().unwrap().to_string(), "noetl:1-python");
        let error = image("noetl").with_python().unwrap_err();
        assert!(format!("{error:#}").contains("--python-image"), "{error:#}");
    }
}
