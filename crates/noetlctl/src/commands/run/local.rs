//! Runs a playbook in this process: validates it, runs it, prints the result.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};
use noetl_api::ExecutionStatus;
use noetl_engine::execution::Machine;
use noetl_engine::local::{Job, Report};
use noetl_engine::{Failure, Playbook, Problem, Problems, Severity};
use noetl_help::Help as _;
use serde::Serialize;
use serde_json::{Map, Value};

use super::host::LocalHost;
use super::progress::{Progress, one_line};
use crate::cli::client::RootArgs;
use crate::cli::run::RunArgs;
use crate::commands::validate;
use crate::config;
use crate::output::{self, problems};
use crate::payload;
use crate::process::signals;

/// What a run prints with `--json`.
#[derive(Serialize)]
struct LocalResult<'a> {
    execution_id: &'a str,
    status: ExecutionStatus,
    result: &'a Value,
    error: Option<&'a Failure>,
    /// The results of the steps, by name.
    steps: &'a Map<String, Value>,
    variables: &'a Map<String, Value>,
    duration_seconds: f64,
}

/// What a playbook that cannot run prints with `--json`.
#[derive(Serialize)]
struct Rejected<'a> {
    /// Always `INVALID`.
    status: &'static str,
    /// Always false.
    valid: bool,
    problems: &'a [Problem],
}

/// What a dry run prints with `--json`.
#[derive(Serialize)]
struct DryRun<'a> {
    /// Whether the playbook would run to its end.
    valid: bool,
    problems: &'a [Problem],
    steps: Vec<PlannedStep<'a>>,
}

/// A step in the output of a dry run.
#[derive(Serialize)]
struct PlannedStep<'a> {
    step: &'a str,
    /// The kinds of its tools.
    tools: Vec<&'a str>,
    /// The steps that may follow.
    next: Vec<&'a str>,
    /// The steps that lead to it when there are several: it runs once, when all that are under way have arrived.
    joins: Vec<&'a str>,
}

/// The most characters of a result that are printed without --verbose.
pub(in crate::commands) const RESULT_LENGTH: usize = 2000;

/// The exit code that shells use for Ctrl-C.
const INTERRUPTED: u8 = 130;

pub(super) fn run(
    args: &RunArgs,
    root: &RootArgs,
    path: &Path,
    target: Option<&str>,
) -> anyhow::Result<ExitCode> {
    config::hide_secrets()?;
    let file = path.display().to_string();
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("cannot read {file}"))
        .help("the file must exist, be readable and be YAML in UTF-8")?;
    let mut input = payload::read(&args.payload)?;
    let is_implied = !input.payload.contains_key("target") && !input.set.contains_key("target");
    if let Some(target) = target {
        input
            .payload
            .entry("target")
            .or_insert_with(|| target.into());
    }
    let progress = Progress::new(args.json, args.verbose);
    let progress = match &args.logs {
        Some(path) if !args.dry_run => progress.logging_to(path)?,
        _ => progress,
    };
    let remote = args.remote.or(root);
    let host = LocalHost::new(
        &args.credentials,
        remote,
        args.max_workers,
        progress.clone(),
    )?;
    let (playbook, found) = match validate::check(&file, &text, &input, &host)? {
        (Some(playbook), found) => (Arc::new(playbook), found),
        (None, found) => return reject(args, &found, "the playbook cannot run"),
    };
    // A target that is not a step is a value that the playbook's own routing uses.
    let step = target.filter(|target| playbook.step(target).is_some());
    let mut payload = input.for_playbook(&playbook);
    if is_implied && step.is_some() && !playbook.allows_entry("target") {
        payload.remove("target");
    }
    let machine = Machine::new(Arc::clone(&playbook), &host.execution_id(), &payload);
    if let Err(problems) = machine.check_workload() {
        return reject(args, &problems, "the input does not fit `workload_schema`");
    }
    if args.dry_run {
        return dry_run(args, &playbook, &found);
    }
    if playbook.executor.profile.as_deref() == Some("distributed") && args.runtime.is_none() {
        return Err(anyhow!(
            "{file} is for a server (executor.profile: distributed)"
        )
        .help(format!(
            "noetl run {file} --runtime distributed, or --runtime local to run it in this process anyway"
        )));
    }
    // A problem may be in a step that never runs, so that only a dry run fails because of it.
    print_as_warnings(&found.0);
    if let (Some(target), None, true) = (target, step, args.target.is_some() || args.step.is_some())
    {
        let known: Vec<_> = playbook
            .steps
            .iter()
            .map(|step| step.name.as_str())
            .collect();
        return Err(anyhow!("{file} has no step `{target}`")
            .help(format!("its steps are {}", known.join(", "))));
    }
    execute(args, (host, &progress), &playbook, &payload, step)
}

fn execute(
    args: &RunArgs,
    (host, progress): (LocalHost, &Progress),
    playbook: &Arc<Playbook>,
    payload: &Map<String, Value>,
    step: Option<&str>,
) -> anyhow::Result<ExitCode> {
    let execution_id = host.execution_id();
    let runtime = tokio::runtime::Runtime::new().context("cannot start the async runtime")?;
    let started = Instant::now();
    progress.started(&playbook.name, playbook.steps.len());
    let report = runtime.block_on(async {
        let stop = signals::stop()?;
        let job = Job {
            playbook: Arc::clone(playbook),
            execution_id: &execution_id,
            payload,
            target: step,
            max_parallel: args.max_workers,
        };
        let mut observer = progress.clone();
        let mut observe = move |event: &noetl_engine::execution::Event| observer.event(event);
        let ended = tokio::select! {
            report = noetl_engine::local::run(job, Arc::new(host), &mut observe) => Some(report),
            () = stop => None,
        };
        anyhow::Ok(ended)
    });
    // Dropping a step ends its child processes; this waits until they have ended.
    runtime.shutdown_timeout(Duration::from_secs(2));
    let Some(report) = report? else {
        progress.ended(ExecutionStatus::Cancelled, started.elapsed());
        note!("error: interrupted; running steps are stopped");
        return Ok(ExitCode::from(INTERRUPTED));
    };
    progress.ended(report.status, started.elapsed());
    progress.check_log();
    finish(args, &report, &execution_id, started.elapsed())
}

fn finish(
    args: &RunArgs,
    report: &Report,
    execution_id: &str,
    elapsed: Duration,
) -> anyhow::Result<ExitCode> {
    if args.json {
        output::json(&LocalResult {
            execution_id,
            status: report.status,
            result: &report.result,
            error: report.failure.as_ref(),
            steps: &report.steps,
            variables: &report.variables,
            duration_seconds: elapsed.as_secs_f64(),
        })?;
    } else if args.verbose && !report.result.is_null() {
        note!("result: {}", serde_json::to_string_pretty(&report.result)?);
    } else if report.failure.is_none() && !report.result.is_null() {
        note!("result: {}", one_line(&report.result, RESULT_LENGTH));
    }
    let Some(failure) = &report.failure else {
        return Ok(ExitCode::SUCCESS);
    };
    note_failure(failure);
    Ok(ExitCode::FAILURE)
}

/// Prints why an execution failed.
pub(in crate::commands) fn note_failure(failure: &Failure) {
    note!("error: {}", output::sanitize(&failure.to_string()));
    if let Some(help) = &failure.help {
        note!("help: {}", output::sanitize(help));
    }
}

fn print_problems(problems: &[Problem]) {
    for line in problems::text(problems, None).lines() {
        note!("{}", output::sanitize(line));
    }
}

/// Prints problems, errors as warnings.
fn print_as_warnings(problems: &[Problem]) {
    let as_warning = |problem: &Problem| Problem {
        severity: Severity::Warning,
        ..problem.clone()
    };
    print_problems(&problems.iter().map(as_warning).collect::<Vec<_>>());
}

fn reject(args: &RunArgs, problems: &Problems, why: &str) -> anyhow::Result<ExitCode> {
    if args.json {
        output::json(&Rejected {
            status: "INVALID",
            valid: false,
            problems: &problems.0,
        })?;
    }
    print_problems(&problems.0);
    Err(anyhow!("{why}: {}", problems::count(&problems.0)))
}

fn dry_run(args: &RunArgs, playbook: &Playbook, found: &Problems) -> anyhow::Result<ExitCode> {
    if args.json {
        let steps = playbook.steps.iter().map(|step| PlannedStep {
            step: &step.name,
            tools: step.tasks.iter().map(|task| task.kind.name()).collect(),
            next: step.targets().collect(),
            joins: playbook.joined_by(&step.name),
        });
        output::json(&DryRun {
            valid: !found.any_error(),
            problems: &found.0,
            steps: steps.collect(),
        })?;
    } else {
        output::text(&format!(
            "{} ({} steps), starts at `{}`",
            playbook.name,
            playbook.steps.len(),
            playbook.entry().name
        ))?;
        for step in &playbook.steps {
            let tools: Vec<_> = step.tasks.iter().map(|task| task.kind.name()).collect();
            let next: Vec<_> = step.targets().collect();
            let repeat = step
                .for_each
                .as_ref()
                .map(|repeat| format!(" for each {}", repeat.iterator));
            let joins = match playbook.joined_by(&step.name) {
                joins if joins.is_empty() => String::new(),
                joins => format!(" after all of {}", joins.join(", ")),
            };
            output::text(&format!(
                "  {} [{}]{}{joins}{}",
                step.name,
                tools.join(", "),
                repeat.unwrap_or_default(),
                if next.is_empty() {
                    String::new()
                } else {
                    format!(" -> {}", next.join(", "))
                },
            ))?;
        }
    }
    print_problems(&found.0);
    if found.any_error() {
        return Err(anyhow!(
            "the playbook would not run to its end: {}",
            problems::count(&found.0)
        ));
    }
    Ok(ExitCode::SUCCESS)
}
