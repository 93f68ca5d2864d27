//! S1 to S14: digests, sizes, media types and documents.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::blob::Blob;
use crate::contents::{LayerContents, LayerProblem};
use crate::digest::Sha256;
use crate::image::Link;
use crate::layout::{self, DOCKER_NAME, INDEX_NAME, MARKER, MARKER_NAME};
use crate::media_type::{self, Compression};
use crate::model::{Descriptor, ImageConfig, ImageIndex, ImageManifest, Unknown};
use crate::rules::catalogue::{P1, S1, S2, S3, S4, S5, S6, S7, S8, S9, S10, S11, S12, S13, S14};
use crate::rules::subject::{ImageView, LayerView, Origin, Subject};
use crate::rules::{Expectations, Findings, Severity};

/// Registries refuse manifests of this size in bytes.
const MANIFEST_LIMIT: u64 = 4 * 1024 * 1024;

pub(super) fn check(subject: &Subject<'_>, _expected: &Expectations, findings: &mut Findings) {
    check_documents(subject, findings);
    if let Some(files) = subject.source.files() {
        check_files(subject, files, findings);
    }
    for link in &subject.image.links {
        check_descriptor(subject, link, findings);
    }
    if let Some(index) = &subject.image.index_json {
        check_index(INDEX_NAME, &index.value, media_type::INDEX, findings);
    }
    for index in &subject.image.indexes {
        let Descriptor {
            digest, media_type, ..
        } = &index.descriptor;
        check_index(digest, &index.document.value, media_type, findings);
    }
    check_canonical(subject, findings);
    for view in subject.platforms() {
        check_image(&view, findings);
    }
}

/// S7, S11, S12 and P1: documents that cannot be parsed, and a missing or empty index.json.
fn check_documents(subject: &Subject<'_>, findings: &mut Findings) {
    for unreadable in &subject.image.unreadable {
        let rule = if unreadable.duplicate_key { &S11 } else { &S7 };
        findings.add(rule, &unreadable.name, &unreadable.why);
    }
    let is_known = subject
        .image
        .unreadable
        .iter()
        .any(|it| it.name == INDEX_NAME);
    match &subject.image.index_json {
        None if !is_known => findings.add(&S12, INDEX_NAME, "it is missing"),
        Some(index) if index.value.manifests.is_empty() => {
            findings.add(&P1, INDEX_NAME, "it names no image");
        }
        _ => {}
    }
}

/// S11: documents are in canonical form. For images of other makers there is one info for all documents.
fn check_canonical(subject: &Subject<'_>, findings: &mut Findings) {
    let what = "the JSON is not in the canonical form";
    let not_canonical = not_canonical(subject);
    if subject.platforms().any(|view| view.is_own()) {
        for name in not_canonical {
            findings.add(&S11, name, what);
        }
    } else if let [first, ..] = not_canonical.as_slice() {
        let count = not_canonical.len();
        let message = format!("{what}, also in {} other documents", count - 1);
        findings.add_as(Severity::Info, &S11, *first, message);
    }
}

/// Returns the names of documents that are not in canonical form.
fn not_canonical<'a>(subject: &'a Subject<'_>) -> Vec<&'a str> {
    let image = &subject.image;
    let mut names = Vec::new();
    let mut add = |name: &'a str, is_canonical: bool| {
        if !is_canonical && !names.contains(&name) {
            names.push(name);
        }
    };
    if let Some(index) = &image.index_json {
        add(INDEX_NAME, index.is_canonical());
    }
    for index in &image.indexes {
        add(&index.descriptor.digest, index.document.is_canonical());
    }
    for platform in &image.platforms {
        if let Some(manifest) = &platform.manifest {
            add(&platform.descriptor.digest, manifest.is_canonical());
            if let Some(config) = &platform.config {
                add(&manifest.value.config.digest, config.is_canonical());
            }
        }
    }
    names
}

/// S1, S7 and S12: the files of a layout.
fn check_files(subject: &Subject<'_>, files: &BTreeMap<String, Blob>, findings: &mut Findings) {
    let links = subject.image.links.iter();
    let wanted: BTreeSet<_> = links
        .map(|link| layout::blob_path(&link.descriptor.digest))
        .collect();
    for (name, blob) in files {
        if !name.starts_with("blobs/") {
            if ![MARKER_NAME, INDEX_NAME, DOCKER_NAME].contains(&name.as_str()) {
                findings.add_as(Severity::Warning, &S12, name, "a layout has no such file");
            }
            continue;
        }
        if !wanted.contains(name) {
            let message = "no document refers to this blob";
            findings.add_as(Severity::Warning, &S12, name, message);
        }
        let digest = name["blobs/".len()..].replacen('/', ":", 1);
        let sha256 = match subject.blobs.get(&digest) {
            Some(known) => Ok(known.sha256),
            None => blob.sha256(),
        };
        if let Some(sha256) = findings.require(&S1, name, sha256)
            && name.strip_prefix("blobs/sha256/") != Some(&sha256.to_string())
        {
            let message = format!("its content has the digest {}", sha256.digest());
            findings.add(&S1, name, message);
        }
    }
    let marker = files.get(MARKER_NAME).map(|blob| blob.read());
    if !matches!(marker, Some(Ok(bytes)) if bytes == MARKER) {
        let message = "it is not version 1.0.0 in canonical form";
        findings.add(&S7, MARKER_NAME, message);
    }
}

fn check_descriptor(subject: &Subject<'_>, link: &Link, findings: &mut Findings) {
    let Link {
        parent,
        descriptor,
        attestation,
    } = link;
    let Descriptor {
        media_type,
        digest,
        size,
        ..
    } = descriptor;
    match subject.blobs.get(digest) {
        None => findings.add(
            &S12,
            digest,
            format!("{parent} refers to it, and it is missing"),
        ),
        Some(blob) => {
            if blob.size != *size {
                let message = format!("{parent} lists {size} bytes, and it has {}", blob.size);
                findings.add(&S2, digest, message);
            }
            // Files of a layout are compared with their names, in `check_files`.
            if subject.source.files().is_none() && blob.sha256.digest() != *digest {
                let message = format!("its content has the digest {}", blob.sha256.digest());
                findings.add(&S1, digest, message);
            }
        }
    }
    let is_child = parent == INDEX_NAME || parent.starts_with("sha256:");
    let is_document = media_type::is_index(media_type) || media_type::is_manifest(media_type);
    if is_child && !is_document && subject.blobs.contains_key(digest) {
        let message =
            format!("{parent} lists it as {media_type}, which is neither an image nor an index");
        findings.add(&S6, digest, message);
    }
    if !attestation && !media_type.starts_with(media_type::OCI_PREFIX) {
        findings.add(&S6, digest, format!("{parent} lists it as {media_type}"));
    }
    if !descriptor.urls.is_empty() || media_type.contains("nondistributable") {
        findings.add(
            &S14,
            digest,
            format!("{parent} allows to download it from elsewhere"),
        );
    }
    if let Some(data) = &descriptor.data {
        let embedded = STANDARD.decode(data).ok();
        let embedded = embedded.map(|bytes| Sha256::of(&bytes).digest());
        if embedded.as_ref() != Some(digest) {
            findings.add(&S14, digest, format!("{parent} embeds other data"));
        }
    }
    if is_document && *size >= MANIFEST_LIMIT {
        findings.add(&S13, digest, format!("it has {size} bytes"));
    }
    let platform = descriptor.platform.as_ref();
    unknown_fields(digest, &descriptor.unknown, findings);
    unknown_fields(
        digest,
        platform.map_or(&Unknown::new(), |platform| &platform.unknown),
        findings,
    );
}

/// S7: fields that the specification does not define.
fn unknown_fields(name: &str, unknown: &Unknown, findings: &mut Findings) {
    for field in unknown.keys() {
        findings.add(&S7, name, format!("unknown field `{field}`"));
    }
}

fn check_index(name: &str, index: &ImageIndex, expected: &str, findings: &mut Findings) {
    check_head(
        name,
        index.schema_version,
        index.media_type.as_deref(),
        expected,
        findings,
    );
    unknown_fields(name, &index.unknown, findings);
}

/// S5 and S7: schema version and media type of a document.
fn check_head(
    name: &str,
    schema_version: u32,
    media_type: Option<&str>,
    expected: &str,
    findings: &mut Findings,
) {
    if schema_version != 2 {
        findings.add(&S7, name, format!("schemaVersion is {schema_version}"));
    }
    match media_type {
        None => findings.add(&S5, name, "mediaType is missing"),
        Some(found) if found != expected => {
            findings.add(&S5, name, format!("mediaType is {found}, not {expected}"));
        }
        Some(_) => {}
    }
}

fn check_image(view: &ImageView<'_>, findings: &mut Findings) {
    let Some(manifest) = view.image.manifest.as_ref().map(|it| &it.value) else {
        return;
    };
    let name = view.name();
    let ImageManifest {
        schema_version,
        media_type,
        config,
        unknown,
        ..
    } = manifest;
    let expected = &view.image.descriptor.media_type;
    check_head(
        &name,
        *schema_version,
        media_type.as_deref(),
        expected,
        findings,
    );
    unknown_fields(&name, unknown, findings);
    if view.image.is_attestation() {
        return;
    }
    // Some clients treat such an image as an attachment, and others run it.
    if let Some(claim) = view.image.claim() {
        let message = format!("it can run, but {claim} marks it as a document about another image");
        findings.add(&S6, &name, message);
    }
    let config_type = &config.media_type;
    // S6 reports other types.
    if config_type.starts_with(media_type::OCI_PREFIX) && config_type != media_type::CONFIG {
        let expected = media_type::CONFIG;
        let message = format!("the config's mediaType is {config_type}, not {expected}");
        findings.add(&S5, &name, message);
    }
    for layer in view.layers() {
        check_layer(&view.layer_name(layer.position), &layer, findings);
    }
    if let Some(damage) = view.damage() {
        findings.add(&S8, view.layer_name(damage.position), &damage.why);
    }
    if let Some(config) = view.config() {
        check_config(view, config, findings);
    }
}

/// S3 and S4: diff ids and history in the config.
fn check_config(view: &ImageView<'_>, config: &ImageConfig, findings: &mut Findings) {
    let (name, count) = (view.name(), view.layers().count());
    let diff_ids = &config.rootfs.diff_ids;
    if config.rootfs.kind != "layers" || diff_ids.len() != count {
        let message = format!("{} diff ids for {count} layers", diff_ids.len());
        findings.add(&S3, &name, message);
    }
    for (diff_id, layer) in diff_ids.iter().zip(view.layers()) {
        let Some(content) = layer.contents.and_then(|it| it.diff_id) else {
            continue;
        };
        if *diff_id != content.digest() {
            let message = format!(
                "the diff id is {diff_id}, and that of its content {}",
                content.digest()
            );
            findings.add(&S3, view.layer_name(layer.position), message);
        }
    }
    let lines = config.layer_lines().count();
    if !config.history.is_empty() && lines != count {
        let message = format!("{lines} lines of history for {count} layers");
        findings.add(&S4, &name, message);
    }
    unknown_fields(&name, &config.rootfs.unknown, findings);
}

/// S8 and S9: the format of a layer and that of its media type.
fn check_layer(name: &str, layer: &LayerView<'_>, findings: &mut Findings) {
    let Some(contents) = layer.contents else {
        return;
    };
    let media_type = &layer.descriptor.media_type;
    let claimed = match media_type::compression(media_type) {
        Some(Compression::Gzip) => "gzip",
        Some(Compression::None) => "tar",
        Some(Compression::Zstd) => "zstd",
        None => {
            let message = format!("{media_type} is neither gzip nor plain tar");
            findings.add(&S9, name, message);
            return;
        }
    };
    if claimed == "zstd" {
        findings.add(&S9, name, "it is zstd, which older engines cannot load");
    }
    if contents.format != claimed {
        let message = format!(
            "its media type is that of {claimed}, its content is {}",
            contents.format
        );
        findings.add(&S8, name, message);
    } else if claimed == "gzip" {
        check_gzip(name, layer.origin, contents, findings);
    }
}

/// S8 and S10: how the gzip file is written.
fn check_gzip(name: &str, origin: &Origin, contents: &LayerContents, findings: &mut Findings) {
    if let Some(LayerProblem::Packing(why)) = &contents.problem {
        findings.add(&S8, name, format!("it cannot be decompressed: {why}"));
        return;
    }
    let Some(packing) = contents.packing.filter(|packing| !packing.is_plain()) else {
        return;
    };
    let what = if packing.trailing {
        "other bytes follow the gzip member"
    } else {
        "it has more than one gzip member, or a header with a name, a time or a system"
    };
    match origin {
        Origin::Own => findings.add(&S10, name, what),
        Origin::Base(digest) => {
            let message = format!("{what} (base image {digest})");
            findings.add_as(Severity::Info, &S10, name, message);
        }
    }
}
