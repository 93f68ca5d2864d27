//! S: digests, sizes, media types and documents.

use super::{Rule, rule, warning};

/// In the order of the list.
pub(super) const RULES: &[Rule] = &[
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
];
