//! `cargo xtask image diff`: prints what differs between two images, or between the platforms of one.

use anyhow::ensure;
use clap::Args;
use noetl_oci::annotation::BASE_DIGEST;
use noetl_oci::diff::{self, Change, Description};
use serde_json::json;

use crate::host::ctx::Ctx;
use crate::host::output;
use crate::image::contents::ENTRYPOINT;
use crate::image::plan::MAKER;
use crate::release::stamp;
use crate::tasks::image::open::Opened;

#[derive(Debug, Args)]
#[command(
    after_help = "Exit code 0 when they are the same, 1 when they differ, like diff. Digests that follow from a change are left out.\n\n\
    Examples:\n  cargo xtask image diff dist/noetl-v0.1.0-image.tar target/xtask/image\n  \
    cargo xtask image diff ghcr.io/noetl/noetl:0.1.0 ghcr.io/noetl/noetl:latest --json\n  \
    cargo xtask image diff target/xtask/image --arches    proves that only the program differs between platforms"
)]
pub(super) struct DiffArgs {
    /// Folder, tar or full image name [default with --arches: what `image` made]
    one: Option<String>,
    /// The other image
    #[arg(required_unless_present = "arches", conflicts_with = "arches")]
    other: Option<String>,
    /// Compare the platforms of one image; exit code 1 when more differs than architecture and program
    #[arg(long)]
    arches: bool,
    /// Print JSON: every change with platform, part, path, field, before and after
    #[arg(long)]
    json: bool,
}

pub(super) fn run(ctx: &Ctx, args: &DiffArgs) -> anyhow::Result<()> {
    let one = Opened::new(ctx, args.one.as_deref())?;
    if args.other.is_none() {
        return compare_platforms(args, &one);
    }
    let other = Opened::new(ctx, args.other.as_deref())?;
    let changes = diff::images(one.side(), other.side(), Some(describe))?;
    print(args, &changes, &[])?;
    let (one, other, count) = (one.name, other.name, changes.len());
    ensure!(count == 0, "{one} and {other} differ in {count} things");
    Ok(())
}

/// Returns a program's build stamp, so that it is compared field by field.
fn describe(program: &[u8]) -> Option<Description> {
    Some(Description {
        name: "stamp",
        section: stamp::section_name(program)?,
        value: serde_json::to_value(stamp::read(program).ok()?).ok()?,
    })
}

/// Prints what differs between platforms; fails when more differs than architecture, program and base.
fn compare_platforms(args: &DiffArgs, opened: &Opened) -> anyhow::Result<()> {
    let Opened { name, image, .. } = opened;
    ensure!(
        image.runnable().count() > 1,
        "{name} is for one platform: there is nothing to compare it with"
    );
    let config = image.runnable().find_map(|image| image.config.as_ref());
    let base = config.map_or(&[][..], |config| config.value.base_history(MAKER));
    let changes = diff::platforms(opened.side(), Some(describe))?;
    let (expected, unexpected): (Vec<_>, Vec<_>) = changes
        .into_iter()
        .partition(|change| is_of_the_platform(change) || change.is_of_base(base));
    print(args, &unexpected, &expected)?;
    let count = unexpected.len();
    ensure!(
        count == 0,
        "{name}: {count} things differ between platforms besides architecture and program"
    );
    if args.json {
        return Ok(());
    }
    output::line(format!(
        "{name}: platforms differ in architecture and program only"
    ))
}

/// Returns whether two platforms of one build must differ in this.
fn is_of_the_platform(change: &Change) -> bool {
    let field = change.field.as_str();
    match change.part.as_str() {
        "index entry" => ["platform.architecture", "platform.variant"].contains(&field),
        "image manifest" => field.strip_prefix("annotations.") == Some(BASE_DIGEST),
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
    use noetl_oci::diff::Side;
    use noetl_oci::{Image, Layout};

    use super::*;
    use crate::fixtures;

    #[test]
    fn platforms_of_one_build_differ_in_architecture_and_program_only() {
        let unexpected = |source: &Layout| -> Vec<String> {
            let image = &Image::read(source).unwrap();
            let changes = diff::platforms(Side { image, source }, Some(describe)).unwrap();
            assert!(changes.len() >= 5, "{changes:#?}");
            let unexpected = changes.iter().filter(|change| !is_of_the_platform(change));
            unexpected.map(ToString::to_string).collect()
        };
        assert!(unexpected(&fixtures::image()).is_empty());
        let other = fixtures::image_with(|stamp| stamp.ui_sha256.clone_from(&stamp.target));
        let found = unexpected(&other);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].contains("usr/bin/noetl stamp.ui_sha256: "));
    }
}
