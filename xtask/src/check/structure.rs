//! S1 to S14: digests, sizes, media types and documents of a layout.

use std::collections::BTreeSet;
use std::io::Read as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::bufread::GzDecoder;

use crate::check::Findings;
use crate::check::rules::Severity;
use crate::check::walk::{
    DOCKER_INDEX, DOCKER_LAYER, DOCKER_MANIFEST, Image, Layer, Link, Origin, Tree,
};
use crate::digest::Sha256;
use crate::gzip::{gunzip, is_plain_gzip};
use crate::oci::layout::{Layout, MARKER};
use crate::oci::model::{
    CONFIG, Descriptor, INDEX, ImageConfig, ImageIndex, LAYER_GZIP, LAYER_TAR, MANIFEST,
};

/// The largest manifest that registries take.
const MANIFEST_LIMIT: u64 = 4 * 1024 * 1024;

pub(super) fn check(layout: &Layout, tree: &Tree, findings: &mut Findings) {
    blobs(layout, tree, findings);
    for link in &tree.descriptors {
        check_descriptor(layout, link, findings);
    }
    if let Some(index) = layout
        .files
        .get("index.json")
        .and_then(|bytes| serde_json::from_slice(bytes).ok())
    {
        index_header("index.json", &index, INDEX, findings);
    }
    let marker = layout.files.get("oci-layout").map(Vec::as_slice);
    if marker != Some(MARKER) {
        findings.add(
            "S7",
            "oci-layout",
            "it does not say version 1.0.0 in canonical form",
        );
    }
    for (descriptor, index) in &tree.indexes {
        index_header(&descriptor.digest, index, &descriptor.media_type, findings);
    }
    canonical(tree, findings);
    for image in &tree.images {
        check_image(layout, image, findings);
    }
}

/// S11: documents that we wrote, each by itself; those of others in one line.
fn canonical(tree: &Tree, findings: &mut Findings) {
    let what = "the JSON is not in the canonical form that we write";
    if tree.images.iter().any(Image::is_ours) {
        for name in &tree.reworded {
            findings.add("S11", name, what);
        }
    } else if let [first, ..] = tree.reworded.as_slice() {
        let count = tree.reworded.len();
        let message = format!("{what}, nor that of {} more", count - 1);
        findings.add_as(Severity::Info, "S11", first, message);
    }
}

/// The severity of what binds only what we wrote.
fn weight(ours: bool) -> Severity {
    if ours {
        Severity::Error
    } else {
        Severity::Info
    }
}

fn blobs(layout: &Layout, tree: &Tree, findings: &mut Findings) {
    let wanted: BTreeSet<_> = tree
        .descriptors
        .iter()
        .map(|link| format!("blobs/{}", link.descriptor.digest.replace(':', "/")))
        .collect();
    for (name, bytes) in layout
        .files
        .iter()
        .filter(|(name, _)| name.starts_with("blobs/"))
    {
        let content = Sha256::of(bytes);
        if name.strip_prefix("blobs/sha256/") != Some(&content.to_string()) {
            findings.add(
                "S1",
                name,
                format!("its content has the digest {}", content.oci()),
            );
        }
        if !wanted.contains(name) {
            findings.add_as(
                Severity::Warning,
                "S12",
                name,
                "nothing refers to this blob",
            );
        }
    }
    for name in layout
        .files
        .keys()
        .filter(|name| !name.starts_with("blobs/"))
    {
        if !["oci-layout", "index.json", "manifest.json"].contains(&name.as_str()) {
            findings.add_as(Severity::Warning, "S12", name, "a layout has no such file");
        }
    }
}

fn check_descriptor(layout: &Layout, link: &Link, findings: &mut Findings) {
    let Link {
        parent,
        descriptor,
        evidence,
    } = link;
    let Descriptor {
        media_type,
        digest,
        size,
        ..
    } = descriptor;
    match layout.blob(digest) {
        None => findings.add(
            "S12",
            digest,
            format!("{parent} refers to it, and it is missing"),
        ),
        Some(bytes) if bytes.len() as u64 != *size => {
            findings.add(
                "S2",
                digest,
                format!("{parent} says {size} bytes, it has {}", bytes.len()),
            );
        }
        Some(_) => {}
    }
    if !evidence && !media_type.starts_with("application/vnd.oci.") {
        findings.add("S6", digest, format!("{parent} says {media_type}"));
    }
    if !descriptor.urls.is_empty() || media_type.contains("nondistributable") {
        findings.add(
            "S14",
            digest,
            format!("{parent} lets it come from elsewhere"),
        );
    }
    if let Some(data) = &descriptor.data {
        let embedded = STANDARD
            .decode(data)
            .ok()
            .map(|bytes| Sha256::of(&bytes).oci());
        if embedded.as_ref() != Some(digest) {
            findings.add("S14", digest, format!("{parent} embeds other data"));
        }
    }
    let documents = [INDEX, MANIFEST, DOCKER_INDEX, DOCKER_MANIFEST];
    if documents.contains(&media_type.as_str()) && *size >= MANIFEST_LIMIT {
        findings.add("S13", digest, format!("{size} bytes"));
    }
}

fn index_header(name: &str, index: &ImageIndex, expected: &str, findings: &mut Findings) {
    if index.schema_version != 2 {
        findings.add(
            "S7",
            name,
            format!("schemaVersion is {}", index.schema_version),
        );
    }
    media_type(name, index.media_type.as_deref(), expected, findings);
}

fn media_type(name: &str, found: Option<&str>, expected: &str, findings: &mut Findings) {
    match found {
        None => findings.add("S5", name, "mediaType is missing"),
        Some(found) if found != expected => {
            findings.add("S5", name, format!("mediaType is {found}, not {expected}"))
        }
        Some(_) => {}
    }
}

fn check_image(layout: &Layout, image: &Image, findings: &mut Findings) {
    let Image {
        name,
        image_manifest,
        config,
        layers,
        ..
    } = image;
    if image_manifest.schema_version != 2 {
        findings.add(
            "S7",
            name,
            format!("schemaVersion is {}", image_manifest.schema_version),
        );
    }
    media_type(
        name,
        image_manifest.media_type.as_deref(),
        &image.descriptor.media_type,
        findings,
    );
    if image.is_evidence() {
        return;
    }
    // A client that believes it takes the image for an attachment, and one that does not runs it.
    if let Some(claim) = image.claim() {
        findings.add(
            "S6",
            name,
            format!("it can run, and {claim} says that it is about another"),
        );
    }
    let config_type = &image_manifest.config.media_type;
    // Another family's is a matter of S6.
    if config_type.starts_with("application/vnd.oci.") && config_type != CONFIG {
        findings.add(
            "S5",
            name,
            format!("the config's mediaType is {config_type}, not {CONFIG}"),
        );
    }
    for (position, layer) in layers.iter().enumerate() {
        if let Some(bytes) = layout.blob(&layer.descriptor.digest) {
            check_layer(&image.layer_name(position), layer, bytes, findings);
        }
    }
    if let Some(config) = config {
        check_config(name, config, layers, findings);
    }
}

/// What the config says of the layers.
fn check_config(name: &str, config: &ImageConfig, layers: &[Layer], findings: &mut Findings) {
    let diff_ids = &config.rootfs.diff_ids;
    if config.rootfs.kind != "layers" || diff_ids.len() != layers.len() {
        findings.add(
            "S3",
            name,
            format!("{} diff ids for {} layers", diff_ids.len(), layers.len()),
        );
    }
    for (position, (diff_id, layer)) in diff_ids.iter().zip(layers).enumerate() {
        let Some(tar) = &layer.tar else {
            continue;
        };
        let content = Sha256::of(tar).oci();
        if *diff_id != content {
            findings.add(
                "S3",
                format!("{name} layer {position}"),
                format!("diff id {diff_id}, content {content}"),
            );
        }
    }
    let lines = config
        .history
        .iter()
        .filter(|line| line.empty_layer != Some(true))
        .count();
    if !config.history.is_empty() && lines != layers.len() {
        findings.add(
            "S4",
            name,
            format!("{lines} lines of history for {} layers", layers.len()),
        );
    }
}

fn check_layer(name: &str, layer: &Layer, bytes: &[u8], findings: &mut Findings) {
    let codec = match bytes {
        [0x1f, 0x8b, ..] => "gzip",
        [0x28, 0xb5, 0x2f, 0xfd, ..] => "zstd",
        _ if bytes.get(257..262) == Some(b"ustar".as_slice()) => "tar",
        _ => "unknown",
    };
    let claimed = match layer.descriptor.media_type.as_str() {
        LAYER_GZIP | DOCKER_LAYER => "gzip",
        LAYER_TAR => "tar",
        other if other.ends_with("+zstd") => "zstd",
        other => {
            findings.add("S9", name, format!("{other} is neither gzip nor plain tar"));
            return;
        }
    };
    if claimed == "zstd" {
        findings.add("S9", name, "zstd, which older engines cannot load");
    }
    if codec != claimed {
        findings.add(
            "S8",
            name,
            format!("its media type says {claimed}, its content is {codec}"),
        );
    } else if codec == "gzip" {
        check_gzip(name, layer, bytes, findings);
    }
}

fn check_gzip(name: &str, layer: &Layer, bytes: &[u8], findings: &mut Findings) {
    let severity = weight(layer.origin == Origin::Ours);
    let mut add = |what: &str| {
        let whose = match &layer.origin {
            Origin::Ours => String::new(),
            Origin::Base(digest) => format!(" (base image {digest})"),
        };
        findings.add_as(severity, "S10", name, format!("{what}{whose}"));
    };
    match layer
        .tar
        .as_ref()
        .map_or_else(|| gunzip(bytes).map(drop), |_| Ok(()))
    {
        Ok(()) if is_plain_gzip(bytes) => {}
        Ok(()) => add("more than one gzip member, or a header with a name, a time or a system"),
        // The one member may be whole, and followed by something that is not gzip.
        Err(_) if GzDecoder::new(bytes).read_to_end(&mut Vec::new()).is_ok() => {
            add("something that is not gzip behind the gzip member");
        }
        Err(error) => findings.add("S8", name, format!("it does not decompress: {error:#}")),
    }
}
