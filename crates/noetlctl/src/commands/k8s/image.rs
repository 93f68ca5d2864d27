//! Names of images in manifests.

use std::fmt;
use std::str::FromStr;

use anyhow::{Context as _, anyhow};
use noetl_help::Help as _;

/// Where the images of releases are published.
const RELEASED: &str = "ghcr.io/noetl/noetl";
/// What is appended to a tag for the image with Python.
const PYTHON: &str = "-python";

/// The name of an image, `NAME[:TAG][@DIGEST]`, as it is written in manifests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Image {
    name: String,
    tag: Option<String>,
    digest: Option<String>,
}

impl Image {
    /// Returns the image of this release.
    pub(super) fn released() -> Self {
        Self {
            name: RELEASED.to_owned(),
            tag: Some(env!("CARGO_PKG_VERSION").to_owned()),
            digest: None,
        }
    }

    /// Returns the same image with Python, which has `-python` at the end of its tag and another digest.
    ///
    /// # Errors
    /// Fails when there is no tag.
    pub(super) fn with_python(&self) -> anyhow::Result<Self> {
        let tag = self
            .tag
            .as_ref()
            .with_context(|| {
                format!("{self} has no tag from which the image of the workers could be derived")
            })
            .help("name it with --python-image")?;
        Ok(Self {
            name: self.name.clone(),
            tag: Some(format!("{tag}{PYTHON}")),
            digest: None,
        })
    }

    /// Warns about an image that is named without its digest: another image may get the same name later.
    pub(super) fn warning(&self) -> Option<String> {
        let reason = match (&self.digest, &self.tag) {
            (Some(_), _) => return None,
            (None, Some(tag)) if tag != "latest" => "a tag may be moved",
            _ => "`latest` changes with every release",
        };
        Some(format!(
            "{self} is not pinned: {reason}; `cargo xtask image resolve` writes its digest"
        ))
    }
}

impl FromStr for Image {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        parse(text)
            .ok_or_else(|| anyhow!("`{text}` is not the name of an image"))
            .help("an image is named like ghcr.io/noetl/noetl:0.1.0; a pinned one ends with @sha256: and 64 digits")
    }
}

fn parse(text: &str) -> Option<Image> {
    let (rest, digest) = match text.split_once('@') {
        Some((rest, digest)) => (rest, Some(digest)),
        None => (text, None),
    };
    let tag_start = rest
        .rfind(':')
        .filter(|colon| !rest[*colon..].contains('/'));
    let (name, tag) = tag_start.map_or((rest, None), |colon| {
        (&rest[..colon], Some(&rest[colon + 1..]))
    });
    let valid = is_name(name) && tag.is_none_or(is_tag) && digest.is_none_or(is_digest);
    valid.then(|| Image {
        name: name.to_owned(),
        tag: tag.map(str::to_owned),
        digest: digest.map(str::to_owned),
    })
}

fn is_name(name: &str) -> bool {
    let repository = match name.split_once('/') {
        Some((host, rest)) if host.contains(['.', ':']) => rest,
        _ => name,
    };
    name.chars()
        .all(|c| c.is_ascii_alphanumeric() || "._-/:".contains(c))
        && name
            .split('/')
            .all(|part| part.starts_with(|c: char| c.is_ascii_alphanumeric()))
        && !repository.contains(|c: char| c.is_ascii_uppercase())
}

fn is_tag(tag: &str) -> bool {
    let valid = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    !tag.is_empty() && tag.chars().all(valid)
}

fn is_digest(digest: &str) -> bool {
    digest.strip_prefix("sha256:").is_some_and(|hex| {
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
    fn a_valid_name_is_not_changed() {
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
    fn the_image_with_python_is_derived_from_the_tag() {
        assert_eq!(
            image("h:5000/noetl:1.2").with_python().unwrap().to_string(),
            "h:5000/noetl:1.2-python"
        );
        let pinned = image(&format!("noetl:1@sha256:{}", "0".repeat(64)));
        assert_eq!(pinned.with_python().unwrap().to_string(), "noetl:1-python");
        let error = image("noetl").with_python().unwrap_err();
        assert!(error.to_string().contains("has no tag"), "{error}");
    }
}
