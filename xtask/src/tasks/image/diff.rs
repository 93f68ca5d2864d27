//! `cargo xtask image diff`: what makes two images different, or the platforms of one.

use anyhow::{anyhow, ensure};
use clap::Args;
use noetl_oci::Image;
use noetl_oci::diff::{self, Change, Description, Side};
use serde_json::json;

use crate::host::ctx::Ctx;
use crate::host::output;
use crate::image::contents::ENTRYPOINT;
use crate::image::plan::MAKER;
use crate::release::stamp;
use crate::tasks::image::open::Opened;
use crate::tasks::image::outputs;

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
    let opened = Opened::new(ctx, &one)?;
    let image = opened.image()?;
    let side = Side {
        image: &image,
        source: opened.source(),
    };
    match &args.other {
        Some(other) => {
            let other_opened = Opened::new(ctx, other)?;
            let image = other_opened.image()?;
            let other_side = Side {
                image: &image,
                source: other_opened.source(),
            };
            let changes = diff::images(side, other_side, Some(describe))?;
            print(args, &changes, &[])?;
            let count = changes.len();
            ensure!(count == 0, "{one} and {other} differ in {count} things");
            Ok(())
        }
        None => arches(args, &one, side),
    }
}

/// Returns a program's build stamp, so that it is compared field by field.
fn describe(program: &[u8]) -> Option<Description> {
    Some(Description {
        name: "stamp",
        section: stamp::section_name(program)?,
        value: serde_json::to_value(stamp::read(program).ok()?).ok()?,
    })
}

/// Prints what differs between platforms; anything but architecture and program is an error.
fn arches(args: &DiffArgs, name: &str, side: Side<'_>) -> anyhow::Result<()> {
    let count = side.image.runnable().count();
    ensure!(
        count > 1,
        "{name} is for one platform: there is nothing to compare it with"
    );
    let all = diff::platforms(side, Some(describe))?;
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
    if args.json {
        return Ok(());
    }
    output::line(format!(
        "{name}: platforms differ in architecture and program alone"
    ))
}

/// Returns the history of a base image, which is each platform's own: the lines above the first that `image` wrote, and
/// for each whether it made a layer. Without such a line nothing is known of the image.
fn lines_of_the_base(image: &Image) -> Vec<Made> {
    let config = image.runnable().find_map(|image| image.config.as_ref());
    let lines = config.map_or(&[][..], |config| config.value.history.as_slice());
    let is_own = |by: &String| by.starts_with(MAKER);
    let mut own = lines
        .iter()
        .map(|line| line.created_by.as_ref().is_some_and(is_own));
    let first = own.position(|is_own| is_own).unwrap_or_default();
    let made = lines[..first].iter().map(|line| match line.empty_layer {
        Some(true) => Made::Nothing,
        _ => Made::Layer,
    });
    made.collect()
}

/// What a line of history made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Made {
    Layer,
    Nothing,
}

/// Returns whether a change is in layers or history of a base.
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

/// Returns whether two platforms of one build must differ in this.
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
        return output::json(&json!({ "changes": changes, "expected": expected }));
    }
    expected.iter().chain(changes).try_for_each(output::line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;
    use crate::release::stamp::Stamp;
    use crate::release::target::TARGETS;

    /// Returns what differs between the platforms besides what must, when `change` is done to arm64's stamp.
    fn unexpected(change: impl Fn(&mut Stamp)) -> Vec<String> {
        let binaries = TARGETS[..2].iter().map(|target| {
            let mut stamp = fixtures::stamp(target);
            if target.triple.starts_with("aarch64") {
                change(&mut stamp);
            }
            fixtures::elf(target.arch, &stamp)
        });
        let layout = fixtures::image_of(binaries.collect());
        let image = Image::read(&layout).unwrap();
        let side = Side {
            image: &image,
            source: &layout,
        };
        let all = diff::platforms(side, Some(describe)).unwrap();
        assert!(all.len() >= 5, "{all:#?}");
        let beyond = all.iter().filter(|change| !is_of_the_platform(change));
        beyond.map(ToString::to_string).collect()
    }

    #[test]
    fn what_is_of_a_base_may_differ() {
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
