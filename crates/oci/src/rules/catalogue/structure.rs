//! S: digests, sizes, media types and documents.

#![expect(missing_docs, reason = "the title of a rule describes it")]

use crate::rules::rule::{Accepted, Rule};

/// The rules of this family, in order.
pub const STRUCTURE: &[&Rule] = &[
    &S1, &S2, &S3, &S4, &S5, &S6, &S7, &S8, &S9, &S10, &S11, &S12, &S13, &S14,
];

pub static S1: Rule = Rule::error(
    "S1",
    "every blob's name is the sha256 of its content",
    "a node reports `failed to verify layer`",
)
.example("a letter of a config is changed", &["S1"], Accepted::No);

pub static S2: Rule = Rule::error(
    "S2",
    "every descriptor's size is its blob's length",
    "a pull stops with `unexpected EOF`",
)
.example("a child's size is wrong", &["S2"], Accepted::Yes);

pub static S3: Rule = Rule::error(
    "S3",
    "diff ids are the layers' uncompressed digests, one each",
    "a node fails to unpack the image",
)
.example("a diff id is another layer's", &["S3"], Accepted::Yes);

pub static S4: Rule = Rule::error(
    "S4",
    "history has one line per layer",
    "scanners and skopeo report `mismatched image rootfs`",
)
.example("a line of history is missing", &["S4"], Accepted::Yes);

pub static S5: Rule = Rule::error(
    "S5",
    "media types are present and equal to their descriptors'",
    "a registry answers 400",
)
.example(
    "an image manifest has no media type",
    &["S5"],
    Accepted::Yes,
);

pub static S6: Rule = Rule::error(
    "S6",
    "only OCI's media types, each in its place",
    "Quay answers `manifest invalid`",
)
.example("a config has Docker's media type", &["S6"], Accepted::Yes);

pub static S7: Rule = Rule::error(
    "S7",
    "indexes and manifests are well-formed, schema 2, without unknown fields",
    "clients disagree on what it says",
)
.example(
    "the schema version of the index is 1",
    &["S7"],
    Accepted::No,
);

pub static S8: Rule = Rule::error(
    "S8",
    "a layer has the format of its media type",
    "`archive/tar: invalid tar header`",
)
.example(
    "a layer with the media type of gzip is plain tar",
    &["S8"],
    Accepted::Yes,
);

pub static S9: Rule = Rule::error(
    "S9",
    "layers are gzip or plain tar",
    "an older Docker engine cannot load zstd",
)
.example("a layer is zstd", &["S9"], Accepted::Yes);

pub static S10: Rule = Rule::error(
    "S10",
    "gzip has one member, no name, time 0, system 255, and nothing after it",
    "two builds differ",
)
.example("gzip's header has a time", &["S10"], Accepted::Yes);

pub static S11: Rule = Rule::error(
    "S11",
    "JSON is canonical, without duplicate keys",
    "two parsers read two different images",
)
.example("the index has an extra space", &["S11"], Accepted::Yes);

pub static S12: Rule = Rule::error(
    "S12",
    "every referenced blob exists, and no other",
    "MANIFEST_BLOB_UNKNOWN in the middle of a push",
)
.example("a layer is missing", &["S12"], Accepted::No);

pub static S13: Rule = Rule::warning(
    "S13",
    "manifests are smaller than 4 MiB",
    "a registry answers 413",
)
.example("an annotation has 4 MiB", &["S13"], Accepted::No);

pub static S14: Rule = Rule::error(
    "S14",
    "no foreign URLs, and embedded data equals the blob",
    "another server decides what runs",
)
.example("a layer has a foreign URL", &["S14"], Accepted::No);
