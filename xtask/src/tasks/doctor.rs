//! `cargo xtask doctor`: what is there, what is missing, and the command that installs it.

use clap::Args;
use noetl_help::Help as _;
use serde::Serialize;

use crate::host::command::CommandLine;
use crate::host::ctx::Ctx;
use crate::host::error::MissingTool;
use crate::host::tools::{self, Need, Source, TOOLS, Tool};
use crate::host::{output, run};

/// List what is there and what is missing, with the command that installs it
#[derive(Debug, Args)]
#[command(
    after_help = "Fails when something is missing that a build needs. Tests that need something else are skipped, \
    and say so."
)]
pub(crate) struct DoctorArgs {
    /// Print JSON: program, need, source, state, detail and remedy of each tool
    #[arg(long)]
    json: bool,
    /// Print the missing Debian packages, one a line, and nothing else
    #[arg(long, conflicts_with = "json")]
    apt: bool,
}

#[derive(Debug, Serialize)]
struct Diagnosis {
    program: &'static str,
    needed_for: &'static str,
    source: &'static str,
    state: State,
    detail: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    remedy: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    Found,
    Fetched,
    Missing,
}

pub(crate) fn run(ctx: &Ctx, args: &DoctorArgs) -> anyhow::Result<()> {
    let diagnoses: Vec<_> = TOOLS.iter().map(|tool| diagnose(ctx, tool)).collect();
    if args.apt {
        let mut packages: Vec<_> = TOOLS
            .iter()
            .zip(&diagnoses)
            .filter_map(missing_package)
            .collect();
        packages.sort_unstable();
        packages.dedup();
        return packages.iter().try_for_each(output::line);
    }
    if args.json {
        output::json(&diagnoses)?;
    } else {
        diagnoses.iter().try_for_each(print)?;
    }
    let missing =
        |one: &&Diagnosis| one.state == State::Missing && one.needed_for == needed_for(Need::Build);
    match diagnoses.iter().find(missing) {
        None => Ok(()),
        Some(one) => {
            Err(MissingTool(one.program.to_owned())).help(one.remedy.clone().unwrap_or_default())
        }
    }
}

fn diagnose(ctx: &Ctx, tool: &Tool) -> Diagnosis {
    let found = tools::locate(ctx, tool.program);
    let missing = |remedy: String| (State::Missing, "not found".to_owned(), Some(remedy));
    let (state, detail, remedy) = match (found, tool.source) {
        // zig decides bytes, so only the pinned one counts; any Node that Vite accepts is used.
        (Some(found), Source::Pinned(_)) if tool.program == "node" => {
            (State::Found, version(ctx, &found), None)
        }
        (_, Source::Pinned(pinned)) => {
            let name = format!("{} {}", pinned.package, pinned.version());
            match ctx.state().join(pinned.folder()).is_dir() {
                true => (State::Found, format!("{name}, pinned"), None),
                false => (
                    State::Fetched,
                    format!("{name} is fetched when it is needed"),
                    None,
                ),
            }
        }
        (Some(found), _) => (State::Found, version(ctx, &found), None),
        (None, Source::Host(remedy)) => missing(remedy.to_owned()),
        (None, Source::Apt(package)) => missing(format!("apt-get install {package}")),
    };
    Diagnosis {
        program: tool.program,
        needed_for: needed_for(tool.need),
        source: source(tool.source),
        state,
        detail,
        remedy,
    }
}

fn needed_for(need: Need) -> &'static str {
    match need {
        Need::Build => "builds",
        Need::Test => "tests",
        Need::Engine => "engine tests",
    }
}

fn source(source: Source) -> &'static str {
    match source {
        Source::Host(_) => "host",
        Source::Apt(_) => "apt",
        Source::Pinned(_) => "pip",
    }
}

/// Returns the first line that `--version` prints; `found` for tools without that flag.
fn version(ctx: &Ctx, tool: &CommandLine) -> String {
    let flag = if ["crane", "oras"].contains(&tool.program.as_str()) {
        "version"
    } else {
        "--version"
    };
    let printed = run::read(ctx, &tool.clone().arg(flag)).unwrap_or_default();
    printed.lines().next().unwrap_or("found").trim().to_owned()
}

fn missing_package((tool, diagnosis): (&Tool, &Diagnosis)) -> Option<&'static str> {
    match tool.source {
        Source::Apt(package) if diagnosis.state == State::Missing => Some(package),
        _ => None,
    }
}

fn print(one: &Diagnosis) -> anyhow::Result<()> {
    let state = match one.state {
        State::Found => "ok",
        State::Fetched => "later",
        State::Missing => "missing",
    };
    let remedy = one
        .remedy
        .as_ref()
        .map_or_else(String::new, |remedy| format!("  help: {remedy}"));
    output::line(format!(
        "{state:<8}{:<20}{:<13}{}{remedy}",
        one.program, one.needed_for, one.detail
    ))
}
