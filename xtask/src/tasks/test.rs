//! `cargo xtask test`: builds what the tests read, runs all tests, and counts them.

mod libtest;
mod page;

use std::collections::BTreeSet;
use std::ops::AddAssign;

use anyhow::{anyhow, ensure};
use camino::{Utf8Path, Utf8PathBuf};
use clap::Args;
use noetl_help::Help as _;
use xshell::{Cmd, cmd};

use crate::host::ctx::Ctx;
use crate::host::{files, output, run, tools};
use crate::release::target;
use crate::tasks;
use crate::tasks::dist::Extras;

/// Run every test
#[derive(Debug, Args)]
#[command(
    after_help = "Builds dist for the given targets first, since tests read the shipped files with common tools.\n\
    A test whose tool is missing is skipped and reported; with NOETL_REQUIRE_TOOLS=1 it fails.\n\
    With DOCKER_HOST and NOETL_TEST_REGISTRY set, the group `engine` runs as well.\n\nExamples:\n  cargo xtask test\n  \
    cargo xtask test --targets default    all six targets\n  cargo xtask test --quick              no dist, no tools\n  \
    cargo xtask test --ui                 only the web page in Chromium\n  \
    cargo xtask test --soak 10            kills, full disks and restarts at random, for ten minutes on each store\n  \
    cargo xtask test --fuzz 1000000       a million drawn requests, and as many damaged rows"
)]
pub(crate) struct TestArgs {
    /// Targets whose dist is tested: triples, or host, linux, default, all; separated by commas
    #[arg(long, value_delimiter = ',', default_value = "linux", value_parser = target::word)]
    targets: Vec<String>,
    /// Run only tests that need no dist: unit tests and those of the product
    #[arg(long)]
    quick: bool,
    /// Run only the tests of the web page in Chromium, against the real `noetl`
    #[arg(long, conflicts_with = "quick")]
    ui: bool,
    /// Run only executions under everything that goes wrong, for this time on SQLite and then on PostgreSQL
    #[arg(long, value_name = "MINUTES", conflicts_with_all = ["quick", "ui", "targets"])]
    soak: Option<f64>,
    /// Run only the fuzz tests of the server, with so many inputs each
    #[arg(long, value_name = "INPUTS", conflicts_with_all = ["quick", "ui", "targets", "soak"])]
    fuzz: Option<u64>,
    /// Repeat the soak or the fuzz tests of this seed; every soak prints its own
    #[arg(long)]
    seed: Option<u64>,
}

impl TestArgs {
    /// Returns what CI runs: the target of the host and a cross target, which the image needs.
    pub(super) fn for_ci() -> Self {
        Self {
            targets: vec!["linux".to_owned()],
            quick: false,
            ui: false,
            soak: None,
            fuzz: None,
            seed: None,
        }
    }
}

/// How many tests passed and failed.
#[derive(Debug, Default)]
struct Count {
    passed: u64,
    failed: u64,
    /// A line for each failed test that could be named: `NAME: first line of its message`.
    failures: Vec<String>,
}

impl AddAssign for Count {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.failures.extend(other.failures);
    }
}

pub(crate) fn run(ctx: &Ctx, args: &TestArgs) -> anyhow::Result<()> {
    let shell = &ctx.shell;
    if let Some(minutes) = args.soak {
        let test = cmd!(shell, "cargo test --package noetlctl --test it");
        let amount = ("NOETL_TEST_SOAK", minutes.to_string());
        return at_length(ctx, "soak", test, amount, args.seed);
    }
    if let Some(inputs) = args.fuzz {
        let test = cmd!(
            shell,
            "cargo test --profile fuzz --package noetl-server --lib"
        );
        let amount = ("NOETL_TEST_FUZZ", inputs.to_string());
        return at_length(ctx, "fuzz", test, amount, args.seed);
    }
    if args.seed.is_some() {
        return Err(anyhow!("--seed belongs to --soak or --fuzz"))
            .help("cargo xtask test --fuzz 10000 --seed 1");
    }
    let report = &ctx.state().join("test-report.txt");
    let dist = if args.quick || args.ui {
        None
    } else {
        Some(prepare(ctx, &args.targets)?)
    };
    files::write(report, "")?;
    let mut count = Count::default();
    if !args.ui {
        count += page::test_units(ctx)?;
    }
    if !args.quick {
        count += page::test_in_chromium(ctx, report)?;
    }
    if !args.ui {
        let test = || test_rust(ctx, dist.as_deref(), report);
        count += output::step(ctx, "test xtask and noetl", test)?;
    }
    print(&count, &files::read_to_string(report)?)
}

/// Prints the lines of the report, the failed tests and the counts, and fails when a test failed.
fn print(count: &Count, report: &str) -> anyhow::Result<()> {
    let lines: BTreeSet<_> = report.lines().collect();
    lines.iter().try_for_each(output::line)?;
    // A line is `skipped NAME: why` or `not run NAME: why`. libtest has counted these tests as passed.
    let skipped: BTreeSet<_> = lines.iter().map(|line| line.split(": ").next()).collect();
    for failure in &count.failures {
        output::line(format!("failed {failure}"))?;
    }
    let (failed, skipped) = (count.failed, skipped.len());
    let passed = count.passed.saturating_sub(skipped as u64);
    output::line(format!(
        "{passed} passed, {failed} failed, {skipped} skipped"
    ))?;
    ensure!(failed == 0, "{failed} tests failed");
    Ok(())
}

/// Builds the dist that tests read, in a folder other than dist/, and fetches the tools of tests.
fn prepare(ctx: &Ctx, targets: &[String]) -> anyhow::Result<Utf8PathBuf> {
    let out = ctx.state().join("test-dist");
    tasks::dist::ensure(ctx, targets, &Extras::default(), &out)?;
    for pinned in tools::for_tests() {
        if let Err(error) = tools::ensure(ctx, pinned) {
            ensure!(!ctx.require_tools, "{error:#}");
            output::note(ctx, &format!("{error:#}; its tests are skipped"));
        }
    }
    Ok(out)
}

fn test_rust(ctx: &Ctx, dist: Option<&Utf8Path>, report: &Utf8Path) -> anyhow::Result<Count> {
    let mut test = cmd!(ctx.shell, "cargo test --workspace --locked --no-fail-fast")
        // The test that makes the OpenAPI document anew.
        .args(["--features", "noetl-server/openapi"])
        .env("NOETL_TEST_REPORT", report)
        // A snapshot that differs fails the test and writes no file.
        .env("INSTA_UPDATE", "no");
    if let Some(dist) = dist {
        test = test.env("NOETL_TEST_DIST", dist);
    }
    let mut reader = libtest::Reader::default();
    let result = run::lines(ctx, test, |line| {
        output::finding(line);
        reader.take(line);
        Ok(())
    });
    if reader.count.failed == 0 {
        // Without a failed test, an error means that a program did not compile or did not end.
        result?;
    }
    Ok(reader.count)
}

/// Runs tests for as long as `amount` says, one after the other, and shows their figures.
fn at_length(
    ctx: &Ctx,
    title: &str,
    test: Cmd<'_>,
    amount: (&str, String),
    seed: Option<u64>,
) -> anyhow::Result<()> {
    let mut test = test
        .args(["--locked", title, "--", "--nocapture"])
        .arg("--test-threads=1")
        .env(amount.0, amount.1);
    if let Some(seed) = seed {
        test = test.env("NOETL_TEST_SEED", seed.to_string());
    }
    output::step(ctx, title, || run::run(ctx, test))
}
