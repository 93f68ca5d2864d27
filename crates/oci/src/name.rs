//! Image names as they are written, with or without registry, tag and digest (distribution-spec, and Docker's rule for
//! the registry).

use std::fmt;
use std::str::FromStr;

use anyhow::ensure;

use crate::digest::Sha256;

/// The name of an image, `[REGISTRY/]REPOSITORY[:TAG][@DIGEST]`, without any default filled in.
///
/// ```
/// use noetl_oci::ImageName;
/// let name: ImageName = "127.0.0.1:5000/team/app:1.2".parse()?;
/// assert_eq!(name.registry.as_deref(), Some("127.0.0.1:5000"));
/// assert_eq!((name.repository.as_str(), name.tag.as_deref()), ("team/app", Some("1.2")));
/// assert_eq!("app".parse::<ImageName>()?.registry, None);
/// # anyhow::Ok(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageName {
    /// Host, with a port if there is one; `None` in a short name, which a container engine completes.
    pub registry: Option<String>,
    /// The name of the repository in the registry, such as `some/image`.
    pub repository: String,
    /// The tag, if there is one.
    pub tag: Option<String>,
    /// The digest (`sha256:…`), if there is one; then the tag is not used to find the image.
    pub digest: Option<String>,
}

impl FromStr for ImageName {
    type Err = anyhow::Error;

    /// Fails when a part has characters that registries refuse, and for digests of another algorithm than SHA-256.
    fn from_str(text: &str) -> anyhow::Result<Self> {
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => (rest, Some(digest.to_owned())),
            None => (text, None),
        };
        if let Some(digest) = &digest {
            ensure!(
                Sha256::from_digest(digest).is_some(),
                "`{digest}` is not a sha256 digest"
            );
        }
        let (registry, rest) = match rest.split_once('/') {
            Some((host, path)) if looks_like_host(host) => (Some(host.to_owned()), path),
            _ => (None, rest),
        };
        let (repository, tag) = match rest.rsplit_once(':') {
            Some((repository, tag)) => (repository, Some(tag.to_owned())),
            None => (rest, None),
        };
        ensure!(
            is_repository(repository),
            "`{repository}` is not a repository name: use lowercase letters, digits and ._-/"
        );
        if let Some(tag) = &tag {
            ensure!(is_tag(tag), "{}", not_a_tag(tag));
        }
        Ok(Self {
            registry,
            repository: repository.to_owned(),
            tag,
            digest,
        })
    }
}

impl fmt::Display for ImageName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(registry) = &self.registry {
            write!(formatter, "{registry}/")?;
        }
        formatter.write_str(&self.repository)?;
        if let Some(tag) = &self.tag {
            write!(formatter, ":{tag}")?;
        }
        if let Some(digest) = &self.digest {
            write!(formatter, "@{digest}")?;
        }
        Ok(())
    }
}

/// Docker's rule: the first part is a host if it is `localhost`, or has a dot or a port.
fn looks_like_host(part: &str) -> bool {
    let starts_well = part.starts_with(|first: char| first.is_ascii_alphanumeric() || first == '[');
    part == "localhost" || (starts_well && part.contains(['.', ':']))
}

/// `[a-z0-9]+((.|_|__|-+)[a-z0-9]+)*` between slashes (distribution-spec).
fn is_repository(text: &str) -> bool {
    text.split('/').all(|part| {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let bytes = part.as_bytes();
        !bytes.is_empty()
            && plain(bytes[0])
            && plain(bytes[bytes.len() - 1])
            && bytes
                .iter()
                .all(|byte| plain(*byte) || b"._-".contains(byte))
            && !part.contains("..")
            && !part.contains("___")
    })
}

pub(crate) fn not_a_tag(text: &str) -> String {
    format!(
        "`{text}` is not a tag: use at most 128 letters, digits and ._-, and neither . nor - first"
    )
}

pub(crate) fn is_tag(text: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let bytes = text.as_bytes();
    !bytes.is_empty()
        && bytes.len() <= 128
        && word(bytes[0])
        && bytes.iter().all(|byte| word(*byte) || b".-".contains(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_valid_name_is_printed_as_it_was_written() {
        let digest = format!("sha256:{}", "0a".repeat(32));
        for name in [
            "app",
            "app:1",
            "a/b",
            "127.0.0.1:5000/app",
            "[::1]:5000/a/app:0.1.0",
        ] {
            assert_eq!(name.parse::<ImageName>().unwrap().to_string(), name);
            let pinned = format!("{name}@{digest}");
            let parsed: ImageName = pinned.parse().unwrap();
            assert_eq!(parsed.to_string(), pinned);
            assert_eq!(parsed.digest.as_deref(), Some(digest.as_str()));
        }
    }

    #[test]
    fn invalid_parts_are_refused() {
        for name in [
            "",
            "a:",
            "a//b",
            "a b",
            "-x",
            "UPPER:1",
            "ghcr.io/Some/app:1",
            "ghcr.io/a:.b",
            "a@sha512:00",
            "image_name:image_tag@sha256:1",
            "{{ image }}",
            "ghcr.io/",
            "a:1:2",
        ] {
            assert!(name.parse::<ImageName>().is_err(), "{name}");
        }
    }
}
