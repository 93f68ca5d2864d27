//! R: what a registry serves once an image is published.

use super::{Rule, rule, warning};

/// In the order of the list.
pub(super) const RULES: &[Rule] = &[
    rule(
        "R1",
        "a tag is the index that was pushed, by HEAD, by GET and by its bytes",
        "two pushes at once, and a release runs the other one's image",
    ),
    rule(
        "R2",
        "all tags of one release are the same image",
        "`latest` is last month's, while the version is today's",
    ),
    rule(
        "R3",
        "every image, config and layer below an index is there, in its full length",
        "half of the nodes report `manifest unknown`, while the tag looks fine",
    ),
    rule(
        "R4",
        "a version or commit tag never moves",
        "two machines run two programs under one version",
    ),
    rule(
        "R5",
        "no child for `unknown/unknown`",
        "AWS Lambda refuses the image, and kind cannot load it",
    ),
    rule(
        "R6",
        "what is attached to an image is there, and speaks of that image",
        "an auditor verifies another build's SBOM",
    ),
    warning(
        "R7",
        "a stranger can pull it",
        "`unauthorized` in every cluster but one's own: packages on GHCR begin private",
    ),
    warning(
        "R8",
        "every client is served this index or nothing, whatever types it takes",
        "an old client runs one platform's image on all",
    ),
    rule(
        "R9",
        "each platform's clients find its image, and others find none",
        "the first match is for another machine",
    ),
    warning(
        "R10",
        "no tags of single platforms are left over",
        "somebody deletes `1.2.3-arm64`, and the index breaks",
    ),
    rule(
        "R11",
        "what is pulled is byte for byte what was pushed",
        "anything that all other rules have missed",
    ),
    warning(
        "R12",
        "earlier releases can still be pulled",
        "a clean-up job has deleted what a cluster still runs",
    ),
];
