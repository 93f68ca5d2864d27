//! `cargo xtask image check`: the rules over a layout, a tar or an image in a registry.

use std::time::SystemTime;

use clap::Args;

use crate::check::Findings;
use crate::check::expect::{Expectations, Project};
use crate::check::image as rules_on_images;
use crate::check::mutants;
use crate::check::rules::{self, Rule};
use crate::ctx::Ctx;
use crate::diff::{self, Change, Side};
use crate::digest::Sha256;
use crate::error::WithHelp as _;
use crate::oci::layout::Layout;
use crate::oci::opened::Opened;
use crate::oci::{image, rootfs};
use crate::release::{Release, workspace_field};
use crate::target::Platform;
use crate::tasks::image::rebuild::RebuildArgs;
use crate::tasks::image::{in_order, name, open, outputs, served};
use crate::{files, verify};

#[derive(Debug, Args)]
#[command(
    after_help = "Without a name, and with --this-commit, the image is compared with this checkout as well: version,\n\
    revision, licence, source, port, times and root certificates. Errors decide the exit code; warnings and\n\
    infos do not.\n\nExamples:\n  \
    cargo xtask image check                                   what `image` made\n  \
    cargo xtask image check dist/noetl-v0.1.0-image.tar --this-commit\n  \
    cargo xtask image check 127.0.0.1:5000/noetl:0.1.0 --rule P1 --rule F5\n  \
    cargo xtask image check --against ghcr.io/noetl/noetl:0.1.0     what else than the program is new\n  \
    cargo xtask image check --rebuild                         is it the image of this commit, wherever it is built\n  \
    cargo xtask image check --explain P6"
)]
pub(super) struct CheckArgs {
    /// Folder, tar or full image name [default: what `image` made]
    image: Option<String>,
    /// Platforms it should be for, separated by commas
    #[arg(long, value_delimiter = ',', default_value = "linux/amd64,linux/arm64", value_parser = Platform::parse)]
    platforms: Vec<Platform>,
    /// Tell only what this rule finds, repeatable
    #[arg(long = "rule", value_name = "ID", value_parser = known)]
    rules: Vec<&'static str>,
    /// Compare with this checkout too, as an image made from it
    #[arg(long)]
    this_commit: bool,
    /// Print JSON: every finding with rule, severity, object and message
    #[arg(long)]
    json: bool,
    /// Print every rule and stop
    #[arg(long, conflicts_with = "explain")]
    list: bool,
    /// With --list: print the table of docker/multi-arch-builds.md
    #[arg(long, requires = "list")]
    markdown: bool,
    /// Print what a rule is for and stop
    #[arg(long, value_name = "ID")]
    explain: Option<String>,
    /// Compare with this image, such as the last release's: only the program and what is said of it may differ (X3)
    #[arg(long, value_name = "IMAGE")]
    against: Option<String>,
    #[command(flatten)]
    rebuild: RebuildArgs,
}

pub(super) fn run(ctx: &Ctx, args: &CheckArgs) -> anyhow::Result<()> {
    if args.list {
        list(args.markdown);
        return Ok(());
    }
    if let Some(id) = &args.explain {
        return explain(id);
    }
    let own = outputs(ctx).0.into_string();
    let image = args.image.as_ref().unwrap_or(&own);
    let platforms = in_order(&args.platforms);
    let expected = if args.this_commit || args.image.is_none() {
        expectations(ctx, &Release::read(ctx)?, &platforms)?
    } else {
        anybodys(&platforms)
    };
    let layout = open(ctx, image)?;
    let mut findings = rules_on_images::check(&layout, &expected);
    if let Some(reference) = name(image)? {
        served::check(ctx, &reference, &layout, &mut findings)?;
    }
    if let Ok(root) = layout.image_index() {
        args.rebuild
            .check(ctx, image, &root.digest, &mut findings)?;
    }
    if let Some(against) = &args.against {
        let before = open(ctx, against)?;
        only_program_and_notes(&before, &layout, image, &mut findings)?;
    }
    let findings = findings.only(&args.rules);
    if args.json {
        return verify::conclude_json(&findings, image);
    }
    let concluded = verify::conclude(&findings, image);
    println!("{image}: {}", summary(&findings));
    concluded
}

/// Finds files besides the program that are not what they were; times follow the commit and count as nothing.
fn only_program_and_notes(
    before: &Layout,
    after: &Layout,
    name: &str,
    findings: &mut Findings,
) -> anyhow::Result<()> {
    let (one, other) = (Opened::of(before)?, Opened::of(after)?);
    let side = |image, layout| Side { image, layout };
    let changes = diff::images(side(&one, before), side(&other, after));
    let program = rootfs::ENTRYPOINT.trim_start_matches('/');
    let counts = |change: &&Change| {
        change.part.starts_with("layer ") && change.path != program && change.field != "mtime"
    };
    for change in changes.iter().filter(counts) {
        findings.add("X3", name, change.to_string());
    }
    Ok(())
}

/// What an image of somebody else, or of another commit, should be like.
pub(super) fn anybodys(platforms: &[Platform]) -> Expectations {
    Expectations {
        now: Some(now()),
        ..Expectations::of(platforms)
    }
}

/// What an image made from this checkout should be like.
pub(crate) fn expectations(
    ctx: &Ctx,
    release: &Release,
    platforms: &[Platform],
) -> anyhow::Result<Expectations> {
    let cargo_toml = files::read_to_string(&ctx.root.join("Cargo.toml"))?;
    let project = Project {
        version: release.version.clone(),
        revision: release.commit.clone(),
        licenses: workspace_field(&cargo_toml, "license")?,
        source: workspace_field(&cargo_toml, "repository")?,
        port: image::PORT,
        commit_time: release.commit_time,
        ca_sha256: Sha256::of(rootfs::ca_bundle().as_bytes()).to_string(),
    };
    Ok(Expectations {
        platforms: platforms.to_vec(),
        now: Some(now().max(release.commit_time)),
        project: Some(project),
    })
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}

fn summary(findings: &Findings) -> String {
    let verdict = if findings.ids().is_empty() {
        ": no rule is broken"
    } else {
        ""
    };
    format!("{}{verdict}", findings.counts())
}

fn list(markdown: bool) {
    if markdown {
        print!("{}", mutants::markdown());
        return;
    }
    for Rule {
        id,
        severity,
        title,
        ..
    } in rules::all()
    {
        println!("{id:<4}{:<8}{title}", severity.to_string());
    }
}

fn explain(id: &str) -> anyhow::Result<()> {
    let unknown = || anyhow::anyhow!("there is no rule `{id}`");
    let rule = rules::find(id)
        .ok_or_else(unknown)
        .help("cargo xtask image check --list")?;
    println!(
        "{} ({}): {}\nwithout it: {}",
        rule.id, rule.severity, rule.title, rule.symptom
    );
    if let Some(mutant) = mutants::find(rule.id) {
        let accepted = if mutant.accepted {
            "accepts"
        } else {
            "refuses"
        };
        println!(
            "for example: {}, which docker-registry 2.8 {accepted} and which breaks {}",
            mutant.change,
            mutant.trips.join(", ")
        );
    }
    Ok(())
}

/// Checks a rule's id, so that a mistake is wrong usage.
pub(super) fn known(id: &str) -> anyhow::Result<&'static str> {
    let rule = rules::find(id);
    rule.map(|rule| rule.id).ok_or_else(|| {
        anyhow::anyhow!("there is none; `cargo xtask image check --list` lists them")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;
    use crate::oci::image::{Contents, assemble};
    use crate::oci::layer::LayerCache;
    use crate::ustar::Entry;

    #[test]
    fn a_new_program_and_a_later_commit_are_no_surprise_but_a_new_file_is() {
        let plan = fixtures::linux_plan();
        let image = |version: &str, time: u64, packages: &[Entry]| {
            let contents = plan.targets.iter().map(|target| {
                let mut stamp = fixtures::stamp(target);
                stamp.version = version.to_owned();
                let binary = fixtures::elf(target.arch, &stamp);
                let packages = packages.to_vec();
                Contents { binary, packages }
            });
            let mut planned = plan.image.clone().unwrap();
            planned.commit_time = time;
            assemble(&planned, None, contents.collect(), &LayerCache::none()).unwrap()
        };
        let found = |after: &Layout| {
            let mut findings = Findings::default();
            let before = image("1.2.3", 1_767_225_600, &[]);
            only_program_and_notes(&before, after, "image", &mut findings).unwrap();
            findings.ids()
        };
        assert_eq!(found(&image("1.3.0", 1_767_300_000, &[])), [""; 0]);
        let strange = [
            Entry::folder("opt", 0o755),
            Entry::file("opt/x", 0o644, "x"),
        ];
        assert_eq!(found(&image("1.2.3", 1_767_225_600, &strange)), ["X3"]);
    }
}
