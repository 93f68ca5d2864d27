//! Operating system and architecture that an image is for (image-spec, image-index.md).

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use anyhow::ensure;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// An operating system and an architecture, such as `linux/arm64/v8` (image-spec, image-index.md, `platform`).
///
/// It is printed and parsed as `os/architecture` or `os/architecture/variant`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Platform {
    /// The architecture as Go names it (`GOARCH`): `amd64`, `arm64`.
    pub architecture: String,
    /// The operating system as Go names it (`GOOS`): `linux`.
    pub os: String,
    /// The variant of the architecture, such as `v8` for arm64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
    /// The version of the operating system, used for Windows.
    #[serde(
        default,
        rename = "os.version",
        skip_serializing_if = "Option::is_none"
    )]
    pub os_version: Option<String>,
    /// Features that the operating system must have, used for Windows.
    #[serde(default, rename = "os.features", skip_serializing_if = "Vec::is_empty")]
    pub os_features: Vec<String>,
    /// Fields that the specification does not define.
    #[serde(flatten)]
    pub unknown: BTreeMap<String, Value>,
}

impl Platform {
    /// Returns a platform; names are those of Go, such as `linux` and `amd64`.
    pub fn new(os: &str, architecture: &str, variant: Option<&str>) -> Self {
        Self {
            architecture: architecture.to_owned(),
            os: os.to_owned(),
            variant: variant.map(ToOwned::to_owned),
            os_version: None,
            os_features: Vec::new(),
            unknown: BTreeMap::new(),
        }
    }

    /// Returns `os/architecture` without the variant, such as `linux/arm64`.
    pub fn without_variant(&self) -> String {
        format!("{}/{}", self.os, self.architecture)
    }

    /// Returns whether an image for this platform can be used where `wanted` is requested: operating system,
    /// architecture and variant are the same. As in containerd, arm64 without a variant is v8.
    ///
    /// ```
    /// use noetl_oci::Platform;
    /// let plain = Platform::new("linux", "arm64", None);
    /// assert!(plain.serves(&Platform::new("linux", "arm64", Some("v8"))));
    /// assert!(!plain.serves(&Platform::new("linux", "amd64", None)));
    /// ```
    pub fn serves(&self, wanted: &Platform) -> bool {
        (&self.os, &self.architecture) == (&wanted.os, &wanted.architecture)
            && self.normal_variant() == wanted.normal_variant()
    }

    /// Returns whether operating system or architecture is `unknown`, which is how buildx marks attestations.
    pub fn is_unknown(&self) -> bool {
        self.os == "unknown" || self.architecture == "unknown"
    }

    fn normal_variant(&self) -> &str {
        match (self.architecture.as_str(), self.variant.as_deref()) {
            ("arm64", Some("v8" | "8")) => "",
            (_, variant) => variant.unwrap_or_default(),
        }
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.os, self.architecture)?;
        match &self.variant {
            Some(variant) => write!(formatter, "/{variant}"),
            None => Ok(()),
        }
    }
}

impl FromStr for Platform {
    type Err = anyhow::Error;

    /// Parses `os/architecture` or `os/architecture/variant`, with spaces around it, in any case, and with the names that
    /// `uname` and compilers use, as containerd does: `linux/aarch64` is `linux/arm64`, `macos/x86_64` is `darwin/amd64`.
    fn from_str(text: &str) -> anyhow::Result<Self> {
        let lower = text.trim().to_ascii_lowercase();
        let parts: Vec<_> = lower.split('/').collect();
        let (os, architecture, variant) = match parts.as_slice() {
            _ if parts.iter().any(|part| part.is_empty()) => ("", "", None),
            [os, architecture] => (*os, *architecture, None),
            [os, architecture, variant] => (*os, *architecture, Some(*variant)),
            _ => ("", "", None),
        };
        ensure!(
            !os.is_empty(),
            "`{text}` is not a platform, such as linux/amd64 or linux/arm64/v8"
        );
        let os = if os == "macos" { "darwin" } else { os };
        let (architecture, variant) = match (architecture, variant) {
            ("x86_64" | "x86-64", variant) => ("amd64", variant),
            ("amd64", Some("v1")) => ("amd64", None),
            ("i386" | "i686" | "x86", _) => ("386", None),
            ("aarch64", variant) => ("arm64", variant),
            ("arm64", Some("8")) => ("arm64", Some("v8")),
            ("armhf", _) => ("arm", Some("v7")),
            ("armel", _) => ("arm", Some("v6")),
            ("arm", Some("5")) => ("arm", Some("v5")),
            ("arm", Some("6")) => ("arm", Some("v6")),
            ("arm", Some("7")) => ("arm", Some("v7")),
            other => other,
        };
        Ok(Self::new(os, architecture, variant))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parsed_platform_is_printed_as_it_was_written() {
        for text in ["linux/amd64", "linux/arm64/v8", "windows/amd64"] {
            assert_eq!(text.parse::<Platform>().unwrap().to_string(), text);
        }
        for text in ["", "linux", "linux/", "/amd64", "linux/arm64/v8/x"] {
            assert!(text.parse::<Platform>().is_err(), "{text}");
        }
    }

    #[test]
    fn other_names_of_a_platform_are_understood() {
        for (text, platform) in [
            ("linux/aarch64", "linux/arm64"),
            ("linux/x86_64", "linux/amd64"),
            (" Linux/X86-64\n", "linux/amd64"),
            ("macos/aarch64", "darwin/arm64"),
            ("linux/aarch64/v8", "linux/arm64/v8"),
            ("linux/arm64/8", "linux/arm64/v8"),
            ("linux/armhf", "linux/arm/v7"),
            ("linux/armel", "linux/arm/v6"),
            ("linux/arm/7", "linux/arm/v7"),
            ("linux/i386", "linux/386"),
            ("linux/amd64/v1", "linux/amd64"),
            ("linux/riscv64", "linux/riscv64"),
        ] {
            assert_eq!(text.parse::<Platform>().unwrap().to_string(), platform);
        }
    }

    #[test]
    fn arm64_is_v8_with_and_without_its_variant() {
        let platform = |text: &str| text.parse::<Platform>().unwrap();
        assert!(platform("linux/arm64/v8").serves(&platform("linux/arm64")));
        assert!(!platform("linux/arm/v7").serves(&platform("linux/arm")));
        assert!(!platform("linux/arm64/v9").serves(&platform("linux/arm64")));
    }
}
