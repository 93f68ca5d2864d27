//! Lists the differences of two images: fields of documents, entries of layers, sections of programs. Digests that
//! differ only because of another difference are left out.

mod change;
mod document;
mod layer;
mod program;

use std::collections::BTreeMap;

use serde_json::Value;

use crate::diff::change::ChangeCollector;
use crate::image::Image;
use crate::platform_image::PlatformImage;
use crate::source::ImageSource;

pub use change::Change;
pub use program::{Describe, Description};

/// One of two images to compare.
#[derive(Debug, Clone, Copy)]
pub struct Side<'a> {
    /// Its documents, as [`Image::read`] returns them.
    pub image: &'a Image,
    /// The source of its layers.
    pub source: &'a dyn ImageSource,
}

/// Returns the differences of two images. There are none exactly when both have the same digest. `describe` reads the
/// description in a program, which is then compared field by field.
///
/// # Errors
/// When a source cannot be read, or names no image or several.
pub fn images(
    one: Side<'_>,
    other: Side<'_>,
    describe: Option<Describe>,
) -> anyhow::Result<Vec<Change>> {
    let mut found = ChangeCollector::default();
    let roots = [one.image.root()?, other.image.root()?];
    if roots[0].digest == roots[1].digest {
        return Ok(found.changes);
    }
    found.enter("", "index");
    let [before, after] = roots.map(|root| root.media_type.as_str());
    if before != after {
        found.differ("mediaType", before, after);
    }
    if let (Some(one), Some(other)) = (one.image.index()?, other.image.index()?) {
        let [before, after] =
            [one, other].map(|index| without(&index.document.json(), &["manifests"]));
        document::compare(&before, &after, &mut found);
    }
    let (before, after) = (by_platform(one.image), by_platform(other.image));
    let common = |these: &[(String, &PlatformImage)], those: &[(String, &PlatformImage)]| {
        let names = these.iter().map(|(name, _)| name.as_str());
        let names = names.filter(|name| those.iter().any(|(other, _)| other == name));
        names.collect::<Vec<_>>().join(", ")
    };
    let (order, other_order) = (common(&before, &after), common(&after, &before));
    if order != other_order {
        found.differ("order of platforms", order, other_order);
    }
    for (name, image) in &before {
        match after.iter().find(|(other, _)| other == name) {
            Some((_, other_image)) => {
                let pair = [(*image, one.source), (*other_image, other.source)];
                compare_platforms(name, pair, describe, &mut found)?;
            }
            None => found.add(name, Some(image.descriptor.digest.clone()), None),
        }
        found.enter("", "index");
    }
    for (name, image) in &after {
        if !before.iter().any(|(known, _)| known == name) {
            found.add(name, None, Some(image.descriptor.digest.clone()));
        }
    }
    if found.changes.is_empty() {
        let [before, after] = roots.map(|root| root.digest.as_str());
        found.differ(SAME_JSON, before, after);
    }
    Ok(found.changes)
}

/// The field of a change between documents whose bytes differ while their content is the same.
const SAME_JSON: &str = "JSON bytes, with the same content";

/// Returns the differences between the first platform of an image and each of the others. [`Change::platform`] is the
/// other platform.
///
/// # Errors
/// When the source cannot be read.
pub fn platforms(side: Side<'_>, describe: Option<Describe>) -> anyhow::Result<Vec<Change>> {
    let mut found = ChangeCollector::default();
    let mut images = side.image.runnable();
    if let Some(first) = images.next() {
        for other in images {
            let pair = [(first, side.source), (other, side.source)];
            compare_platforms(&full_name(other), pair, describe, &mut found)?;
        }
    }
    Ok(found.changes)
}

/// Returns the platform with its variant, or the digest when the platform is not known.
fn full_name(image: &PlatformImage) -> String {
    match image.platform() {
        Some(platform) => platform.to_string(),
        None => image.descriptor.digest.clone(),
    }
}

/// Returns the images with the names of their platforms. Repeated names, as of attestations, get a number.
fn by_platform(image: &Image) -> Vec<(String, &PlatformImage)> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    let mut named = Vec::new();
    for image in &image.platforms {
        let name = full_name(image);
        let count = counts.entry(name.clone()).or_default();
        *count += 1;
        named.push(match *count {
            1 => (name, image),
            count => (format!("{name} ({count})"), image),
        });
    }
    named
}

/// The image of one platform, and the source of its layers.
type PlatformSide<'a> = (&'a PlatformImage, &'a dyn ImageSource);

fn compare_platforms(
    name: &str,
    pair: [PlatformSide<'_>; 2],
    describe: Option<Describe>,
    found: &mut ChangeCollector,
) -> anyhow::Result<()> {
    let images = pair.map(|(image, _)| image);
    found.enter(name, "index entry");
    let [before, after] = images.map(|image| {
        let entry = serde_json::to_value(&image.descriptor).unwrap_or_default();
        without(&entry, &["digest", "size"])
    });
    document::compare(&before, &after, found);
    let [before, after] = images.map(|image| image.descriptor.digest.as_str());
    if before == after {
        return Ok(());
    }
    let changes = found.changes.len();
    found.enter(name, "image manifest");
    let [one, other] = images.map(plain_manifest);
    document::compare(&one, &other, found);
    found.enter(name, "config");
    let configs = images.map(|image| {
        let config = image.config.as_ref();
        config.map(|document| document.json()).unwrap_or_default()
    });
    let [one, other] = configs.clone().map(|mut config| {
        if let Some(rootfs) = config.get_mut("rootfs") {
            *rootfs = without(rootfs, &["diff_ids"]);
        }
        config
    });
    document::compare(&one, &other, found);
    let count = images.map(|image| image.layers().len());
    for position in 0..count[0].max(count[1]) {
        found.enter(name, &format!("layer {position}"));
        let layers = pair.map(|(image, source)| (image.layers().get(position), source));
        let is_same = layer::compare(layers, describe, found)?;
        let [one, other] = configs
            .each_ref()
            .map(|config| config["rootfs"]["diff_ids"][position].to_string());
        if is_same && one != other {
            found.differ("diff id", one, other);
        }
    }
    if found.changes.len() == changes {
        found.enter(name, "image manifest");
        found.differ(SAME_JSON, before, after);
    }
    Ok(())
}

/// Returns a manifest without digests and sizes, which follow from config and layers.
fn plain_manifest(image: &PlatformImage) -> Value {
    let manifest = image.manifest.as_ref();
    let mut plain = manifest.map(|it| it.json()).unwrap_or_default();
    if let Some(config) = plain.get_mut("config") {
        *config = without(config, &["digest", "size"]);
    }
    if let Some(layers) = plain.get_mut("layers").and_then(Value::as_array_mut) {
        for layer in layers.iter_mut() {
            *layer = without(layer, &["digest", "size"]);
        }
        // Their number is compared with their content.
        layers.dedup();
    }
    plain
}

fn without(value: &Value, keys: &[&str]) -> Value {
    let mut value = value.clone();
    if let Some(fields) = value.as_object_mut() {
        fields.retain(|key, _| !keys.contains(&key.as_str()));
    }
    value
}
