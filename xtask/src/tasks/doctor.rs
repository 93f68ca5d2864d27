//! `cargo xtask doctor`: which tools are installed, which are missing, and the commands that install them.

use std::collections::BTreeSet;

use clap::Args;
use noetl_help::Help as _;
use serde::Serialize;

use crate::host::command::CommandLine;
use crate::host::ctx::Ctx;
use crate::host::error::MissingTool;
use crate::host::tools::{self, Need, Source, TOOLS, Tool};
use crate::host::{output, run};

/// List the tools that are installed and those that are missing, with the commands that install them
#[derive(Debug, Args)]
#[command(
    after_help = "Fails when a tool is missing that a build needs. Tests that need another missing tool are skipped \
    and reported."
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
    let missing = || {
        TOOLS
            .iter()
            .zip(&diagnoses)
            .filter(|(_, it)| it.state == State::Missing)
    };
    if args.apt {
        let packages = missing().filter_map(|(tool, _)| match tool.source {
            Source::Apt(package) => Some(package),
            _ => None,
        });
        let packages: BTreeSet<_> = packages.collect();
        return packages.iter().try_for_each(output::line);
    }
    if args.json {
        output::json(&diagnoses)?;
    } else {
        diagnoses.iter().try_for_each(print)?;
    }
    match missing().find(|(tool, _)| tool.need == Need::Build) {
        None => Ok(()),
        Some((tool, it)) => {
            Err(MissingTool(tool.program.to_owned())).help(it.remedy.clone().unwrap_or_default())
        }
    }
}

fn diagnose(ctx: &Ctx, tool: &Tool) -> Diagnosis {
    let found = tools::locate(ctx, tool.program);
    let missing = |remedy: String| (State::Missing, "not found".to_owned(), Some(remedy));
    let (state, detail, remedy) = match (found, tool.source) {
        // Any Node that Vite accepts is used. Of other pinned tools only the pinned version is, since it decides bytes.
        (Some(found), Source::Pinned(_)) if tool.program == "node" => {
            (State::Found, version(ctx, &found), None)
        }
        (_, Source::Pinned(pinned)) => {
            let name = format!("{} {}", pinned.package, pinned.version());
            if ctx.state().join(pinned.folder()).is_dir() {
                (State::Found, format!("{name}, pinned"), None)
            } else {
                (
                    State::Fetched,
                    format!("{name} is fetched when needed"),
                    None,
                )
            }
        }
        (Some(found), _) => (State::Found, version(ctx, &found), None),
        (None, Source::Host(remedy)) => missing(remedy.to_owned()),
        (None, Source::Apt(package)) => missing(format!("apt-get install {package}")),
    };
    Diagnosis {
        program: tool.program,
        needed_for: match tool.need {
            Need::Build => "builds",
            Need::Test => "tests",
            Need::Engine => "engine tests",
        },
        source: match tool.source {
            Source::Host(_) => "host",
            Source::Apt(_) => "apt",
            Source::Pinned(_) => "pip",
        },
        state,
        detail,
        remedy,
    }
}

/// Returns the first line that `--version` prints; `found` for tools without that flag.
fn version(ctx: &Ctx, tool: &CommandLine) -> String {
    let flag = match tool.program.as_str() {
        "crane" | "oras" => "version",
        _ => "--version",
    };
    let printed = run::read(ctx, &tool.clone().arg(flag)).unwrap_or_default();
    printed.lines().next().unwrap_or("found").trim().to_owned()
}

fn print(it: &Diagnosis) -> anyhow::Result<()> {
    let state = match it.state {
        State::Found => "ok",
        State::Fetched => "later",
        State::Missing => "missing",
    };
    let (program, needed_for, detail) = (it.program, it.needed_for, &it.detail);
    let remedy = it.remedy.as_ref().map(|it| format!("  help: {it}"));
    let remedy = remedy.unwrap_or_default();
    output::line(format!(
        "{state:<8}{program:<20}{needed_for:<13}{detail}{remedy}"
    ))
}
