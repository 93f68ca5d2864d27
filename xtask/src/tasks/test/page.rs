//! The tests of the web page: unit tests in Node, and tests in Chromium against the real `noetl`.

use anyhow::ensure;
use camino::Utf8Path;
use serde::Deserialize;

use super::Count;
use crate::host::command::CommandLine;
use crate::host::ctx::{self, Ctx};
use crate::host::{files, output, run};
use crate::release::{cargo, page};

/// What is read of Vitest's JSON report.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct VitestReport {
    num_passed_tests: u64,
    num_failed_tests: u64,
    test_results: Vec<VitestFile>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct VitestFile {
    assertion_results: Vec<VitestTest>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct VitestTest {
    full_name: String,
    #[serde(default)]
    failure_messages: Vec<String>,
}

impl VitestReport {
    /// Returns `NAME: first line of its message` for each failed test.
    fn failures(&self) -> Vec<String> {
        let tests = self
            .test_results
            .iter()
            .flat_map(|file| &file.assertion_results);
        tests
            .filter_map(|test| {
                let message = test.failure_messages.first()?;
                let line = message.lines().next().unwrap_or_default();
                Some(format!("{}: {line}", test.full_name))
            })
            .collect()
    }
}

/// Runs the unit tests.
pub(super) fn test_units(ctx: &Ctx) -> anyhow::Result<Count> {
    let lock = run::lock(ctx)?;
    let npm = page::Npm::ready(ctx)?;
    drop(lock);
    let test = || vitest(ctx, npm.run("test"), "vitest.json");
    output::step(ctx, "test the page", test)
}

/// Runs the tests in Chromium. Without Chromium they are skipped, or fail where tools are required.
pub(super) fn test_in_chromium(ctx: &Ctx, report: &Utf8Path) -> anyhow::Result<Count> {
    let Some(chromium) = ctx::find_program("chromium") else {
        let is_required = ctx.require_tools;
        ensure!(
            !is_required,
            "chromium is missing, and NOETL_REQUIRE_TOOLS=1"
        );
        let skipped = "skipped the page in Chromium: chromium is not installed\n";
        files::write(report, skipped)?;
        // A skipped test counts as passed, as with libtest.
        return Ok(Count {
            passed: 1,
            ..Count::default()
        });
    };
    let lock = run::lock(ctx)?;
    page::build(ctx)?;
    let npm = page::Npm::ready(ctx)?;
    drop(lock);
    let build = || cargo::build_for_tests(ctx);
    let noetl = output::step(ctx, "build noetl for the page's tests", build)?;
    let command = npm
        .run("e2e")
        .env("NOETL_BIN", noetl)
        .env("NOETL_CHROMIUM", chromium)
        .env("NOETL_SCREENSHOTS", ctx.target_dir.join("ui-screenshots"));
    output::step(ctx, "test the page in Chromium", || {
        vitest(ctx, command, "vitest-chromium.json")
    })
}

fn vitest(ctx: &Ctx, command: CommandLine, report: &str) -> anyhow::Result<Count> {
    let json = ctx.state().join(report);
    files::remove(&json)?;
    let command = command
        .args(["--", "--reporter=default", "--reporter=json"])
        .arg(format!("--outputFile.json={json}"));
    let result = run::run(ctx, &command);
    // A run that could not start has no report.
    let Ok(report) = files::read_to_string(&json) else {
        return result.map(|()| Count::default());
    };
    let report: VitestReport = serde_json::from_str(&report)?;
    Ok(Count {
        failures: report.failures(),
        passed: report.num_passed_tests,
        failed: report.num_failed_tests.max(u64::from(result.is_err())),
    })
}
