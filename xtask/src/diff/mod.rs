//! What makes two images different: down to a field of a config, an entry of a layer's tar and a
//! section of a program. Pure, from bytes to changes; digests that follow from a change are left out.

mod document;
mod layer;
mod program;

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;
use serde_json::Value;

use crate::oci::layout::Layout;
use crate::oci::opened::{Child, Opened};

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Change {
    /// `linux/amd64`; absent for what belongs to all platforms.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub platform: String,
    /// `index`, `image manifest`, `config` or `layer 1`.
    pub part: String,
    /// In a layer, the entry's path.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub path: String,
    /// `config.Env.HOME`, `mode`, `.rodata`; absent where the whole is there on one side alone.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub field: String,
    /// What it is in the first image; absent when it is not there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// What it is in the second image; absent when it is not there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

impl fmt::Display for Change {
    /// `~ linux/amd64 layer 1 usr/bin/noetl .rodata: 10 bytes -> 20 bytes`, with `+` or `-` for what is new or gone.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mark, words) = match (&self.before, &self.after) {
            (Some(before), Some(after)) => ('~', format!("{before} -> {after}")),
            (None, after) => ('+', after.clone().unwrap_or_default()),
            (Some(before), None) => ('-', before.clone()),
        };
        let place = [&self.platform, &self.part, &self.path, &self.field];
        let place: Vec<&str> = place
            .into_iter()
            .map(String::as_str)
            .filter(|word| !word.is_empty())
            .collect();
        write!(formatter, "{mark} {}: {words}", place.join(" "))
    }
}

/// Where changes are being looked for, and those that were found.
#[derive(Debug, Default)]
struct Found {
    platform: String,
    part: String,
    path: String,
    changes: Vec<Change>,
}

impl Found {
    fn enter(&mut self, platform: &str, part: &str) {
        platform.clone_into(&mut self.platform);
        part.clone_into(&mut self.part);
        self.path.clear();
    }

    fn add(&mut self, field: &str, before: Option<String>, after: Option<String>) {
        self.changes.push(Change {
            platform: self.platform.clone(),
            part: self.part.clone(),
            path: self.path.clone(),
            field: field.to_owned(),
            before,
            after,
        });
    }

    fn differ(&mut self, field: &str, before: impl Into<String>, after: impl Into<String>) {
        self.add(field, Some(before.into()), Some(after.into()));
    }
}

/// An image with the bytes it was read from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Side<'a> {
    /// Its documents.
    pub image: &'a Opened,
    /// Its blobs.
    pub layout: &'a Layout,
}

/// Everything that differs; empty exactly when the two are the same image by digest.
pub(crate) fn images(one: Side<'_>, other: Side<'_>) -> Vec<Change> {
    let mut found = Found::default();
    if one.image.digest == other.image.digest {
        return found.changes;
    }
    found.enter("", "index");
    if one.image.media_type != other.image.media_type {
        found.differ("mediaType", &one.image.media_type, &other.image.media_type);
    }
    let is_index = |side: Side<'_>| side.image.document["manifests"].is_array();
    if is_index(one) && is_index(other) {
        let [before, after] =
            [one, other].map(|side| without(&side.image.document, &["manifests"]));
        document::compare(&before, &after, &mut found);
    }
    let (ours, theirs) = (by_platform(one.image), by_platform(other.image));
    let common = |these: &[(String, &Child)], those: &[(String, &Child)]| -> Vec<String> {
        let names = these.iter().map(|(name, _)| name.clone());
        names
            .filter(|name| those.iter().any(|(other, _)| other == name))
            .collect()
    };
    let (order, other_order) = (common(&ours, &theirs), common(&theirs, &ours));
    if order != other_order {
        found.differ(
            "order of platforms",
            order.join(", "),
            other_order.join(", "),
        );
    }
    for (name, child) in &ours {
        match theirs.iter().find(|(other, _)| other == name) {
            Some((_, theirs)) => {
                children(
                    name,
                    (child, one.layout),
                    (theirs, other.layout),
                    &mut found,
                );
            }
            None => found.add(name, Some(child.digest.clone()), None),
        }
        found.enter("", "index");
    }
    for (name, child) in &theirs {
        if !ours.iter().any(|(known, _)| known == name) {
            found.add(name, None, Some(child.digest.clone()));
        }
    }
    if found.changes.is_empty() {
        let (before, after) = (&one.image.digest, &other.image.digest);
        found.differ("written differently, with the same JSON", before, after);
    }
    found.changes
}

/// What differs between the first platform of an image and each other, by the other's name.
pub(crate) fn platforms(side: Side<'_>) -> Vec<Change> {
    let mut found = Found::default();
    let mut all = side
        .image
        .children
        .iter()
        .filter(|child| !child.is_attestation());
    let Some(first) = all.next() else {
        return Vec::new();
    };
    for other in all {
        let (before, after) = ((first, side.layout), (other, side.layout));
        children(&other.platform, before, after, &mut found);
    }
    found.changes
}

/// Children by platform; where a platform repeats, as attestations' does, with a number.
fn by_platform(image: &Opened) -> Vec<(String, &Child)> {
    let mut names: BTreeMap<&str, usize> = BTreeMap::new();
    let name = |child: &'_ Child, count: usize| match count {
        1 => child.platform.clone(),
        count => format!("{} ({count})", child.platform),
    };
    let mut named = Vec::new();
    for child in &image.children {
        let count = names.entry(child.platform.as_str()).or_default();
        *count += 1;
        named.push((name(child, *count), child));
    }
    named
}

fn children(
    name: &str,
    (one, one_layout): (&Child, &Layout),
    (other, other_layout): (&Child, &Layout),
    found: &mut Found,
) {
    const POINTERS: &[&str] = &["digest", "size"];
    found.enter(name, "index entry");
    let [before, after] = [one, other].map(|child| without(&child.entry, POINTERS));
    document::compare(&before, &after, found);
    if one.digest == other.digest {
        return;
    }
    let changes = found.changes.len();
    found.enter(name, "image manifest");
    let [before, after] = [one, other].map(|child| plain_manifest(&child.image_manifest));
    document::compare(&before, &after, found);
    found.enter(name, "config");
    let [before, after] = [one, other].map(|child| {
        let mut config = child.config.clone();
        config["rootfs"] = without(&config["rootfs"], &["diff_ids"]);
        config
    });
    document::compare(&before, &after, found);
    for position in 0..one.layers.len().max(other.layers.len()) {
        found.enter(name, &format!("layer {position}"));
        let pair = (one.layers.get(position), other.layers.get(position));
        let same = layer::compare((pair.0, one_layout), (pair.1, other_layout), found);
        let [before, after] =
            [one, other].map(|child| child.config["rootfs"]["diff_ids"][position].to_string());
        if same && before != after {
            found.differ("diff id", before, after);
        }
    }
    if found.changes.len() == changes {
        found.enter(name, "image manifest");
        let same = "written differently, with the same JSON";
        found.differ(same, &one.digest, &other.digest);
    }
}

/// A manifest without what follows from the content of config and layers.
fn plain_manifest(image_manifest: &Value) -> Value {
    let mut plain = image_manifest.clone();
    plain["config"] = without(&plain["config"], &["digest", "size"]);
    for layer in plain["layers"].as_array_mut().into_iter().flatten() {
        *layer = without(layer, &["digest", "size"]);
    }
    // How many there are is compared with their content.
    if let Some(layers) = plain["layers"].as_array_mut() {
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

#[cfg(test)]
mod tests;
