//! The rules A, B, L, N and W on the packages and binaries of a release.

use noetl_oci::rules::Rule;

/// The rules, in order.
pub(crate) const RULES: &[&Rule] = &[
    &A1, &A2, &A3, &A4, &A5, &A6, &A7, &A8, &A9, &B1, &B2, &B3, &B4, &B5, &B6, &B7, &B8, &B9, &B10,
    &L1, &L2, &N1, &N2, &W1, &W2, &W3, &W4,
];

pub(crate) static A1: Rule = Rule::error(
    "A1",
    "dist/ contains the files in its manifest and no others",
    "an old or missing download",
);
pub(crate) static A2: Rule = Rule::error(
    "A2",
    "sizes and hashes are those of SHA256SUMS and dist-manifest.json",
    "`sha256sum: FAILED`",
);
pub(crate) static A3: Rule = Rule::error(
    "A3",
    "file names contain version and target",
    "installers do not find the download",
);
pub(crate) static A4: Rule = Rule::error(
    "A4",
    "an archive contains one folder with the binary and its companions",
    "an installer unpacks nothing",
);
pub(crate) static A5: Rule = Rule::error(
    "A5",
    "modes, owners and times in an archive are fixed",
    "two builds differ",
);
pub(crate) static A6: Rule = Rule::error(
    "A6",
    "every package has the same manual pages, completions, licences and changelog",
    "`man noetl` finds nothing, or a licence's terms are not met",
);
pub(crate) static A7: Rule = Rule::error(
    "A7",
    "a file whose name has no version is a copy of the one of this release",
    "an installer installs another version",
);
pub(crate) static A8: Rule = Rule::error(
    "A8",
    "the repositories for apt and dnf list the packages of this release and no others",
    "`apt-get install noetl` says `Hash Sum mismatch`",
);
pub(crate) static A9: Rule = Rule::error(
    "A9",
    "installers and recipes name the archives of this release and their hashes",
    "`brew install` says `SHA-256 mismatch`, or another version is installed",
);
pub(crate) static B1: Rule = Rule::error(
    "B1",
    "a binary has the format and instruction set of its target",
    "`exec format error`, `bad CPU type`",
);
pub(crate) static B2: Rule = Rule::error(
    "B2",
    "a binary loads only libraries that every such system has",
    "`not found` for a library or for glibc",
);
pub(crate) static B3: Rule = Rule::error(
    "B3",
    "Mac binaries run on macOS 11 and newer",
    "`you can't open it on this version of macOS`",
);
pub(crate) static B4: Rule = Rule::error(
    "B4",
    "arm64 Mac binaries have a valid ad-hoc signature",
    "`zsh: killed`",
);
pub(crate) static B5: Rule = Rule::error(
    "B5",
    "no path of the machine it was built on",
    "private names are published, and two builds differ",
);
pub(crate) static B6: Rule = Rule::error(
    "B6",
    "the build stamp names this version, commit and target",
    "it is unknown what a binary was built from",
);
pub(crate) static B7: Rule = Rule::error(
    "B7",
    "every binary embeds the same web page",
    "one platform shows an old page",
);
pub(crate) static B8: Rule = Rule::error(
    "B8",
    "all packages of a target, and the image, contain the same binary",
    "a bug report that cannot be reproduced",
);
pub(crate) static B9: Rule = Rule::error(
    "B9",
    "the SBOM of a binary is of its bytes, and lists every crate that they name",
    "a vulnerable package is not found",
);
pub(crate) static B10: Rule = Rule::error(
    "B10",
    "a binary has the protections of its system, loads libraries from no folder of its own, and has no debug information",
    "a small fault can be exploited, or a foreign library is loaded",
);
pub(crate) static L1: Rule = Rule::error(
    "L1",
    "a deb or rpm contains its binary, companions, service, scripts and control data, and nothing else",
    "the service does not start, or other files are installed",
);
pub(crate) static L2: Rule = Rule::error(
    "L2",
    "modes, owners, times and headers of a deb or rpm are fixed",
    "a private file is readable, or two builds differ",
);
pub(crate) static N1: Rule = Rule::error(
    "N1",
    "each npm package is for the platform of its program, and `noetl` names the packages of all platforms",
    "`npx noetl` finds no program, or one that does not start",
);
pub(crate) static N2: Rule = Rule::error(
    "N2",
    "an npm package contains its program or launcher, companions and package.json, and nothing else",
    "other files are installed, or two builds differ",
);
pub(crate) static W1: Rule = Rule::error(
    "W1",
    "the tags of a wheel are those of what its binary needs",
    "pip installs a program that does not start",
);
pub(crate) static W2: Rule = Rule::error(
    "W2",
    "a wheel contains the binary, the launcher, companions and its metadata, and nothing else",
    "`python -m noetl` is missing, or other files are installed",
);
pub(crate) static W3: Rule = Rule::error(
    "W3",
    "RECORD, METADATA and WHEEL fit the wheel; modes and times are fixed",
    "pip refuses the wheel, or two builds differ",
);
pub(crate) static W4: Rule = Rule::error(
    "W4",
    "the source distribution has the commit and the web page of the binaries, and what pip needs to build it",
    "`pip install` from sources fails, or gives another program",
);
