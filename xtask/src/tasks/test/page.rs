//! The page's tests: units in Node, and a walk through Chromium against the real `noetl`.

use camino::Utf8Path;
use serde::Deserialize;

use super::Count;
use crate::host::command::CommandLine;
use crate::host::ctx::{self, Ctx};
use crate::host::{files, output, run};
use crate::release::{cargo, page};

/// Vitest's own report, of which the numbers are enough.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct VitestReport {
    num_passed_tests: u64,
    num_failed_tests: u64,
}

/// Runs the unit tests.
pub(super) fn units(ctx: &Ctx) -> anyhow::Result<Count> {
    let lock = run::lock(ctx)?;
    let npm = page::Npm::ready(ctx)?;
    drop(lock);
    output::step(ctx, "test the page", || {
        vitest(ctx, npm.run("test"), "vitest.json")
    })
}

/// Walks through the page in Chromium. Without one it is a skip, or a failure where tools are required.
pub(super) fn in_chromium(ctx: &Ctx, report: &Utf8Path) -> anyhow::Result<Count> {
    let Some(chromium) = ctx::find_program("chromium") else {
        anyhow::ensure!(
            !ctx.require_tools,
            "chromium is missing, and NOETL_REQUIRE_TOOLS=1"
        );
        files::write(
            report,
            "skipped the page in Chromium: chromium is not installed\n",
        )?;
        return Ok(Count {
            passed: 1,
            failed: 0,
        });
    };
    let lock = run::lock(ctx)?;
    page::build(ctx)?;
    let npm = page::Npm::ready(ctx)?;
    drop(lock);
    let binary = output::step(ctx, "build noetl for the page's tests", || {
        cargo::build_for_tests(ctx)
    })?;
    let screenshots = ctx.target_dir.join("ui-screenshots");
    let command = npm
        .run("e2e")
        .env("NOETL_BIN", binary.as_str())
        .env("NOETL_CHROMIUM", chromium.as_str())
        .env("NOETL_SCREENSHOTS", screenshots.as_str());
    output::step(ctx, "test the page in Chromium", || {
        vitest(ctx, command, "vitest-chromium.json")
    })
}

fn vitest(ctx: &Ctx, command: CommandLine, report: &str) -> anyhow::Result<Count> {
    let json = ctx.state().join(report);
    files::remove(&json)?;
    let reporters = ["--", "--reporter=default", "--reporter=json"];
    let command = command
        .args(reporters)
        .arg(format!("--outputFile.json={json}"));
    let result = run::run(ctx, &command);
    // A run that could not even start has no report, and then its own error counts.
    let Ok(report) = files::read_to_string(&json) else {
        return result.map(|()| Count::default());
    };
    let report: VitestReport = serde_json::from_str(&report)?;
    Ok(Count {
        passed: report.num_passed_tests,
        failed: report.num_failed_tests.max(u64::from(result.is_err())),
    })
}
