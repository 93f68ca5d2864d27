//! `cargo xtask image inspect`: what an image is, in the columns that `docker buildx imagetools
//! inspect` prints, and what that does not know: layers, sizes, and who built the programs inside.

use std::collections::BTreeMap;

use clap::Args;
use serde_json::{Value, json};

use crate::check::image::programs;
use crate::ctx::Ctx;
use crate::oci::layout::Layout;
use crate::oci::opened::{Child, Opened};
use crate::stamp;
use crate::tasks::image::{open, outputs};

#[derive(Debug, Args)]
#[command(
    after_help = "Sizes are bytes as they are sent over the network. A build stamp is read from the program's file, so\n\
    that of another processor's program is known as well.\n\nExamples:\n  \
    cargo xtask image inspect                              what `image` made\n  \
    cargo xtask image inspect dist/noetl-v0.1.0-image.tar\n  \
    cargo xtask image inspect ghcr.io/noetl/noetl:latest --json"
)]
pub(super) struct InspectArgs {
    /// Folder, tar or full image name [default: what `image` made]
    image: Option<String>,
    /// Print JSON: the same, with every layer and every field of the stamps
    #[arg(long)]
    json: bool,
}

/// What differs between two platforms by design, and is no news.
const OF_THE_PLATFORM: &[&str] = &["target", "target_features"];

pub(super) fn run(ctx: &Ctx, args: &InspectArgs) -> anyhow::Result<()> {
    let name = args
        .image
        .clone()
        .unwrap_or_else(|| outputs(ctx).0.into_string());
    let layout = open(ctx, &name)?;
    let image = Opened::of(&layout)?;
    let stamps = stamps(&layout);
    if args.json {
        let report = report(&name, &image, &stamps);
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        print!("{}", text(&name, &image, &stamps));
    }
    Ok(())
}

/// The build stamp of each platform's program, by `os/architecture`.
fn stamps(layout: &Layout) -> BTreeMap<String, Value> {
    let stamp = |(platform, program): (String, Vec<u8>)| {
        let stamp = stamp::read(&program).ok()?;
        Some((platform, serde_json::to_value(stamp).ok()?))
    };
    programs(layout).into_iter().filter_map(stamp).collect()
}

fn stamp_of<'a>(child: &Child, stamps: &'a BTreeMap<String, Value>) -> Option<&'a Value> {
    let platform: Vec<&str> = child.platform.split('/').take(2).collect();
    // A single image is named by its digest there.
    stamps
        .get(&platform.join("/"))
        .or_else(|| stamps.get(&child.digest))
}

fn text(name: &str, image: &Opened, stamps: &BTreeMap<String, Value>) -> String {
    let mut text = format!(
        "Name:      {name}\nMediaType: {}\nDigest:    {}\n",
        image.media_type, image.digest
    );
    if image.children.len() > 1 || !image.children.iter().all(|child| child.entry.is_null()) {
        text.push_str("\nManifests:\n");
    }
    for child in &image.children {
        if !child.entry.is_null() {
            text.push_str(&format!(
                "  Name:      {name}@{}\n  MediaType: {}\n",
                child.digest, child.media_type
            ));
        }
        text.push_str(&format!("  Platform:  {}\n", child.platform));
        text.push_str(&format!("  Size:      {}\n", bytes(packed(child))));
        for layer in &child.layers {
            text.push_str(&format!(
                "  Layer:     {} {}\n",
                layer.digest,
                bytes(layer.size)
            ));
        }
        if let Some(stamp) = stamp_of(child, stamps) {
            let word = |field: &str| stamp[field].as_str().unwrap_or_default();
            let (commit, ui) = (word("commit"), word("ui_sha256"));
            text.push_str(&format!(
                "  Build:     {} {}, revision {commit}\n  Page:      {}\n  Features:  {}\n",
                word("name"),
                word("version"),
                if ui.is_empty() { "none" } else { ui },
                word("target_features")
            ));
        }
        text.push('\n');
    }
    match differing(stamps).as_slice() {
        _ if stamps.len() < 2 => {}
        [] => text.push_str("Builds:    equal\n"),
        fields => text.push_str(&format!("Builds:    differ in {}\n", fields.join(", "))),
    }
    text.push_str(&format!("Total:     {}\n", bytes(total(image))));
    text
}

fn report(name: &str, image: &Opened, stamps: &BTreeMap<String, Value>) -> Value {
    let child = |child: &Child| {
        let layers = child.layers.iter().map(|layer| {
            json!({ "media_type": layer.media_type, "digest": layer.digest, "size": layer.size })
        });
        json!({
            "name": format!("{name}@{}", child.digest), "media_type": child.media_type,
            "digest": child.digest, "platform": child.platform, "size": packed(child),
            "layers": layers.collect::<Vec<_>>(), "config": child.config["config"],
            "stamp": stamp_of(child, stamps),
        })
    };
    let differing = differing(stamps);
    json!({
        "name": name, "media_type": image.media_type, "digest": image.digest,
        "annotations": image.document["annotations"],
        "manifests": image.children.iter().map(child).collect::<Vec<_>>(),
        "builds": { "equal": differing.is_empty(), "differing": differing },
        "total_size": total(image),
    })
}

/// The stamps' fields that are not the same on every platform, and should be.
fn differing(stamps: &BTreeMap<String, Value>) -> Vec<String> {
    let mut stamps = stamps.values().filter_map(Value::as_object);
    let Some(first) = stamps.next() else {
        return Vec::new();
    };
    let rest: Vec<_> = stamps.collect();
    first
        .iter()
        .filter(|(field, _)| !OF_THE_PLATFORM.contains(&field.as_str()))
        .filter(|(field, value)| rest.iter().any(|stamp| stamp.get(*field) != Some(*value)))
        .map(|(field, _)| field.clone())
        .collect()
}

/// What a node of that platform fetches.
fn packed(child: &Child) -> u64 {
    let config = child.image_manifest["config"]["size"].as_u64();
    let layers: u64 = child.layers.iter().map(|layer| layer.size).sum();
    child.size + config.unwrap_or_default() + layers
}

/// What a registry stores: each blob once.
fn total(image: &Opened) -> u64 {
    let mut blobs = BTreeMap::from([(image.digest.clone(), image.size)]);
    for child in &image.children {
        let config = &child.image_manifest["config"];
        blobs.insert(child.digest.clone(), child.size);
        blobs.insert(
            config["digest"].to_string(),
            config["size"].as_u64().unwrap_or_default(),
        );
        let layers = child.layers.iter();
        blobs.extend(layers.map(|layer| (layer.digest.clone(), layer.size)));
    }
    blobs.values().sum()
}

/// `1572864 bytes (1.5 MiB)`: exact first, since it is compared.
fn bytes(size: u64) -> String {
    let unit = |shift: u32| size as f64 / f64::from(1_u32 << shift);
    match size {
        0..1024 => format!("{size} bytes"),
        1024..1_048_576 => format!("{size} bytes ({:.1} KiB)", unit(10)),
        _ => format!("{size} bytes ({:.1} MiB)", unit(20)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;
    use crate::stamp::Stamp;

    fn image(change: impl Fn(usize, &mut Stamp)) -> Layout {
        let plan = fixtures::linux_plan();
        let binary = |(position, target): (usize, &&'static crate::target::Target)| {
            let mut stamp = fixtures::stamp(target);
            change(position, &mut stamp);
            fixtures::elf(target.arch, &stamp)
        };
        let binaries = plan.targets.iter().enumerate().map(binary);
        fixtures::image_of(binaries.collect())
    }

    fn inspected(layout: &Layout) -> String {
        text("x:1", &Opened::of(layout).unwrap(), &stamps(layout))
    }

    #[test]
    fn the_columns_are_those_people_know() {
        let layout = image(|_, _| {});
        let found = inspected(&layout);
        let digest = layout.image_index().unwrap().digest;
        let head = format!(
            "Name:      x:1\nMediaType: application/vnd.oci.image.index.v1+json\nDigest:    {digest}\n\nManifests:\n  Name:      x:1@sha256:"
        );
        assert!(found.starts_with(&head), "{found}");
        assert!(found.contains("\n  Platform:  linux/arm64/v8\n"), "{found}");
        assert!(found.contains("Builds:    equal\n"), "{found}");
        assert_eq!(found.matches("  Layer:     ").count(), 4);
    }

    #[test]
    fn builds_that_differ_are_named() {
        let layout = image(|position, stamp| stamp.ui_sha256 = format!("{position}"));
        assert!(inspected(&layout).contains("Builds:    differ in ui_sha256\n"));
        let report = report("x:1", &Opened::of(&layout).unwrap(), &stamps(&layout));
        assert_eq!(report["builds"]["equal"], false);
        assert_eq!(report["manifests"][1]["stamp"]["ui_sha256"], "1");
        let blobs = layout
            .files
            .iter()
            .filter(|(name, _)| name.starts_with("blobs/"));
        let stored: usize = blobs.map(|(_, bytes)| bytes.len()).sum();
        assert_eq!(report["total_size"], stored);
    }
}
