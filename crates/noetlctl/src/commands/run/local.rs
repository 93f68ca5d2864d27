//! A playbook in this process: validated, run, reported.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};
use noetl_api::ExecutionStatus;
use noetl_engine::local::{Job, Report};
use noetl_engine::{Playbook, Problem, Problems};
use serde_json::{Map, Value, json};

use super::host::LocalHost;
use super::progress::Progress;
use crate::cli::client::RootArgs;
use crate::cli::run::RunArgs;
use crate::commands::server::start::stop_signal;
use crate::error::WithHelp as _;
use crate::{output, payload, problems};

/// What Ctrl-C is called by shells.
const INTERRUPTED: u8 = 130;

pub(super) fn run(
    args: &RunArgs,
    root: &RootArgs,
    path: &Path,
    target: Option<&str>,
) -> anyhow::Result<ExitCode> {
    let file = path.display().to_string();
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("cannot read {file}"))
        .help("a playbook is YAML in UTF-8 that you may read")?;
    let mut payload = payload::merge(&args.payload)?;
    if let Some(target) = target {
        payload.entry("target").or_insert_with(|| target.into());
    }
    let playbook = match Playbook::parse(&file, &text) {
        Ok(playbook) => Arc::new(playbook),
        Err(_) => return refuse(args, &Playbook::validate(&file, &text, &payload)),
    };
    as_text(&mut payload, &playbook, args);
    let found = playbook.problems(&payload);
    if args.dry_run {
        return dry_run(args, &playbook, &found);
    }
    if playbook.executor.profile.as_deref() == Some("distributed") && args.runtime.is_none() {
        return Err(anyhow!(
            "{file} asks to be run by a server (executor.profile: distributed)"
        ))
        .help(format!(
            "noetl run {file} --runtime distributed, or --runtime local to run it here all the same"
        ));
    }
    // What may go wrong is no reason not to begin; a dry run would have refused.
    show(&found.0, "warning");
    // A name that is no step is a value for the playbook's own routing.
    let step = target.filter(|target| playbook.step(target).is_some());
    if let (Some(target), None, true) = (target, step, args.target.is_some() || args.step.is_some())
    {
        let known: Vec<_> = playbook
            .steps
            .iter()
            .map(|step| step.name.as_str())
            .collect();
        return Err(anyhow!("{file} has no step `{target}`"))
            .help(format!("its steps are {}", known.join(", ")));
    }
    execute(args, root, &playbook, &payload, step)
}

fn execute(
    args: &RunArgs,
    root: &RootArgs,
    playbook: &Arc<Playbook>,
    payload: &Map<String, Value>,
    step: Option<&str>,
) -> anyhow::Result<ExitCode> {
    let progress = Progress::new(args.json, args.verbose);
    let host = LocalHost::new(args, root, progress.clone())?;
    let execution_id = host.execution_id();
    let runtime = tokio::runtime::Runtime::new().context("cannot start the async runtime")?;
    let begun = Instant::now();
    progress.begin(&playbook.name, playbook.steps.len());
    let report = runtime.block_on(async {
        let stop = stop_signal()?;
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
    // Dropping a step ends its children; this waits until that is done.
    runtime.shutdown_timeout(Duration::from_secs(2));
    let Some(report) = report? else {
        progress.end(ExecutionStatus::Cancelled, begun.elapsed());
        note!("error: interrupted; what was running is stopped");
        return Ok(ExitCode::from(INTERRUPTED));
    };
    progress.end(report.status, begun.elapsed());
    finish(args, &report, &execution_id, begun.elapsed())
}

fn finish(
    args: &RunArgs,
    report: &Report,
    execution_id: &str,
    elapsed: Duration,
) -> anyhow::Result<ExitCode> {
    if args.json {
        output::json(&json!({
            "execution_id": execution_id,
            "status": report.status,
            "result": report.result,
            "error": report.failure,
            "steps": report.steps,
            "variables": report.variables,
            "duration_seconds": elapsed.as_secs_f64(),
        }))?;
    } else if args.verbose && !report.result.is_null() {
        note!("result: {}", serde_json::to_string_pretty(&report.result)?);
    }
    let Some(failure) = &report.failure else {
        return Ok(ExitCode::SUCCESS);
    };
    note!("error: {}", output::clean(&failure.to_string()));
    if let Some(help) = &failure.help {
        note!("help: {}", output::clean(help));
    }
    Ok(ExitCode::FAILURE)
}

/// Prints problems, none worse than `worst`.
fn show(problems: &[Problem], worst: &str) {
    for line in problems::text(problems, None).lines() {
        let line = if worst == "warning" {
            line.replacen("error: ", "warning: ", 1)
        } else {
            line.to_owned()
        };
        note!("{}", output::clean(&line));
    }
}

/// Where the workload's default is text, `--set` gives text: `--set deploy=true` over `deploy: "false"`.
fn as_text(payload: &mut Map<String, Value>, playbook: &Playbook, args: &RunArgs) {
    for assignment in &args.payload.set {
        let Some((key, value)) = assignment.split_once('=') else {
            continue;
        };
        if playbook.workload.get(key).is_some_and(Value::is_string)
            && !payload.get(key).is_some_and(Value::is_object)
        {
            payload.insert(key.to_owned(), value.into());
        }
    }
}

fn refuse(args: &RunArgs, problems: &Problems) -> anyhow::Result<ExitCode> {
    if args.json {
        output::json(&json!({ "status": "INVALID", "valid": false, "problems": problems.0 }))?;
    }
    show(&problems.0, "error");
    Err(anyhow!(
        "the playbook cannot run: {}",
        problems::count(&problems.0)
    ))
}

fn dry_run(args: &RunArgs, playbook: &Playbook, found: &Problems) -> anyhow::Result<ExitCode> {
    if args.json {
        let steps: Vec<_> = playbook
            .steps
            .iter()
            .map(|step| {
                json!({
                    "step": step.name,
                    "tools": step.tasks.iter().map(|task| task.kind.name()).collect::<Vec<_>>(),
                    "next": step.targets().collect::<Vec<_>>(),
                })
            })
            .collect();
        output::json(&json!({ "valid": !found.any_error(), "problems": found.0, "steps": steps }))?;
    } else {
        output::text(&format!(
            "{} ({} steps), begins at `{}`",
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
            output::text(&format!(
                "  {} [{}]{}{}",
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
    show(&found.0, "error");
    if found.any_error() {
        return Err(anyhow!(
            "the playbook would not run to its end: {}",
            problems::count(&found.0)
        ));
    }
    Ok(ExitCode::SUCCESS)
}
