//! `noetl validate`: checks playbooks in files, without a server and without running anything.

use std::process::ExitCode;

use anyhow::{Context as _, anyhow};
use noetl_engine::{Place, Playbook, Problem, Problems, Severity, check_python};
use noetl_help::Help as _;
use serde::Serialize;

use super::run::host::LocalHost;
use super::run::progress::Progress;
use crate::cli::client::RootArgs;
use crate::cli::validate::ValidateArgs;
use crate::config;
use crate::output::{self, problems};
use crate::payload::{self, Input};

/// What is found of one file.
#[derive(Serialize)]
struct Validated {
    file: String,
    /// Whether the playbook would run to its end.
    valid: bool,
    problems: Vec<Problem>,
}

pub(super) fn run(args: &ValidateArgs, root: &RootArgs) -> anyhow::Result<ExitCode> {
    config::hide_secrets()?;
    let input = payload::read(&args.payload)?;
    let progress = Progress::new(true, false);
    let host = LocalHost::new(&args.credentials, args.remote.or(root), 1, progress)?;
    let mut found = Vec::new();
    for path in &args.files {
        let file = path.display().to_string();
        let problems = match std::fs::read_to_string(path) {
            Ok(text) => check(&file, &text, &input, &host)?.1,
            // The other files are checked as well.
            Err(error) => Problems(vec![unreadable(&file, &error)]),
        };
        found.push(Validated {
            file,
            valid: !problems.any_error(),
            problems: problems.0,
        });
    }
    let invalid = found.iter().filter(|one| !one.valid).count();
    if args.json {
        output::json(&found)?;
    } else {
        print(&found)?;
    }
    if invalid == 0 {
        return Ok(ExitCode::SUCCESS);
    }
    if args.json {
        return Ok(ExitCode::FAILURE);
    }
    let all = found.len();
    Err(anyhow!("{invalid} of {all} playbooks cannot run")
        .help("mend what is said above; --json prints it for programs"))
}

fn unreadable(file: &str, error: &std::io::Error) -> Problem {
    Problem {
        severity: Severity::Error,
        place: Place {
            file: file.to_owned(),
            ..Place::default()
        },
        message: format!("cannot be read: {error}"),
        help: Some("the file must exist, be readable and be YAML in UTF-8".to_owned()),
    }
}

/// Reads a playbook and returns it with every problem that is known before it runs: those of the playbook itself,
/// python code that does not parse, and credentials that are not there.
pub(super) fn check(
    file: &str,
    text: &str,
    input: &Input,
    host: &LocalHost,
) -> anyhow::Result<(Option<Playbook>, Problems)> {
    let Ok(playbook) = Playbook::parse(file, text) else {
        return Ok((None, Playbook::validate(file, text, &input.guessed())));
    };
    let mut problems = playbook.problems(&input.for_playbook(&playbook)).0;
    let runtime = tokio::runtime::Runtime::new().context("cannot start the async runtime")?;
    problems.extend(runtime.block_on(check_python(&playbook, host)));
    problems.extend(missing_credentials(&playbook, host));
    Ok((Some(playbook), Problems::sorted(problems)))
}

/// Returns a warning for each credential that no file of `--credentials` has. With a server nothing is known: it is asked
/// when the playbook runs.
fn missing_credentials(playbook: &Playbook, host: &LocalHost) -> Vec<Problem> {
    if host.asks_server() {
        return Vec::new();
    }
    let named = playbook.credentials().into_iter();
    let missing = named.filter(|(name, _)| !host.has_credential(name));
    missing
        .map(|(name, place)| Problem {
            severity: Severity::Warning,
            place,
            message: format!("there is no credential `{name}` on this machine"),
            help: Some(format!(
                "give a file that has `name: {name}` with `--credentials FILE`, or name a server that has it"
            )),
        })
        .collect()
}

fn print(found: &[Validated]) -> anyhow::Result<()> {
    for Validated { file, problems, .. } in found {
        for line in problems::text(problems, None).lines() {
            note!("{}", output::sanitize(line));
        }
        let count = problems::count(problems);
        let count = if count.is_empty() { "ok" } else { &count };
        output::text(&format!("{}: {count}", output::sanitize(file)))?;
    }
    Ok(())
}
