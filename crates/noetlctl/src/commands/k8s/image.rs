//! Names of images in manifests.

use anyhow::Context as _;
use noetl_help::Help as _;
use noetl_oci::ImageName;

/// The image of this release.
const RELEASED: &str = concat!(env!("NOETL_STAMP_IMAGE"), ":", env!("CARGO_PKG_VERSION"));
/// What is appended to a tag for the image with Python.
const PYTHON: &str = "-python";

/// Reads the name of an image.
///
/// # Errors
/// Fails when registries do not accept it as a name.
pub(super) fn parse(text: &str) -> anyhow::Result<ImageName> {
    text.parse::<ImageName>()
        .with_context(|| format!("`{text}` is not the name of an image"))
        .help("an image is named like ghcr.io/noetl/noetl:0.1.0; a pinned one ends with @sha256: and 64 digits")
}

/// Returns the image of this release.
///
/// # Errors
/// Fails when the version is not a valid tag, which is the case for no release.
pub(super) fn released() -> anyhow::Result<ImageName> {
    parse(RELEASED)
}

/// Returns the same image with Python, which has `-python` at the end of its tag and another digest.
///
/// # Errors
/// Fails when there is no tag.
pub(super) fn with_python(image: &ImageName) -> anyhow::Result<ImageName> {
    let tag = image
        .tag
        .as_ref()
        .with_context(|| {
            format!("{image} has no tag from which the image of the workers could be derived")
        })
        .help("name it with --python-image")?;
    Ok(ImageName {
        tag: Some(format!("{tag}{PYTHON}")),
        digest: None,
        ..image.clone()
    })
}

/// Warns about an image that is named without its digest: another image may get the same name later.
pub(super) fn warning(image: &ImageName) -> Option<String> {
    let reason = match (&image.digest, &image.tag) {
        (Some(_), _) => return None,
        (None, Some(tag)) if tag != "latest" => "a tag may be moved",
        _ => "`latest` changes with every release",
    };
    Some(format!(
        "{image} is not pinned: {reason}; `cargo xtask image resolve` writes its digest"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_image_without_a_digest_is_warned_about() {
        for name in ["noetl", "127.0.0.1:5000/a/noetl:0.1.0", "noetl:latest"] {
            assert!(warning(&parse(name).unwrap()).is_some(), "{name}");
            let pinned = format!("{name}@sha256:{}", "0a".repeat(32));
            assert_eq!(warning(&parse(&pinned).unwrap()), None);
        }
        assert!(
            warning(&released().unwrap())
                .unwrap()
                .contains("a tag may be moved")
        );
    }

    #[test]
    fn the_image_with_python_is_derived_from_the_tag() {
        let python = |name: &str| with_python(&parse(name).unwrap());
        let expected = "h:5000/noetl:1.2-python";
        assert_eq!(python("h:5000/noetl:1.2").unwrap().to_string(), expected);
        let pinned = format!("noetl:1@sha256:{}", "0".repeat(64));
        assert_eq!(python(&pinned).unwrap().to_string(), "noetl:1-python");
        let error = python("noetl").unwrap_err();
        assert!(error.to_string().contains("has no tag"), "{error}");
    }
}
