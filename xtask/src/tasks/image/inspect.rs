//! `cargo xtask image inspect`: prints the columns of `docker buildx imagetools inspect`, and besides them layers,
//! sizes and build stamps.

use std::collections::BTreeMap;

use clap::Args;
use noetl_oci::inspect::{PlatformSummary, Summary, format_size};
use noetl_oci::{KnownLayers, PlatformImage};
use serde_json::{Value, json};

use crate::host::ctx::Ctx;
use crate::host::output;
use crate::release::stamp;
use crate::tasks::image::open::Opened;

#[derive(Debug, Args)]
#[command(
    after_help = "Sizes are bytes as they are sent over the network. Build stamps are read from the programs' files,\n\
    for every architecture.\n\nExamples:\n  \
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
    let opened = Opened::new(ctx, args.image.as_deref())?;
    let (summary, stamps) = (Summary::of(&opened.image)?, stamps(&opened)?);
    if args.json {
        return output::json(&report(&opened.name, &summary, &stamps)?);
    }
    output::print(&text(&opened.name, &summary, &stamps))
}

fn stamps(opened: &Opened) -> anyhow::Result<Stamps> {
    let (image, source) = (&opened.image, opened.place.source());
    let programs = image.programs(source, &KnownLayers::default())?;
    let stamp = |platform: &PlatformImage| {
        let name = platform.name();
        let (_, program) = programs.iter().find(|(known, _)| *known == name)?;
        let stamp = serde_json::to_value(stamp::read(program).ok()?).ok()?;
        Some((platform.descriptor.digest.clone(), stamp))
    };
    Ok(image.runnable().filter_map(stamp).collect())
}

fn text(name: &str, summary: &Summary, stamps: &Stamps) -> String {
    let mut text = summary.columns(name, |image: &PlatformSummary| {
        let Some(stamp) = stamps.get(&image.digest) else {
            return String::new();
        };
        let field = |field: &str| stamp[field].as_str().unwrap_or_default();
        let (name, version, commit) = (field("name"), field("version"), field("commit"));
        let page = Some(field("ui_sha256")).filter(|page| !page.is_empty());
        format!(
            "  Build:     {name} {version}, revision {commit}\n  Page:      {}\n  Features:  {}\n",
            page.unwrap_or("none"),
            field("target_features")
        )
    });
    match differing(stamps).as_slice() {
        _ if stamps.len() < 2 => {}
        [] => text.push_str("Builds:    equal\n"),
        fields => text.push_str(&format!("Builds:    differ in {}\n", fields.join(", "))),
    }
    text.push_str(&format!("Total:     {}\n", format_size(summary.total_size)));
    text
}

/// Returns the summary with the name, each platform's stamp, and whether the builds are equal.
fn report(name: &str, summary: &Summary, stamps: &Stamps) -> anyhow::Result<Value> {
    let mut report = serde_json::to_value(summary)?;
    report["name"] = json!(name);
    for (position, manifest) in summary.manifests.iter().enumerate() {
        let value = &mut report["manifests"][position];
        value["name"] = json!(format!("{name}@{}", manifest.digest));
        value["stamp"] = json!(stamps.get(&manifest.digest));
    }
    let differing = differing(stamps);
    report["builds"] = json!({ "equal": differing.is_empty(), "differing": differing });
    Ok(report)
}

/// Returns the fields of the stamps that differ between platforms and should not.
fn differing(stamps: &Stamps) -> Vec<String> {
    let mut stamps = stamps.values().filter_map(Value::as_object);
    let first = stamps.next().into_iter().flatten();
    let rest: Vec<_> = stamps.collect();
    let differs = |field: &str, value| rest.iter().any(|stamp| stamp.get(field) != Some(value));
    first
        .filter(|(field, value)| {
            !OF_THE_PLATFORM.contains(&field.as_str()) && differs(field, value)
        })
        .map(|(field, _)| field.clone())
        .collect()
}

#[cfg(test)]
mod tests {
    use noetl_oci::{Image, Layout};

    use super::*;
    use crate::fixtures;
    use crate::tasks::image::open::Place;

    fn inspect(layout: Layout) -> (String, Value) {
        let image = Image::read(&layout).unwrap();
        let (name, place) = ("x:1".to_owned(), Place::Layout(layout));
        let opened = Opened { name, place, image };
        let summary = Summary::of(&opened.image).unwrap();
        let stamps = stamps(&opened).unwrap();
        let report = report("x:1", &summary, &stamps).unwrap();
        (text("x:1", &summary, &stamps), report)
    }

    #[test]
    fn differing_builds_are_named() {
        let (equal, _) = inspect(fixtures::image());
        assert!(equal.contains("Builds:    equal\nTotal:     "), "{equal}");
        let commit = fixtures::release().commit;
        let build = format!("  Build:     noetl 1.2.3, revision {commit}\n  Page:      ");
        assert_eq!(equal.matches(&build).count(), 2, "{equal}");
        let other = fixtures::image_with(|stamp| stamp.ui_sha256.clone_from(&stamp.target));
        let (found, report) = inspect(other);
        let differing = "Builds:    differ in ui_sha256\n";
        assert!(found.contains(differing), "{found}");
        assert_eq!(report["builds"]["equal"], false);
        let page = &report["manifests"][1]["stamp"]["ui_sha256"];
        assert_eq!(page, "aarch64-unknown-linux-musl");
    }
}
