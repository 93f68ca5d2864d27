//! A and B: archives and binaries that people download.

use super::{Rule, rule};

/// In the order of the list.
pub(super) const RULES: &[Rule] = &[
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
