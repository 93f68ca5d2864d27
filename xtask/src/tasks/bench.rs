//! `cargo xtask bench`: this project's speed, memory and bytes, beside what people would use instead, in one run.
//!
//! A bench is measured in rounds; in each, our program and its peers do the same work one after another. A figure is the
//! median of the rounds with its spread, and the ratio to each peer.

mod builds;
mod chart;
mod figure;
mod images;
mod meter;
mod product;
mod record;
mod report;
mod scale;
mod store;

use anyhow::{Context as _, anyhow};
use camino::Utf8PathBuf;
use clap::{Args, ValueEnum};
use noetl_help::Help as _;
use serde::Serialize;

use self::figure::{Figure, Reading};
use self::record::{Change, Record};
use crate::host::ctx::{self, Ctx};
use crate::host::{files, output, run};
use crate::release::dist_manifest::{Content, DistManifest, FILE_NAME};
use crate::release::version::Release;

/// Measure speed, memory and bytes beside those of other tools
#[derive(Debug, Args)]
#[command(
    after_help = "Times of different machines cannot be compared, so the same run measures other tools as well, in turns. One \
    that is not\ninstalled is named and left out. `image` and `push` need a registry: NOETL_TEST_REGISTRY=127.0.0.1:5000.\n\n\
    Examples:\n  cargo xtask bench                        everything, in about forty minutes\n  \
    cargo xtask bench --quick                what takes minutes, not the builds\n  \
    cargo xtask bench push check --json      two of them, for a program\n  \
    cargo xtask bench --compare              what has changed since docker/bench.json\n  \
    cargo xtask bench --save                 write docker/bench.json and the table in the guide"
)]
pub(crate) struct BenchArgs {
    /// What to measure [default: everything]
    #[arg(value_enum, value_name = "NAME")]
    names: Vec<Name>,
    /// Fewer rounds, and no builds from scratch unless they are named
    #[arg(long)]
    quick: bool,
    /// The rounds of each bench [default: its own number]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    rounds: Option<u16>,
    /// Print JSON: each figure with median, minimum, maximum, peers and ratios
    #[arg(long)]
    json: bool,
    /// Write a page with a chart of each figure
    #[arg(long, value_name = "FILE")]
    html: Option<Utf8PathBuf>,
    /// Print what has moved since docker/bench.json, and fail when something is worse than the budget
    #[arg(long)]
    compare: bool,
    /// How much worse a figure may be with --compare, as a part: 0.2 is a fifth
    #[arg(long, value_name = "PART", default_value_t = 0.2)]
    budget: f64,
    /// Write the figures to docker/bench.json and to the guide's table
    #[arg(long, conflicts_with = "compare")]
    save: bool,
    /// The dist whose image and binaries are measured [default: dist/, which is made if it is not there]
    #[arg(long, value_name = "DIR")]
    dist: Option<Utf8PathBuf>,
    /// For `noetl`: steps of the playbook whose steps are counted
    #[arg(long, default_value_t = 1_000)]
    steps: usize,
    /// For `noetl`: executions of a small playbook [default: 10000, or 1000 with --quick]
    #[arg(long)]
    executions: Option<usize>,
    /// For `noetl`: measure this one [default: on Linux that of the dist, else one compiled for this machine]
    #[arg(long, value_name = "PATH")]
    binary: Option<Utf8PathBuf>,
    /// For `build`: sources of upstream's command line, which is compiled as well
    #[arg(long, value_name = "DIR")]
    upstream: Option<Utf8PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Name {
    /// Compiling: xtask, setup, one target and one more from scratch, setup after a change; the slowest crates
    Build,
    /// The image of two platforms from ready binaries, pushed; beside buildx and crane
    Image,
    /// The same push again; beside skopeo
    Push,
    /// Checking the image
    Check,
    /// A dist when nothing has changed
    Dist,
    /// xtask itself: without work, and after a change; beside cargo
    Xtask,
    /// The bytes of binaries, image and page
    Size,
    /// The engine and the server; beside a shell and SQLite
    Noetl,
    /// Requests to a server with 10,000 playbooks and a million executions, in SQLite and PostgreSQL
    Store,
    /// Images on large bases, and the audit of many tags; needs 12 GB of disk, or 1 GB with --quick
    Scale,
}

/// Does the work of one round, which has this number, and returns what it took.
type Round<'b> = Box<dyn FnMut(usize) -> anyhow::Result<Vec<Reading>> + 'b>;

impl Name {
    /// The rounds: as many as it takes to see the spread, and few of what takes minutes.
    fn rounds(self, quick: bool) -> usize {
        match (self, quick) {
            (Self::Build | Self::Size | Self::Scale, _) => 1,
            (Self::Noetl, true) => 1,
            (_, true) | (Self::Noetl | Self::Store, _) => 3,
            (Self::Image | Self::Xtask | Self::Dist, _) => 5,
            (Self::Push | Self::Check, _) => 9,
        }
    }

    fn prepare<'b>(self, bench: &'b Bench<'_>) -> anyhow::Result<Round<'b>> {
        match self {
            Self::Build => builds::build(bench),
            Self::Image => images::image(bench),
            Self::Push => images::push(bench),
            Self::Check => images::check(bench),
            Self::Dist => builds::dist(bench),
            Self::Xtask => builds::xtask(bench),
            Self::Size => builds::size(bench),
            Self::Noetl => product::noetl(bench),
            Self::Store => store::store(bench),
            Self::Scale => scale::scale(bench),
        }
    }

    fn word(self) -> String {
        let value = self.to_possible_value();
        value.map_or_else(String::new, |value| value.get_name().to_owned())
    }
}

/// What all benches use.
struct Bench<'c> {
    ctx: &'c Ctx,
    release: &'c Release,
    /// The program that runs now.
    xtask: Utf8PathBuf,
    /// A folder for what is made; it is removed in the end.
    folder: Utf8PathBuf,
    dist: Utf8PathBuf,
    binary: &'c Option<Utf8PathBuf>,
    upstream: &'c Option<Utf8PathBuf>,
    amount: product::Amount,
    is_quick: bool,
}

/// A dist with what it lists.
struct Dist {
    folder: Utf8PathBuf,
    manifest: DistManifest,
}

impl Bench<'_> {
    /// Returns the dist, which is made for both Linux targets if there is none.
    fn dist(&self) -> anyhow::Result<Dist> {
        let list = self.dist.join(FILE_NAME);
        if !list.is_file() {
            let make = ["dist", "--targets", "linux", "--out", self.dist.as_str()];
            run::run(self.ctx, &self.xtask(make))?;
        }
        let text = files::read_to_string(&list)?;
        let manifest = serde_json::from_str(&text);
        Ok(Dist {
            folder: self.dist.clone(),
            manifest: manifest.with_context(|| format!("cannot read {list}"))?,
        })
    }

    /// Returns the registry that images are pushed to.
    fn registry(&self) -> anyhow::Result<String> {
        ctx::test_registry().context("no registry to push to").help(
            "set NOETL_TEST_REGISTRY=127.0.0.1:5000, where a registry listens, or name the benches that need none",
        )
    }
}

impl Dist {
    /// Returns the archive of a target, and the path of the binary inside.
    fn binary_of(&self, triple: &str) -> anyhow::Result<(Utf8PathBuf, &str)> {
        let mut artifacts = self.manifest.artifacts.iter();
        let found = artifacts.find_map(|artifact| match &artifact.content {
            Content::Archive(archive) if archive.target == triple => {
                Some((self.folder.join(&artifact.name), archive.binary.as_str()))
            }
            _ => None,
        });
        found
            .with_context(|| format!("{} has no archive of {triple}", self.folder))
            .help("cargo xtask dist --targets linux")
    }
}

pub(crate) fn run(ctx: &Ctx, args: &BenchArgs) -> anyhow::Result<()> {
    let release = &Release::read(ctx)?;
    let folder = ctx.state().join(format!("bench-{}", std::process::id()));
    let bench = Bench {
        ctx,
        release,
        xtask: ctx::this_program()?,
        dist: args.dist.clone().unwrap_or_else(|| ctx.root.join("dist")),
        binary: &canonical(args.binary.as_ref())?,
        upstream: &canonical(args.upstream.as_ref())?,
        amount: product::Amount {
            steps: args.steps,
            executions: args
                .executions
                .unwrap_or(if args.quick { 1_000 } else { 10_000 }),
        },
        is_quick: args.quick,
        folder,
    };
    files::create_folder(&bench.folder)?;
    let measured = measure(&bench, args);
    files::remove(&bench.folder)?;
    let figures = measured?;
    if let Some(path) = &args.html {
        files::write(path, chart::page(release, &figures))?;
    }
    let record = record::read(ctx)?;
    let changes = record.as_ref().filter(|_| args.compare);
    let changes = changes.map(|record| record::changes(record, &figures, &record::Machine::this()));
    if args.json {
        let (figures, changes) = (&figures, &changes);
        output::json(&Answer { figures, changes })?;
    } else {
        output::print(&report::text(&figures))?;
        output::print(&changes.as_deref().map_or_else(String::new, report::changes))?;
    }
    if args.save {
        let mut now = Record::new(release, figures);
        if let Some(before) = record {
            now.keep(before);
        }
        return record::write(ctx, &now);
    }
    match (args.compare, changes) {
        (true, None) => Err(anyhow!("there is no docker/bench.json to compare with"))
            .help("cargo xtask bench --save"),
        (_, changes) => within(&changes.unwrap_or_default(), args.budget),
    }
}

/// What `--json` prints.
#[derive(Serialize)]
struct Answer<'a> {
    figures: &'a [Figure],
    #[serde(skip_serializing_if = "Option::is_none")]
    changes: &'a Option<Vec<Change>>,
}

fn measure(bench: &Bench<'_>, args: &BenchArgs) -> anyhow::Result<Vec<Figure>> {
    let names = match args.names.as_slice() {
        [] => Name::value_variants()
            .iter()
            .copied()
            .filter(|name| !(args.quick && *name == Name::Build))
            .collect(),
        names => names.to_vec(),
    };
    let mut figures = Vec::new();
    for name in names {
        let word = name.word();
        let rounds = args.rounds.map_or(name.rounds(args.quick), usize::from);
        let title = format!("bench {word}, {rounds} rounds");
        let measured = output::step(bench.ctx, &title, || {
            let mut round = name.prepare(bench)?;
            (0..rounds)
                .map(&mut round)
                .collect::<anyhow::Result<Vec<_>>>()
        });
        let measured = measured.with_context(|| format!("cannot measure `{word}`"))?;
        figures.extend(Figure::of_rounds(&word, &measured));
    }
    Ok(figures)
}

/// # Errors
/// When a figure is worse than the budget allows, beyond what chance explains.
fn within(changes: &[Change], budget: f64) -> anyhow::Result<()> {
    let worse = changes.iter().filter(|change| change.exceeds(budget));
    let worse: Vec<_> = worse
        .map(|change| format!("{}: {}", change.bench, change.work))
        .collect();
    if worse.is_empty() {
        return Ok(());
    }
    let (percent, worse) = (budget * 100.0, worse.join("; "));
    Err(anyhow!("worse than the budget of {percent:.0} %: {worse}"))
        .help("measure that bench alone again; --budget PART allows more, --save records what is meant to be so")
}

fn canonical(path: Option<&Utf8PathBuf>) -> anyhow::Result<Option<Utf8PathBuf>> {
    let find = |path: &Utf8PathBuf| {
        let found = path.canonicalize_utf8();
        found.with_context(|| format!("cannot find {path}"))
    };
    path.map(find).transpose()
}
