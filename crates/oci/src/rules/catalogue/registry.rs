//! R: what a registry serves once an image is published.

#![expect(missing_docs, reason = "the title of a rule says what it is")]

use crate::rules::rule::Rule;

/// The rules of this family, in order.
pub const REGISTRY: &[&Rule] = &[
    &R1, &R2, &R3, &R4, &R5, &R6, &R7, &R8, &R9, &R10, &R11, &R12,
];

pub static R1: Rule = Rule::error(
    "R1",
    "a tag is the index that was pushed, by HEAD, by GET and by its bytes",
    "two pushes at once, and a release runs the other one's image",
);

pub static R2: Rule = Rule::error(
    "R2",
    "all tags of one release are the same image",
    "`latest` is last month's, while the version is today's",
);

pub static R3: Rule = Rule::error(
    "R3",
    "every image, config and layer below an index is there, in its full length",
    "half of the nodes report `manifest unknown`, while the tag looks fine",
);

pub static R4: Rule = Rule::error(
    "R4",
    "a version or commit tag never moves",
    "two machines run two programs under one version",
);

pub static R5: Rule = Rule::error(
    "R5",
    "no child for `unknown/unknown`",
    "AWS Lambda refuses the image, and kind cannot load it",
);

pub static R6: Rule = Rule::error(
    "R6",
    "what is attached to an image is there, and speaks of that image",
    "an auditor verifies another build's SBOM",
);

pub static R7: Rule = Rule::warning(
    "R7",
    "a stranger can pull it",
    "`unauthorized` in every cluster but one's own: packages on GHCR begin private",
);

pub static R8: Rule = Rule::warning(
    "R8",
    "every client is served this index or nothing, whatever types it takes",
    "an old client runs one platform's image on all",
);

pub static R9: Rule = Rule::error(
    "R9",
    "each platform's clients find its image, and others find none",
    "the first match is for another machine",
);

pub static R10: Rule = Rule::warning(
    "R10",
    "no tags of single platforms are left over",
    "somebody deletes `1.2.3-arm64`, and the index breaks",
);

pub static R11: Rule = Rule::error(
    "R11",
    "what is pulled is byte for byte what was pushed",
    "anything that all other rules have missed",
);

pub static R12: Rule = Rule::warning(
    "R12",
    "earlier releases can still be pulled",
    "a clean-up job has deleted what a cluster still runs",
);
