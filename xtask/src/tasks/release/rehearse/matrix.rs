//! The matrix of faults: at every step every fault happens once, and a second run ends with the same published state as a
//! release without faults.

use anyhow::{Context as _, bail, ensure};
use serde::Serialize;

use super::Stage;
use crate::host::ctx::Ctx;
use crate::host::{files, output};
use crate::publish::standins::{Armed, Fault, World};

/// How many runs a release may take after a fault.
const RUNS: usize = 3;

/// Where the requests of a step go: a part of what the stand-ins call each request.
const STEPS: [(&str, &str, &str); 14] = [
    ("tag", "git GET /noetl.git/info/refs", "refs/tags/"),
    (
        "draft",
        "github GET /repos/noetl/noetl/releases",
        "github POST /repos/noetl/noetl/releases",
    ),
    (
        "files",
        "/assets",
        "github POST /repos/noetl/noetl/releases/",
    ),
    (
        "image",
        "registry ",
        "registry PUT /v2/noetl/noetl/manifests/",
    ),
    ("crates", "crates GET", "crates PUT"),
    ("npm", "npm GET", "npm PUT"),
    ("pypi", "pypi GET", "pypi POST"),
    (
        "publish",
        "github GET /repos/noetl/noetl/releases/assets/",
        "github PATCH /repos/noetl/noetl/releases/",
    ),
    (
        "homebrew",
        "/noetl/homebrew-tap/git/ref",
        "/noetl/homebrew-tap/git/",
    ),
    (
        "scoop",
        "/noetl/scoop-bucket/git/ref",
        "/noetl/scoop-bucket/git/",
    ),
    (
        "apt",
        "/noetl/apt/git/ref",
        "github PATCH /repos/noetl/apt/git/refs",
    ),
    ("dnf", "/noetl/dnf/git/ref", "/noetl/dnf/git/trees"),
    ("winget", "/winget-pkgs/git/ref", "/winget-pkgs/pulls"),
    (
        "latest",
        "github GET /repos/noetl/noetl/releases/latest",
        "registry PUT /v2/noetl/noetl/manifests/latest",
    ),
];

/// One cell of the matrix.
#[derive(Debug, Serialize)]
struct Cell {
    step: &'static str,
    fault: Fault,
    /// How many runs it took.
    runs: usize,
}

/// Runs the matrix, or the rows of some steps, and prints it.
///
/// # Errors
/// When a cell ends in another state, or something was published twice.
pub(super) fn run(ctx: &Ctx, stage: &Stage, only: &[String], as_json: bool) -> anyhow::Result<()> {
    let known: Vec<_> = STEPS.iter().map(|(step, ..)| *step).collect();
    if let Some(unknown) = only.iter().find(|step| !known.contains(&step.as_str())) {
        bail!("there is no step {unknown}; known are {}", known.join(", "));
    }
    let reference = output::step(ctx, "a release without faults", || {
        let world = fresh(stage)?;
        stage.succeed(&stage.folder.join("remotes.json"), &["--execute"])?;
        world.published()
    })?;
    let mut cells = Vec::new();
    let rows = STEPS
        .iter()
        .filter(|(step, ..)| only.is_empty() || only.iter().any(|it| it == step));
    for (step, reading, changing) in rows {
        output::step(ctx, &format!("faults at {step}"), || {
            for fault in Fault::all() {
                let at = if *fault == Fault::KilledBefore {
                    reading
                } else {
                    changing
                };
                let runs = cell(stage, at, *fault, &reference)
                    .with_context(|| format!("{step} with {}", fault.name()))?;
                cells.push(Cell {
                    step,
                    fault: *fault,
                    runs,
                });
            }
            Ok(())
        })?;
    }
    if as_json {
        return output::json(&cells);
    }
    for fault in Fault::all() {
        let of_fault = cells.iter().filter(|cell| cell.fault == *fault);
        let runs: Vec<_> = of_fault
            .map(|cell| format!("{} {}", cell.step, cell.runs))
            .collect();
        output::line(format!("{:<18} {}", fault.name(), runs.join(", ")))?;
    }
    output::line(format!(
        "{} cells: each ends as a release without faults, in at most {} runs, and nothing is published twice",
        cells.len(),
        cells.iter().map(|cell| cell.runs).max().unwrap_or_default()
    ))
}

/// Starts new services, and forgets the journal of the release before.
pub(super) fn fresh(stage: &Stage) -> anyhow::Result<World> {
    let state = stage.checkout().join("target/xtask/release");
    for name in files::list(&state).unwrap_or_default() {
        if name.starts_with('v') {
            files::remove(&state.join(name))?;
        }
    }
    let tags = noetl_checkout::read(stage.checkout().as_std_path(), &["tag", "--list"])?;
    for tag in tags.lines() {
        noetl_checkout::read(stage.checkout().as_std_path(), &["tag", "--delete", tag])?;
    }
    let world = stage.world()?;
    files::write(
        &stage.folder.join("remotes.json"),
        serde_json::to_vec(&world.endpoints)?,
    )?;
    Ok(world)
}

/// Runs one cell. Returns how many runs it took.
fn cell(
    stage: &Stage,
    at: &str,
    fault: Fault,
    reference: &crate::publish::standins::Published,
) -> anyhow::Result<usize> {
    let world = fresh(stage)?;
    let remotes = stage.folder.join("remotes.json");
    let mut failed = String::new();
    for run in 1..=RUNS {
        let word = if run == 1 { "--execute" } else { "--resume" };
        let child = stage
            .command(&remotes, &[word])
            .spawn()
            .context("cannot start this program")?;
        if run == 1 {
            world.arm(Some(Armed {
                at: at.to_owned(),
                fault,
                client: Some(child.id()),
            }));
        }
        // Both pipes are read, so that the child never waits for this.
        let output = child.wait_with_output()?;
        if !output.status.success() {
            failed = String::from_utf8_lossy(&output.stderr).into_owned();
            continue;
        }
        ensure!(
            world.has_struck(),
            "the fault did not happen: no request has `{at}`"
        );
        let published = world.published()?;
        ensure!(
            published == *reference,
            "what is published is not what a release without faults publishes"
        );
        let refusals = world.refusals();
        ensure!(
            refusals.is_empty(),
            "something was published twice: {}",
            refusals.join(", ")
        );
        return Ok(run);
    }
    bail!("it is not released after {RUNS} runs:\n{failed}")
}
