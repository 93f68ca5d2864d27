//! `cargo xtask image inspect`: what an image is, in the columns that `docker buildx imagetools
//! inspect` prints, and what that does not know: layers, sizes, and who built the programs inside.

use std::collections::BTreeMap;

use clap::Args;
use noetl_oci::inspect::{PlatformSummary, Summary};
use noetl_oci::{Image, ImageSource, KnownLayers};
use serde_json::{Value, json};

use crate::host::ctx::Ctx;
use crate::host::output;
use crate::release::stamp;
use crate::tasks::image::open::Opened;
use crate::tasks::image::outputs;

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

/// Fields of the stamp that differ between two platforms by design.
const OF_THE_PLATFORM: &[&str] = &["target", "target_features"];

/// The build stamp of each platform's program, by the digest of its image.
type Stamps = BTreeMap<String, Value>;

pub(super) fn run(ctx: &Ctx, args: &InspectArgs) -> anyhow::Result<()> {
    let name = args
        .image
        .clone()
        .unwrap_or_else(|| outputs(ctx).0.into_string());
    let opened = Opened::new(ctx, &name)?;
    let image = opened.image()?;
    let (summary, stamps) = (Summary::of(&image)?, stamps(&image, opened.source())?);
    if args.json {
        return output::json(&report(&name, &summary, &stamps)?);
    }
    output::print(&text(&name, &summary, &stamps))
}

fn stamps(image: &Image, source: &dyn ImageSource) -> anyhow::Result<Stamps> {
    let programs = image.programs(source, &KnownLayers::default())?;
    let mut stamps = Stamps::new();
    for platform in image.runnable() {
        let mut programs = programs.iter();
        let program = programs.find(|(name, _)| *name == platform.name());
        if let Some(stamp) = program.and_then(|(_, program)| stamp::read(program).ok()) {
            let digest = platform.descriptor.digest.clone();
            stamps.insert(digest, serde_json::to_value(stamp)?);
        }
    }
    Ok(stamps)
}

fn text(name: &str, summary: &Summary, stamps: &Stamps) -> String {
    let Summary {
        digest, media_type, ..
    } = summary;
    let mut text = format!("Name:      {name}\nMediaType: {media_type}\nDigest:    {digest}\n");
    if summary.has_index {
        text.push_str("\nManifests:\n");
    }
    for manifest in &summary.manifests {
        let PlatformSummary {
            digest, media_type, ..
        } = manifest;
        if summary.has_index {
            text.push_str(&format!(
                "  Name:      {name}@{digest}\n  MediaType: {media_type}\n"
            ));
        }
        text.push_str(&format!("  Platform:  {}\n", manifest.platform));
        text.push_str(&format!("  Size:      {}\n", bytes(manifest.size)));
        for layer in &manifest.layers {
            let size = bytes(layer.size);
            text.push_str(&format!("  Layer:     {} {size}\n", layer.digest));
        }
        if let Some(stamp) = stamps.get(digest) {
            let field = |field: &str| stamp[field].as_str().unwrap_or_default();
            let (commit, ui) = (field("commit"), field("ui_sha256"));
            text.push_str(&format!(
                "  Build:     {} {}, revision {commit}\n  Page:      {}\n  Features:  {}\n",
                field("name"),
                field("version"),
                if ui.is_empty() { "none" } else { ui },
                field("target_features")
            ));
        }
        text.push('\n');
    }
    match differing(stamps).as_slice() {
        _ if stamps.len() < 2 => {}
        [] => text.push_str("Builds:    equal\n"),
        fields => text.push_str(&format!("Builds:    differ in {}\n", fields.join(", "))),
    }
    text.push_str(&format!("Total:     {}\n", bytes(summary.total_size)));
    text
}

/// Returns the summary with the name, each platform's stamp, and whether the builds are equal.
fn report(name: &str, summary: &Summary, stamps: &Stamps) -> anyhow::Result<Value> {
    let mut report = serde_json::to_value(summary)?;
    report["name"] = json!(name);
    for (manifest, entry) in summary.manifests.iter().zip(0..) {
        let entry: usize = entry;
        let value = &mut report["manifests"][entry];
        value["name"] = json!(format!("{name}@{}", manifest.digest));
        value["stamp"] = json!(stamps.get(&manifest.digest));
    }
    let differing = differing(stamps);
    report["builds"] = json!({ "equal": differing.is_empty(), "differing": differing });
    Ok(report)
}

/// Returns the stamps' fields that are not the same on every platform, and should be.
fn differing(stamps: &Stamps) -> Vec<String> {
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

/// Returns a size such as `1572864 bytes (1.5 MiB)`: exact first, since it is compared.
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
    use noetl_oci::Layout;

    use super::*;
    use crate::fixtures;
    use crate::release::stamp::Stamp;
    use crate::release::target::TARGETS;

    fn image(change: impl Fn(usize, &mut Stamp)) -> Layout {
        let programs = TARGETS[..2].iter().enumerate().map(|(position, target)| {
            let mut stamp = fixtures::stamp(target);
            change(position, &mut stamp);
            fixtures::elf(target.arch, &stamp)
        });
        fixtures::image_of(programs.collect())
    }

    fn inspected(layout: &Layout) -> (Summary, Stamps) {
        let image = Image::read(layout).unwrap();
        (
            Summary::of(&image).unwrap(),
            stamps(&image, layout).unwrap(),
        )
    }

    #[test]
    fn the_columns_are_those_people_know() {
        let (summary, stamps) = inspected(&image(|_, _| {}));
        let found = text("x:1", &summary, &stamps);
        let head = format!(
            "Name:      x:1\nMediaType: application/vnd.oci.image.index.v1+json\nDigest:    {}\n\nManifests:\n  Name:      x:1@sha256:",
            summary.digest
        );
        assert!(found.starts_with(&head), "{found}");
        assert!(found.contains("\n  Platform:  linux/arm64/v8\n"), "{found}");
        assert!(found.contains("Builds:    equal\n"), "{found}");
        assert_eq!(found.matches("  Layer:     ").count(), 4);
    }

    #[test]
    fn builds_that_differ_are_named() {
        let layout = image(|position, stamp| stamp.ui_sha256 = format!("{position}"));
        let (summary, stamps) = inspected(&layout);
        let found = text("x:1", &summary, &stamps);
        assert!(
            found.contains("Builds:    differ in ui_sha256\n"),
            "{found}"
        );
        let report = report("x:1", &summary, &stamps).unwrap();
        assert_eq!(report["builds"]["equal"], false);
        assert_eq!(report["manifests"][1]["stamp"]["ui_sha256"], "1");
        let files = layout.files.iter();
        let blobs = files.filter(|(name, _)| name.starts_with("blobs/"));
        let stored: u64 = blobs.map(|(_, blob)| blob.length()).sum();
        assert_eq!(report["total_size"], stored);
    }
}
