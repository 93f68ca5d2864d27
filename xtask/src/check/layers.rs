//! F1, F6, F7, F8 and F10: how layers are written. They bind layers that we wrote; of a base image's
//! they are told as one info for each rule and layer.

use std::collections::BTreeSet;

use crate::binary;
use crate::check::Findings;
use crate::check::expect::Expectations;
use crate::check::rules::Severity;
use crate::check::tarfile::{self, Record};
use crate::check::walk::{Image, Layer, Origin, Tree};

/// The owners that our layers know: root, and the user of the image.
const OWNERS: &[u64] = &[0, 65532];

pub(super) fn check(tree: &Tree, expected: &Expectations, findings: &mut Findings) {
    let epoch = expected.project.as_ref().map(|project| project.commit_time);
    for image in tree.runnable() {
        let epoch = epoch.unwrap_or_else(|| own_time(image));
        for (position, layer) in image.layers.iter().enumerate() {
            let Some(Ok(records)) = layer.tar.as_deref().map(tarfile::records) else {
                continue;
            };
            let mut told = Told::new(image, position);
            order(&records, &mut told);
            for record in &records {
                entry(record, epoch, &mut told);
            }
            told.conclude(findings);
        }
    }
    same_everywhere(tree, findings);
}

/// Where nobody says what time it should be, the first entry that is ours says it for all.
fn own_time(image: &Image) -> u64 {
    let ours = image.layers.iter().filter(|it| it.origin == Origin::Ours);
    let mut layers = ours.chain(&image.layers);
    let first = layers.find_map(|layer| {
        tarfile::records(layer.tar.as_deref()?)
            .ok()?
            .into_iter()
            .next()
    });
    first.map_or(0, |record| record.mtime())
}

/// What was found in one layer.
pub(super) struct Told<'a> {
    image: &'a Image,
    position: usize,
    found: Vec<(&'static str, String, String)>,
}

impl<'a> Told<'a> {
    pub(super) fn new(image: &'a Image, position: usize) -> Self {
        Self {
            image,
            position,
            found: Vec::new(),
        }
    }

    pub(super) fn add(&mut self, rule: &'static str, path: &str, message: impl Into<String>) {
        let path = path.trim_end_matches('/').to_owned();
        self.found.push((rule, path, message.into()));
    }

    /// Everything when the layer is ours, else one info for each rule.
    pub(super) fn conclude(self, findings: &mut Findings) {
        let name = self.image.layer_name(self.position);
        let Origin::Base(digest) = &self.image.layers[self.position].origin else {
            for (rule, path, message) in self.found {
                findings.add(rule, format!("{name} {path}"), message);
            }
            return;
        };
        let rules: BTreeSet<_> = self.found.iter().map(|(rule, ..)| *rule).collect();
        for rule in rules {
            let mut of_it = self.found.iter().filter(|(other, ..)| *other == rule);
            let count = of_it.clone().count();
            if let Some((_, path, message)) = of_it.next() {
                let message =
                    format!("{count} in the base image {digest}, such as {path}: {message}");
                findings.add_as(Severity::Info, rule, name.clone(), message);
            }
        }
    }
}

/// F6: which records there are, and in which order.
fn order(records: &[Record<'_>], told: &mut Told<'_>) {
    let mut seen: BTreeSet<String> = BTreeSet::new();
    let mut previous = String::new();
    for record in records {
        let path = record.path().into_owned();
        if record.is_extension() {
            told.add("F6", &path, format!("a {} extension record", record.kind()));
            continue;
        }
        if !record.is_ustar() {
            told.add("F6", &path, "the header is not POSIX ustar");
        }
        if path.starts_with('/') || path.split('/').any(|part| part == ".." || part == ".") {
            told.add("F6", &path, "the path is absolute, or has . or .. in it");
        }
        if path
            .rsplit('/')
            .find(|part| !part.is_empty())
            .is_some_and(|it| it.starts_with(".wh."))
        {
            told.add("F6", &path, "it removes what another layer has put there");
        }
        let plain = path.trim_end_matches('/').to_owned();
        if let Some((folder, _)) = plain.rsplit_once('/')
            && !seen.contains(folder)
        {
            told.add("F6", &path, "its folder does not come before it");
        }
        if !is_after(&previous, &path) {
            told.add("F6", &path, format!("it comes after {previous}"));
        }
        if !seen.insert(plain) {
            told.add("F6", &path, "it is there twice");
        }
        previous = path;
    }
}

/// In the order of the bytes, or in that of a folder tree; both are used, and both are fixed.
fn is_after(previous: &str, path: &str) -> bool {
    let parts = |path: &str| {
        let parts = path.trim_end_matches('/').split('/');
        parts.map(ToOwned::to_owned).collect::<Vec<_>>()
    };
    previous.is_empty() || path > previous || parts(path) > parts(previous)
}

/// F1, F7 and F8: one record by itself.
fn entry(record: &Record<'_>, epoch: u64, told: &mut Told<'_>) {
    let path = record.path();
    if record.is_extension() {
        if memchr::memmem::find(record.content, b"SCHILY.xattr.").is_some() {
            told.add("F8", &path, "extended attributes");
        }
        return;
    }
    let (mode, kind) = (record.mode() & 0o7777, record.kind());
    let plain = path.trim_end_matches('/').trim_start_matches("./");
    let is_tmp = plain == "tmp" && mode == 0o1777;
    if mode & 0o6000 != 0 || (mode & 0o002 != 0 && kind != '2' && !is_tmp) {
        told.add("F1", &path, format!("mode {mode:o}"));
    }
    if record.mtime() != epoch {
        told.add("F7", &path, format!("time {}, not {epoch}", record.mtime()));
    }
    let owners = record.owners();
    if owners.iter().any(|owner| !OWNERS.contains(owner)) {
        told.add("F7", &path, format!("owner {}:{}", owners[0], owners[1]));
    }
    if let Some(name) = record.owner_names().iter().find(|name| !name.is_empty()) {
        told.add("F7", &path, format!("it names its owner {name}"));
    }
    let what = match kind {
        '0' | '2' | '5' => return,
        '1' => "a hard link",
        '3' | '4' => "a device",
        '6' => "a pipe",
        'S' => "a sparse file",
        _ => "of no kind that every runtime knows",
    };
    told.add("F8", &path, what);
}

/// F10: what holds no machine code has no reason to differ. Layers of base images do differ, and
/// that is said and no more.
fn same_everywhere(tree: &Tree, findings: &mut Findings) {
    let images: Vec<_> = tree.runnable().collect();
    let Some((first, others)) = images.split_first() else {
        return;
    };
    for other in others {
        for (position, pair) in first.layers.iter().zip(&other.layers).enumerate() {
            let (one, another) = pair;
            if one.descriptor.digest == another.descriptor.digest {
                continue;
            }
            let object = format!("{} and {} layer {position}", first.name, other.name);
            match &one.origin {
                Origin::Base(digest) => {
                    let message = format!("they differ in the base image {digest}");
                    findings.add_as(Severity::Info, "F10", object, message);
                }
                Origin::Ours if !has_code(one) && !has_code(another) => {
                    findings.add("F10", object, "they differ, and hold no machine code");
                }
                Origin::Ours => {}
            }
        }
        if first.layers.len() != other.layers.len() {
            let object = format!("{} and {}", first.name, other.name);
            findings.add_as(
                weight(first),
                "F10",
                object,
                "not the same number of layers",
            );
        }
    }
}

fn weight(image: &Image) -> Severity {
    if image.is_ours() {
        Severity::Error
    } else {
        Severity::Info
    }
}

/// Whether a layer has a reason to differ; one that cannot be read is given the benefit of the doubt.
fn has_code(layer: &Layer) -> bool {
    match layer.tar.as_deref().map(tarfile::records) {
        Some(Ok(records)) => records.iter().any(|record| binary::is_elf(record.content)),
        _ => true,
    }
}
