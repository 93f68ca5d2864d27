//! `cargo xtask image check`: checks a layout, a tar or an image in a registry by every rule.

use anyhow::Context as _;
use clap::Args;
use noetl_help::Help as _;
use noetl_oci::diff::{self, Side};
use noetl_oci::rules::rule::{self, Accepted};
use noetl_oci::rules::{Findings, Rule};
use noetl_oci::{KnownLayers, Platform};

use crate::host::ctx::Ctx;
use crate::host::{output, sign_ins};
use crate::image::rules::{self, ImageStandard, X3};
use crate::image::{contents, publish};
use crate::release::version::Release;
use crate::release::{rules as dist_rules, target, verify};
use crate::tasks::image::in_order;
use crate::tasks::image::open::{Opened, Place};
use crate::tasks::image::rebuild::RebuildArgs;

#[derive(Debug, Args)]
#[command(
    after_help = "Without a name, and with --this-commit, the image is compared with this checkout too: version,\n\
    revision, licence, source, port, times and root certificates. Errors decide the exit code; warnings and\n\
    infos do not.\n\nExamples:\n  \
    cargo xtask image check                                   what `image` made\n  \
    cargo xtask image check dist/noetl-v0.1.0-image.tar --this-commit\n  \
    cargo xtask image check 127.0.0.1:5000/noetl:0.1.0 --rule P1 --rule F5\n  \
    cargo xtask image check --against ghcr.io/noetl/noetl:0.1.0     what has changed besides the program\n  \
    cargo xtask image check --rebuild                         whether this commit gives the same digest again\n  \
    cargo xtask image check --explain P6"
)]
pub(super) struct CheckArgs {
    /// Folder, tar or full image name [default: what `image` made]
    image: Option<String>,
    /// Platforms that the image must be for, separated by commas
    #[arg(long, value_delimiter = ',', default_value = "linux/amd64,linux/arm64", value_parser = target::parse_platform)]
    platforms: Vec<Platform>,
    /// Print only the findings of this rule, repeatable
    #[arg(long = "rule", value_name = "ID", value_parser = parse_id)]
    rules: Vec<&'static str>,
    /// Compare with this checkout too, as the image of its commit
    #[arg(long)]
    this_commit: bool,
    /// Print JSON: every finding with rule, severity, object and message
    #[arg(long)]
    json: bool,
    /// Print every rule, and stop
    #[arg(long, conflicts_with = "explain")]
    list: bool,
    /// With --list: print the table of docker/multi-arch-builds.md
    #[arg(long, requires = "list")]
    markdown: bool,
    /// Print what a rule is for, and stop
    #[arg(long, value_name = "ID")]
    explain: Option<String>,
    /// Compare with this image, such as the last release's: only the program and its description may differ (X3)
    #[arg(long, value_name = "IMAGE")]
    against: Option<String>,
    #[command(flatten)]
    rebuild: RebuildArgs,
}

pub(super) fn run(ctx: &Ctx, args: &CheckArgs) -> anyhow::Result<()> {
    if args.list {
        return list(args.markdown);
    }
    if let Some(id) = &args.explain {
        return explain(id);
    }
    let platforms = in_order(&args.platforms);
    let standard = if args.this_commit || args.image.is_none() {
        ImageStandard::of_release(&Release::read(ctx)?, &platforms)
    } else {
        ImageStandard::any_release(&platforms)
    };
    let known = KnownLayers::default();
    let opened = Opened::new(ctx, args.image.as_deref())?;
    let name = &opened.name;
    let mut findings = match &opened.place {
        Place::Layout(layout) => standard.rules().check(layout, &known)?,
        Place::Registry(image) => {
            publish::check(&sign_ins::client(ctx), image, &standard, None, &known)?
        }
    };
    if let Ok(root) = opened.image.root() {
        args.rebuild.check(ctx, name, &root.digest, &mut findings)?;
    }
    if args.against.is_some() {
        let before = Opened::new(ctx, args.against.as_deref())?;
        check_only_program_changed([before.side(), opened.side()], name, &mut findings)?;
    }
    let findings = findings.only(&args.rules);
    if args.json {
        return verify::conclude_json(&findings, name);
    }
    let concluded = verify::conclude(&findings, name);
    let is_clean = findings.ids().is_empty();
    let verdict = if is_clean { ": no rule is broken" } else { "" };
    output::line(format!("{name}: {}{verdict}", findings.counts()))?;
    concluded
}

/// X3: finds files besides the program that have changed. Modification times follow the commit and are ignored.
fn check_only_program_changed(
    [before, after]: [Side<'_>; 2],
    name: &str,
    findings: &mut Findings,
) -> anyhow::Result<()> {
    let changes = diff::images(before, after, None)?;
    let program = contents::ENTRYPOINT.trim_start_matches('/');
    for change in &changes {
        let is_file = change.part.starts_with("layer ") && change.field != "mtime";
        if is_file && change.path != program {
            findings.add(&X3, name, change.to_string());
        }
    }
    Ok(())
}

/// Returns every rule on images and on downloads.
fn all_rules() -> Vec<&'static Rule> {
    let on_images = rules::all().into_iter();
    rule::sorted(on_images.chain(dist_rules::RULES.iter().copied()))
}

fn list(markdown: bool) -> anyhow::Result<()> {
    if markdown {
        return output::print(&rule::markdown(&rules::all()));
    }
    for rule in all_rules() {
        let severity = rule.severity.to_string();
        output::line(format!("{:<4}{severity:<8}{}", rule.id, rule.title))?;
    }
    Ok(())
}

fn explain(id: &str) -> anyhow::Result<()> {
    let rule = find(id).help("cargo xtask image check --list")?;
    let (severity, title, symptom) = (rule.severity, rule.title, rule.symptom);
    output::line(format!("{id} ({severity}): {title}\nwithout it: {symptom}"))?;
    let Some(example) = rule.example else {
        return Ok(());
    };
    let accepts = match example.accepted {
        Accepted::Yes => "accepts",
        Accepted::No => "refuses",
    };
    let (change, trips) = (example.change, example.trips.join(", "));
    output::line(format!(
        "for example: {change}, which docker-registry 2.8 {accepts} and which breaks {trips}"
    ))
}

fn find(id: &str) -> anyhow::Result<&'static Rule> {
    let mut rules = all_rules().into_iter();
    let found = rules.find(|rule| rule.id == id);
    found.with_context(|| format!("there is no rule `{id}`"))
}

/// Parses a rule's id, so that an unknown one is wrong usage.
fn parse_id(id: &str) -> anyhow::Result<&'static str> {
    let rule = find(id).ok().map(|rule| rule.id);
    rule.context("there is none; `cargo xtask image check --list` lists them")
}

#[cfg(test)]
mod tests {
    use noetl_oci::tar::{Entry, write};
    use noetl_oci::{Image, LayerCache, Layout};
    use noetl_oci_mutants::{AMD64, ARM64, Parts};

    use super::*;
    use crate::fixtures;
    use crate::image::assemble::{Foundation, assemble_programs};

    #[test]
    fn a_changed_program_is_expected_and_an_added_file_is_not() {
        let found = |after: &Layout| {
            let (before, mut findings) = (fixtures::image(), Findings::default());
            let images = [&before, after].map(|layout| Image::read(layout).unwrap());
            let sides = [(&images[0], &before), (&images[1], after)];
            let sides = sides.map(|(image, source)| Side { image, source });
            check_only_program_changed(sides, "image", &mut findings).unwrap();
            findings.ids()
        };
        let mut plan = fixtures::image_plan();
        plan.commit_time += 60;
        let programs = fixtures::programs(|stamp| stamp.version = "1.3.0".to_owned());
        let (base, cache) = (Foundation::default(), LayerCache::none());
        let later = assemble_programs(&plan, programs, base, &cache).unwrap();
        assert_eq!(found(&later), [""; 0]);
        let mut parts = Parts::of(&fixtures::image()).unwrap();
        for image in [AMD64, ARM64] {
            let layer = write::to_bytes(&[Entry::file("opt", 0o644, "x")], 0).unwrap();
            parts.add_layer(image, layer).unwrap();
        }
        assert_eq!(found(&parts.seal().unwrap()), ["X3"]);
    }

    #[test]
    fn the_guide_has_the_table_of_rules() {
        let guide = include_str!("../../../../docker/multi-arch-builds.md");
        let (_, rest) = guide.split_once("<!-- rules -->\n").unwrap();
        let (table, _) = rest.split_once("<!-- /rules -->").unwrap();
        assert!(
            table.trim() == rule::markdown(&rules::all()).trim(),
            "docker/multi-arch-builds.md differs between <!-- rules --> and <!-- /rules -->\n\
             help: put there what `cargo xtask image check --list --markdown` prints"
        );
    }
}
