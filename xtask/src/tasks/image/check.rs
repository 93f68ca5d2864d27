//! `cargo xtask image check`: the rules over a layout, a tar or an image in a registry.

use clap::Args;
use noetl_help::Help as _;
use noetl_oci::diff::{self, Side};
use noetl_oci::rules::rule::{self, Accepted};
use noetl_oci::rules::{Findings, Rule};
use noetl_oci::{Image, ImageSource, KnownLayers, Platform};

use crate::host::ctx::Ctx;
use crate::host::{output, sign_ins};
use crate::image::rules::{self, ImageStandard, X3};
use crate::image::{contents, publish};
use crate::release::version::Release;
use crate::release::{rules as dist_rules, target, verify, workspace};
use crate::tasks::image::open::Opened;
use crate::tasks::image::rebuild::RebuildArgs;
use crate::tasks::image::{in_order, outputs};

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
    #[arg(long, value_delimiter = ',', default_value = "linux/amd64,linux/arm64", value_parser = target::parse_platform)]
    platforms: Vec<Platform>,
    /// Print only what this rule finds, repeatable
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
        return list(args.markdown);
    }
    if let Some(id) = &args.explain {
        return explain(id);
    }
    let own = outputs(ctx).0.into_string();
    let name = args.image.as_ref().unwrap_or(&own);
    let platforms = in_order(&args.platforms);
    let standard = if args.this_commit || args.image.is_none() {
        ImageStandard::of_project(&workspace::read(ctx)?, &Release::read(ctx)?, &platforms)
    } else {
        ImageStandard::without_project(&platforms)
    };
    let known = KnownLayers::default();
    let opened = Opened::new(ctx, name)?;
    let mut findings = match &opened {
        Opened::Layout(layout) => standard.rules().check(layout, &known)?,
        Opened::Registry(image) => {
            publish::check(&sign_ins::client(ctx), image, &standard, None, &known)?
        }
    };
    let image = opened.image()?;
    if let Ok(root) = image.root() {
        args.rebuild.check(ctx, name, &root.digest, &mut findings)?;
    }
    if let Some(against) = &args.against {
        let before = Opened::new(ctx, against)?;
        let (one, other) = (before.source(), opened.source());
        check_only_program_changed([one, other], name, &mut findings)?;
    }
    let findings = findings.only(&args.rules);
    if args.json {
        return verify::conclude_json(&findings, name);
    }
    let concluded = verify::conclude(&findings, name);
    output::line(format!("{name}: {}", summary(&findings)))?;
    concluded
}

/// X3: finds files besides the program that are not what they were. Times follow the commit and do not count.
fn check_only_program_changed(
    [before, after]: [&dyn ImageSource; 2],
    name: &str,
    findings: &mut Findings,
) -> anyhow::Result<()> {
    let (one, other) = (Image::read(before)?, Image::read(after)?);
    let side = |image, source| Side { image, source };
    let changes = diff::images(side(&one, before), side(&other, after), None)?;
    let program = contents::ENTRYPOINT.trim_start_matches('/');
    for change in &changes {
        let is_file = change.part.starts_with("layer ") && change.field != "mtime";
        if is_file && change.path != program {
            findings.add(&X3, name, change.to_string());
        }
    }
    Ok(())
}

fn summary(findings: &Findings) -> String {
    let verdict = if findings.ids().is_empty() {
        ": no rule is broken"
    } else {
        ""
    };
    format!("{}{verdict}", findings.counts())
}

/// Returns every rule, those on downloads included.
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
    let Rule {
        id,
        severity,
        title,
        symptom,
        ..
    } = rule;
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
    found.ok_or_else(|| anyhow::anyhow!("there is no rule `{id}`"))
}

/// Checks a rule's id, so that a mistake is wrong usage.
fn known(id: &str) -> anyhow::Result<&'static str> {
    let rule = find(id)
        .map_err(|_| anyhow::anyhow!("there is none; `cargo xtask image check --list` lists them"));
    Ok(rule?.id)
}

#[cfg(test)]
mod tests {
    use noetl_oci::tar::Entry;
    use noetl_oci::{Blob, LayerCache, Layout};

    use super::*;
    use crate::fixtures;
    use crate::image::assemble::{Foundation, assemble_programs};
    use crate::release::target::TARGETS;

    #[test]
    fn a_new_program_of_a_later_commit_is_expected_and_a_new_file_is_not() {
        let image = |version: &str, time: u64, packages: &[Entry]| {
            let programs = TARGETS[..2].iter().map(|target| {
                let mut stamp = fixtures::stamp(target);
                stamp.version = version.to_owned();
                Blob::from(fixtures::elf(target.arch, &stamp))
            });
            let mut plan = fixtures::image_plan();
            plan.commit_time = time;
            let foundation = Foundation {
                base: None,
                packages: vec![packages.to_vec(), packages.to_vec()],
            };
            let programs = programs.collect();
            assemble_programs(&plan, programs, foundation, &LayerCache::none()).unwrap()
        };
        let found = |after: &Layout| {
            let mut findings = Findings::default();
            let before = image("1.2.3", 1_767_225_600, &[]);
            check_only_program_changed([&before, after], "image", &mut findings).unwrap();
            findings.ids()
        };
        assert_eq!(found(&image("1.3.0", 1_767_300_000, &[])), [""; 0]);
        let strange = [
            Entry::folder("opt", 0o755),
            Entry::file("opt/x", 0o644, "x"),
        ];
        assert_eq!(found(&image("1.2.3", 1_767_225_600, &strange)), ["X3"]);
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
