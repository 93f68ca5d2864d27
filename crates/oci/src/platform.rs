//! Where an image runs (image-spec, image-index.md).

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use anyhow::bail;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// An operating system and a processor, such as `linux/arm64/v8`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Platform {
    /// Go's name of the architecture: `amd64`, `arm64`.
    pub architecture: String,
    /// Go's name of the operating system: `linux`.
    pub os: String,
    /// `v8` for arm64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
    /// Windows' build number.
    #[serde(
        default,
        rename = "os.version",
        skip_serializing_if = "Option::is_none"
    )]
    pub os_version: Option<String>,
    /// Windows' features.
    #[serde(default, rename = "os.features", skip_serializing_if = "Vec::is_empty")]
    pub os_features: Vec<String>,
    /// Fields that the specification does not know.
    #[serde(flatten)]
    pub unknown: BTreeMap<String, Value>,
}

impl Platform {
    /// Makes a platform of Go's names.
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

    /// Returns the form that people type, without the variant: `linux/arm64`.
    pub fn without_variant(&self) -> String {
        format!("{}/{}", self.os, self.architecture)
    }

    /// Returns whether an image for this platform runs where `wanted` is asked for: arm64 is v8 whether it
    /// says so or not, as containerd has it.
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

    /// Whether it stands for something that no machine runs, as buildx marks attestations.
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

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let parts: Vec<_> = text.split('/').collect();
        match parts.as_slice() {
            [os, architecture] if !os.is_empty() && !architecture.is_empty() => {
                Ok(Self::new(os, architecture, None))
            }
            [os, architecture, variant] if parts.iter().all(|part| !part.is_empty()) => {
                Ok(Self::new(os, architecture, Some(variant)))
            }
            _ => bail!("`{text}` is not a platform, such as linux/amd64 or linux/arm64/v8"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn platforms_are_written_as_they_are_read() {
        for text in ["linux/amd64", "linux/arm64/v8", "windows/amd64"] {
            assert_eq!(text.parse::<Platform>().unwrap().to_string(), text);
        }
        for text in ["", "linux", "linux/", "/amd64", "linux/arm64/v8/x"] {
            assert!(text.parse::<Platform>().is_err(), "{text}");
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
