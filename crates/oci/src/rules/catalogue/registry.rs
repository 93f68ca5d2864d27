//! R: what a registry serves once an image is published.

#![expect(missing_docs, reason = "the title of a rule describes it")]

use crate::rules::rule::Rule;

/// The rules of this family, in order.
pub const REGISTRY: &[&Rule] = &[
    &R1, &R2, &R3, &R4, &R5, &R6, &R7, &R8, &R9, &R10, &R11, &R12,
];

pub static R1: Rule = Rule::error(
    "R1",
    "a tag is the index that was pushed, by HEAD, by GET and by its bytes",
    "of two concurrent pushes, one release runs the other's image",
);

pub static R2: Rule = Rule::error(
    "R2",
    "all tags of one release are the same image",
    "`latest` is last month's, while the version is today's",
);

pub static R3: Rule = Rule::error(
    "R3",
    "every image, config and layer below an index exists with its full length",
    "half of the nodes report `manifest unknown`, while the tag looks fine",
);

pub static R4: Rule = Rule::error(
    "R4",
    "a version or commit tag never moves",
    "two machines run different programs under one version",
);

pub static R5: Rule = Rule::error(
    "R5",
    "no child for `unknown/unknown`",
    "AWS Lambda refuses the image, and kind cannot load it",
);

pub static R6: Rule = Rule::error(
    "R6",
    "every artifact attached to an image exists, and its subject is that image",
    "an auditor verifies the SBOM of another build",
);

pub static R7: Rule = Rule::warning(
    "R7",
    "the image can be pulled without credentials",
    "`unauthorized` in clusters without credentials: new packages on GHCR are private",
);

pub static R8: Rule = Rule::warning(
    "R8",
    "every client gets this index or an error, whatever media types it accepts",
    "an old client runs one platform's image on all platforms",
);

pub static R9: Rule = Rule::error(
    "R9",
    "clients of each platform find its image, and those of other platforms find none",
    "the first match is for another machine",
);

pub static R10: Rule = Rule::warning(
    "R10",
    "there are no tags of single platforms",
    "deleting `1.2.3-arm64` breaks the index",
);

pub static R11: Rule = Rule::error(
    "R11",
    "what is pulled is byte for byte what was pushed",
    "any difference that no other rule finds",
);

pub static R12: Rule = Rule::warning(
    "R12",
    "earlier releases can still be pulled",
    "a clean-up job has deleted an image that a cluster still runs",
);
