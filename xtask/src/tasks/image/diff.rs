//! `cargo xtask image diff`: what makes two images different, or the platforms of one.

use anyhow::{anyhow, ensure};
use clap::Args;
use serde_json::{Value, json};

use crate::ctx::Ctx;
use crate::diff::{self, Change, Side};
use crate::oci::opened::Opened;
use crate::oci::rootfs::ENTRYPOINT;
use crate::tasks::image::{open, outputs};

#[derive(Debug, Args)]
#[command(
    after_help = "Exit code 0 when they are the same, 1 when they differ, like diff. Digests that follow from a change are left out.\n\n\
    Examples:\n  cargo xtask image diff dist/noetl-v0.1.0-image.tar target/xtask/image\n  \
    cargo xtask image diff ghcr.io/noetl/noetl:0.1.0 ghcr.io/noetl/noetl:latest --json\n  \
    cargo xtask image diff target/xtask/image --arches    proves that only the program differs between platforms"
)]
pub(super) struct DiffArgs {
    /// Folder, tar or full image name [with --arches alone: what `image` made]
    one: Option<String>,
    /// The other image
    #[arg(required_unless_present = "arches", conflicts_with = "arches")]
    other: Option<String>,
    /// Compare the platforms of one image; 1 when more differs than architecture and program
    #[arg(long)]
    arches: bool,
    /// Print JSON: every change with platform, part, path, field, before and after
    #[arg(long)]
    json: bool,
}

pub(super) fn run(ctx: &Ctx, args: &DiffArgs) -> anyhow::Result<()> {
    let one = args
        .one
        .clone()
        .unwrap_or_else(|| outputs(ctx).0.into_string());
    let layout = open(ctx, &one)?;
    let image = Opened::of(&layout)?;
    let side = Side {
        image: &image,
        layout: &layout,
    };
    match &args.other {
        Some(other) => {
            let layout = open(ctx, other)?;
            let image = Opened::of(&layout)?;
            let other_side = Side {
                image: &image,
                layout: &layout,
            };
            let changes = diff::images(side, other_side);
            print(args, &changes, &[])?;
            let count = changes.len();
            ensure!(count == 0, "{one} and {other} differ in {count} things");
            Ok(())
        }
        None => arches(args, &one, side),
    }
}

/// Prints what differs between platforms; anything but architecture and program is an error.
fn arches(args: &DiffArgs, name: &str, side: Side<'_>) -> anyhow::Result<()> {
    let count = side.image.children.len();
    ensure!(
        count > 1,
        "{name} is for one platform: there is nothing to compare it with"
    );
    let all = diff::platforms(side);
    let base = lines_of_the_base(side.image);
    let (expected, unexpected): (Vec<_>, Vec<_>) = all
        .into_iter()
        .partition(|change| is_of_the_platform(change) || is_of_the_base(change, &base));
    print(args, &unexpected, &expected)?;
    if !unexpected.is_empty() {
        let count = unexpected.len();
        return Err(anyhow!(
            "{name}: {count} things differ between platforms besides architecture and program"
        ));
    }
    if !args.json {
        println!("{name}: platforms differ in architecture and program alone");
    }
    Ok(())
}

/// The history of a base image, which is each platform's own: the lines above the first of ours, and
/// for each whether it made a layer. None when no line is ours, for then nothing is known of the image.
fn lines_of_the_base(image: &Opened) -> Vec<Made> {
    let Some(child) = image.children.first() else {
        return Vec::new();
    };
    let history = child.config["history"].as_array();
    let lines: Vec<&Value> = history.into_iter().flatten().collect();
    let is_ours = |line: &&Value| {
        line["created_by"]
            .as_str()
            .is_some_and(|by| by.starts_with("cargo xtask image"))
    };
    let made = |line: &&Value| {
        if line["empty_layer"] == true {
            Made::Nothing
        } else {
            Made::Layer
        }
    };
    match lines.iter().position(is_ours) {
        Some(first) => lines[..first].iter().map(made).collect(),
        None => Vec::new(),
    }
}

/// What a line of history made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Made {
    Layer,
    Nothing,
}

/// Whether a change lies in layers or history that a base brought along.
fn is_of_the_base(change: &Change, base: &[Made]) -> bool {
    let layers = base.iter().filter(|made| **made == Made::Layer).count();
    let number = |text: &str, until: char| text.split(until).next()?.parse::<usize>().ok();
    match change.part.strip_prefix("layer ") {
        Some(layer) => layer.parse().is_ok_and(|layer: usize| layer < layers),
        None => change
            .field
            .strip_prefix("history[")
            .and_then(|rest| number(rest, ']'))
            .is_some_and(|line| change.part == "config" && line < base.len()),
    }
}

/// Whether two platforms of one build must differ in this.
fn is_of_the_platform(change: &Change) -> bool {
    let field = change.field.as_str();
    match change.part.as_str() {
        "index entry" => ["platform.architecture", "platform.variant"].contains(&field),
        "config" => ["architecture", "variant"].contains(&field),
        _ if change.path == ENTRYPOINT.trim_start_matches('/') => {
            let of_the_target = ["stamp.target", "stamp.target_features"].contains(&field);
            of_the_target || field.starts_with('.') || field == "content"
        }
        _ => false,
    }
}

fn print(args: &DiffArgs, changes: &[Change], expected: &[Change]) -> anyhow::Result<()> {
    if args.json {
        let report = json!({ "changes": changes, "expected": expected });
        println!("{}", serde_json::to_string_pretty(&report)?);
        return Ok(());
    }
    for change in expected {
        println!("{change}");
    }
    for change in changes {
        println!("{change}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;
    use crate::stamp::Stamp;

    /// What differs between the platforms besides what must, when `change` is done to arm64's stamp.
    fn unexpected(change: impl Fn(&mut Stamp)) -> Vec<String> {
        let plan = fixtures::linux_plan();
        let binaries = plan.targets.iter().map(|target| {
            let mut stamp = fixtures::stamp(target);
            if target.triple.starts_with("aarch64") {
                change(&mut stamp);
            }
            fixtures::elf(target.arch, &stamp)
        });
        let layout = fixtures::image_of(binaries.collect());
        let image = Opened::of(&layout).unwrap();
        let all = diff::platforms(Side {
            image: &image,
            layout: &layout,
        });
        assert!(all.len() >= 5, "{all:#?}");
        let beyond = all.iter().filter(|change| !is_of_the_platform(change));
        beyond.map(ToString::to_string).collect()
    }

    #[test]
    fn what_a_base_brought_is_each_platforms_own() {
        let change = |part: &str, field: &str| Change {
            platform: "linux/arm64/v8".to_owned(),
            part: part.to_owned(),
            path: String::new(),
            field: field.to_owned(),
            before: None,
            after: None,
        };
        let base = [Made::Layer, Made::Nothing, Made::Layer];
        for (part, field, expected) in [
            ("layer 0", "", true),
            ("layer 1", "mode", true),
            ("layer 2", "", false),
            ("config", "history[2].created", true),
            ("config", "history[3].created", false),
            ("config", "config.User", false),
        ] {
            assert_eq!(is_of_the_base(&change(part, field), &base), expected);
            assert!(!is_of_the_base(&change(part, field), &[]));
        }
    }

    #[test]
    fn platforms_of_one_build_differ_in_architecture_and_program_alone() {
        assert!(unexpected(|_| {}).is_empty());
        let other_page = unexpected(|stamp| stamp.ui_sha256 = "0".repeat(64));
        assert_eq!(other_page.len(), 1, "{other_page:?}");
        assert!(other_page[0].contains("usr/bin/noetl stamp.ui_sha256: "));
    }
}
