//! The catalogue: every rule with its id, severity and what its failure looks like in the wild.
//!
//! S and P are rules on images, A and B on what people download.

use std::fmt;

use serde::Serialize;

/// A rule of the catalogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct Rule {
    /// Stable id, such as `S1`.
    pub id: &'static str,
    /// Whether breaking it stops a release.
    pub severity: Severity,
    /// What must hold.
    pub title: &'static str,
    /// What happens to people when it does not.
    pub symptom: &'static str,
}

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Severity {
    /// It must not be published.
    Error,
    /// It should be looked at.
    Warning,
}

impl fmt::Display for Severity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Error => "error",
            Self::Warning => "warning",
        })
    }
}

/// Finds a rule by its id.
pub(crate) fn find(id: &str) -> Option<&'static Rule> {
    RULES.iter().find(|rule| rule.id == id)
}

/// Every rule, in the order of the list that `image check --list` prints.
pub(crate) const RULES: &[Rule] = &[
    rule(
        "S1",
        "every blob's name is the sha256 of its content",
        "a node reports `failed to verify layer`",
    ),
    rule(
        "S2",
        "every descriptor's size is its blob's length",
        "a pull stops with `unexpected EOF`",
    ),
    rule(
        "S3",
        "diff ids are the layers' uncompressed digests, one each",
        "a node fails to unpack the image",
    ),
    rule(
        "S4",
        "history has one line per layer",
        "scanners and skopeo report `mismatched image rootfs`",
    ),
    rule(
        "S5",
        "media types are present and equal to their descriptors'",
        "a registry answers 400",
    ),
    rule(
        "S6",
        "only OCI's media types, each where it belongs",
        "Quay answers `manifest invalid`",
    ),
    rule(
        "S7",
        "indexes and manifests are well-formed, schema 2, without unknown fields",
        "clients disagree on what it says",
    ),
    rule(
        "S8",
        "a layer is what its media type says",
        "`archive/tar: invalid tar header`",
    ),
    rule(
        "S9",
        "layers are gzip or plain tar",
        "an older Docker engine cannot load zstd",
    ),
    rule(
        "S10",
        "gzip has one member, no name, time 0, system 255, nothing behind it",
        "two builds differ",
    ),
    rule(
        "S11",
        "JSON is canonical, without duplicate keys",
        "two parsers read two different images",
    ),
    rule(
        "S12",
        "every referenced blob is there, and no other",
        "MANIFEST_BLOB_UNKNOWN in the middle of a push",
    ),
    warning(
        "S13",
        "manifests are smaller than 4 MiB",
        "a registry answers 413",
    ),
    rule(
        "S14",
        "no foreign URLs and no embedded data that differs",
        "somebody else decides what runs",
    ),
    rule(
        "P1",
        "exactly the declared platforms",
        "`no match for platform in manifest` on half of the nodes",
    ),
    rule(
        "P2",
        "every child says its architecture and system",
        "ECR's pull-through cache fails",
    ),
    rule("P3", "no platform twice", "the second one is never used"),
    rule(
        "P4",
        "index and config agree on the platform",
        "containerd silently does not unpack the image",
    ),
    rule(
        "P5",
        "arm64's variant is v8 or absent, in both places",
        "`linux/arm64/armv8` matches no node",
    ),
    rule(
        "P6",
        "the entry point is built for the platform",
        "`exec format error`",
    ),
    rule(
        "P7",
        "every ELF file is built for the platform",
        "a helper fails with `exec format error`",
    ),
    rule(
        "P8",
        "the entry point needs no loader and no libraries",
        "`exec /usr/bin/noetl: no such file or directory`",
    ),
    rule(
        "P9",
        "the entry point is a file that the configured user may run",
        "`permission denied` or `not found`",
    ),
    rule(
        "A1",
        "dist/ holds what its manifest lists, and nothing else",
        "a stale or missing download",
    ),
    rule(
        "A2",
        "sizes and hashes are those of SHA256SUMS and dist-manifest.json",
        "`sha256sum: FAILED`",
    ),
    rule(
        "A3",
        "files are named for their version and target",
        "installers do not find the download",
    ),
    rule(
        "A4",
        "an archive holds one folder with the binary, LICENSE and README",
        "an installer unpacks nothing",
    ),
    rule(
        "A5",
        "modes, owners and times in an archive are fixed",
        "two builds differ",
    ),
    rule(
        "B1",
        "a binary has the format and instruction set of its target",
        "`exec format error`, `bad CPU type`",
    ),
    rule(
        "B2",
        "a binary loads only what every such system has",
        "`not found` for a library or for glibc",
    ),
    rule(
        "B3",
        "Mac binaries run on macOS 11 and newer",
        "`you can't open it on this version of macOS`",
    ),
    rule(
        "B4",
        "arm64 Mac binaries have a valid ad-hoc signature",
        "`zsh: killed`",
    ),
    rule(
        "B5",
        "no path of the machine it was built on",
        "private names in public, and two builds differ",
    ),
    rule(
        "B6",
        "the build stamp names this version, commit and target",
        "nobody knows what a binary is",
    ),
    rule(
        "B7",
        "every binary embeds the same web page",
        "one platform shows last week's page",
    ),
    rule(
        "B8",
        "archive and image hold the same Linux binary",
        "a bug report that cannot be reproduced",
    ),
];

const fn rule(id: &'static str, title: &'static str, symptom: &'static str) -> Rule {
    Rule {
        id,
        severity: Severity::Error,
        title,
        symptom,
    }
}

const fn warning(id: &'static str, title: &'static str, symptom: &'static str) -> Rule {
    Rule {
        id,
        severity: Severity::Warning,
        title,
        symptom,
    }
}

#[cfg(test)]
mod tests {
    use super::RULES;

    #[test]
    fn ids_are_unique() {
        let mut ids: Vec<_> = RULES.iter().map(|rule| rule.id).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), RULES.len());
    }
}
