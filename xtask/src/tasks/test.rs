//! `cargo xtask test`: the README's test command. Prepares what the tests look at, runs them all, counts.

mod page;

use camino::{Utf8Path, Utf8PathBuf};
use clap::Args;

use crate::host::command::CommandLine;
use crate::host::ctx::Ctx;
use crate::host::{files, output, run, tools};
use crate::release::target;
use crate::tasks;

/// Run every test
#[derive(Debug, Args)]
#[command(
    after_help = "Builds dist for the chosen targets first, since tests read what is shipped with tools that others \
    wrote.\nA missing tool is a skip, which the report names; with NOETL_REQUIRE_TOOLS=1 it is a failure.\n\
    With DOCKER_HOST and NOETL_TEST_REGISTRY set, the group `engine` runs as well.\n\nExamples:\n  cargo xtask test\n  \
    cargo xtask test --targets default    all six targets\n  cargo xtask test --quick              no dist, no tools\n  \
    cargo xtask test --ui                 the page in Chromium, and nothing else"
)]
pub(crate) struct TestArgs {
    /// Targets whose dist is tested: triples, or host, linux, default, all; separated by commas
    #[arg(long, value_delimiter = ',', default_value = "linux", value_parser = target::word)]
    targets: Vec<String>,
    /// Run only what needs no dist: unit tests and the product's own
    #[arg(long)]
    quick: bool,
    /// Run only the page's walk through Chromium, against the real `noetl`
    #[arg(long, conflicts_with = "quick")]
    ui: bool,
}

impl TestArgs {
    /// What CI runs: one target of the host and one cross target, which together make the image.
    pub(crate) fn for_ci() -> Self {
        Self {
            targets: vec!["linux".to_owned()],
            quick: false,
            ui: false,
        }
    }
}

/// What a run came to.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Count {
    passed: u64,
    failed: u64,
}

pub(crate) fn run(ctx: &Ctx, args: &TestArgs) -> anyhow::Result<()> {
    let report = ctx.state().join("test-report.txt");
    if args.ui {
        files::write(&report, "")?;
        let count = page::in_chromium(ctx, &report)?;
        return conclude(count, &report);
    }
    let dist = if args.quick {
        None
    } else {
        Some(prepare(ctx, &args.targets)?)
    };
    files::write(&report, "")?;
    let mut count = page::units(ctx)?;
    if !args.quick {
        count.add(page::in_chromium(ctx, &report)?);
    }
    count.add(output::step(ctx, "test xtask and noetl", || {
        test_rust(ctx, dist.as_deref(), &report)
    })?);
    conclude(count, &report)
}

/// Prints what was left out and the numbers; a failed test is an error.
fn conclude(count: Count, report: &Utf8Path) -> anyhow::Result<()> {
    let mut left_out: Vec<_> = files::read_to_string(report)?
        .lines()
        .map(ToOwned::to_owned)
        .collect();
    left_out.sort();
    left_out.dedup();
    left_out.iter().try_for_each(output::line)?;
    // libtest knows no skip and counts such a test as passed; a line is `skipped NAME: why` or `not run NAME: why`.
    let mut skipped: Vec<_> = left_out
        .iter()
        .filter_map(|line| line.split(": ").next())
        .collect();
    skipped.dedup();
    let passed = count.passed.saturating_sub(skipped.len() as u64);
    output::line(format!(
        "{passed} passed, {} failed, {} skipped",
        count.failed,
        skipped.len()
    ))?;
    anyhow::ensure!(count.failed == 0, "{} tests failed", count.failed);
    Ok(())
}

/// Builds the dist that tests read, beside the one that a person may be working with.
fn prepare(ctx: &Ctx, targets: &[String]) -> anyhow::Result<Utf8PathBuf> {
    let out = ctx.state().join("test-dist");
    tasks::dist::ensure(ctx, targets, &out)?;
    for pinned in tools::for_tests() {
        if let Err(error) = tools::ensure(ctx, pinned) {
            anyhow::ensure!(!ctx.require_tools, "{error:#}");
            output::note(ctx, &format!("{error:#}; its tests are left out"));
        }
    }
    Ok(out)
}

fn test_rust(ctx: &Ctx, dist: Option<&Utf8Path>, report: &Utf8Path) -> anyhow::Result<Count> {
    let mut command = CommandLine::new("cargo")
        .args(["test", "--workspace", "--locked", "--no-fail-fast"])
        .env("NOETL_TEST_REPORT", report.as_str())
        // A snapshot that differs is a failure, not a file to review.
        .env("INSTA_UPDATE", "no");
    if let Some(dist) = dist {
        command = command.env("NOETL_TEST_DIST", dist.as_str());
    }
    let mut count = Count::default();
    let result = run::lines(ctx, &command, |line| {
        output::finding(line);
        count.add(count_line(line).unwrap_or_default());
        Ok(())
    });
    if result.is_err() && count.failed == 0 {
        // It did not compile, or a test program died before it could count.
        result?;
    }
    Ok(count)
}

/// Reads libtest's closing line: `test result: ok. 3 passed; 0 failed; …`.
fn count_line(line: &str) -> Option<Count> {
    let (_, numbers) = line.strip_prefix("test result: ")?.split_once(". ")?;
    let number = |what: &str| {
        let part = numbers
            .split("; ")
            .find_map(|part| part.strip_suffix(what))?;
        part.trim().parse().ok()
    };
    Some(Count {
        passed: number(" passed")?,
        failed: number(" failed")?,
    })
}

impl Count {
    fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
    }
}

#[cfg(test)]
mod tests {
    use super::{Count, count_line};

    #[test]
    fn libtest_is_counted() {
        let line = "test result: FAILED. 3 passed; 1 failed; 0 ignored; 0 measured; 2 filtered out; finished in 0.1s";
        assert_eq!(
            count_line(line),
            Some(Count {
                passed: 3,
                failed: 1
            })
        );
        assert_eq!(count_line("test server::x ... ok"), None);
    }
}
