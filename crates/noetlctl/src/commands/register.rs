//! `noetl register …`: registers a file, or the files of a folder, with the server.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::anyhow;
use noetl_help::Help as _;
use serde_json::{Value, json};

use super::rejected;
use crate::cli::catalog::{RegisterArgs, RegisterCommand};
use crate::cli::client::RootArgs;
use crate::client::Client;
use crate::client::error::Error;
use crate::client::problems::parse_problems;
use crate::output::{self, problems};
use crate::source_file::{self, Content};

pub(super) fn run(command: &RegisterCommand, root: &RootArgs) -> anyhow::Result<ExitCode> {
    let (args, kind) = match command {
        RegisterCommand::Credential(args) => (args, Kind::Credential),
        RegisterCommand::Playbook(args) => (args, Kind::Playbook),
    };
    let client = Client::open(root, &args.client)?;
    match (&args.source.file, &args.source.directory) {
        (Some(file), _) => self::file(&client, file, kind.read(file)?, args.client.json),
        (None, Some(folder)) => self::folder(&client, folder, kind, args),
        (None, None) => unreachable!("clap requires one of them"),
    }
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Playbook,
    Credential,
}

impl Kind {
    fn read(self, path: &Path) -> anyhow::Result<Content> {
        match self {
            Self::Playbook => source_file::read_playbook(path),
            Self::Credential => source_file::read_credential(path),
        }
    }

    fn find(self, folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
        match self {
            Self::Playbook => source_file::playbooks(folder),
            Self::Credential => source_file::credentials(folder),
        }
    }

    fn singular(self) -> &'static str {
        match self {
            Self::Playbook => "playbook",
            Self::Credential => "credential",
        }
    }

    fn plural(self) -> &'static str {
        match self {
            Self::Playbook => "playbooks",
            Self::Credential => "credentials",
        }
    }
}

/// Registers the file of a playbook. The answer has its path and version.
pub(super) fn playbook(client: &Client, file: &Path) -> anyhow::Result<Value> {
    let answer = register(client, &source_file::read_playbook(file)?)
        .map_err(|error| rejection(error, file))?;
    show_warnings(&answer, file);
    Ok(answer)
}

/// Registers one file and prints the answer.
pub(super) fn file(
    client: &Client,
    file: &Path,
    content: Content,
    json: bool,
) -> anyhow::Result<ExitCode> {
    let answer = register(client, &content).map_err(|error| rejection(error, file))?;
    show_warnings(&answer, file);
    if json {
        output::json(&answer)?;
    } else {
        output::text(&sentence(&answer))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Registers the files of a folder. A file that the server rejects does not stop the others; a server that
/// does not answer does.
fn folder(
    client: &Client,
    folder: &Path,
    kind: Kind,
    args: &RegisterArgs,
) -> anyhow::Result<ExitCode> {
    let files = kind.find(folder)?;
    if files.is_empty() {
        return Err(
            anyhow!("no {} in {}", kind.plural(), folder.display()).help(format!(
                "`noetl register {} --help` describes the files that are found",
                kind.singular()
            )),
        );
    }
    let mut answers = Vec::new();
    let mut rejected = 0;
    for file in &files {
        let mut answer = match register(client, &kind.read(file)?) {
            Ok(answer) => answer,
            Err(error) if error.status.is_none() || error.status == Some(401) => {
                return Err(error.into());
            }
            Err(error) => {
                rejected += 1;
                let answer = json!({"status": "error", "detail": error.to_string(), "problems": error.problems});
                crate::note::error(&rejection(error, file));
                answer
            }
        };
        show_warnings(&answer, file);
        if !args.client.json && answer["status"] != "error" {
            output::text(&format!("{}: {}", file.display(), sentence(&answer)))?;
        }
        answer["file"] = Value::from(file.display().to_string());
        answers.push(answer);
    }
    if args.client.json {
        output::json(&Value::from(answers))?;
    } else {
        note!(
            "{} of {} {} registered",
            files.len() - rejected,
            files.len(),
            kind.plural()
        );
    }
    Ok(if rejected == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn register(client: &Client, content: &Content) -> Result<Value, Error> {
    match content {
        Content::Playbook(text) => client.post(
            "/api/catalog/register",
            &json!({"content": text, "resource_type": "Playbook"}),
        ),
        Content::Credential(credential) => client.post("/api/credentials", credential),
    }
}

fn rejection(error: Error, file: &Path) -> anyhow::Error {
    let file = file.display().to_string();
    if error.problems.is_empty() && error.status.is_some() {
        return anyhow::Error::from(error).context(format!("{file} is not registered"));
    }
    rejected::report(error, Some(&file), &format!("{file} is not registered"))
}

fn show_warnings(answer: &Value, file: &Path) {
    let warnings = parse_problems(&answer["warnings"]);
    let text = problems::text(&warnings, Some(&file.display().to_string()));
    if !text.is_empty() {
        note!("{}", text.trim_end());
    }
}

/// Describes what was registered. The answer for a playbook has a path and a version, the answer for a
/// credential has a name.
fn sentence(answer: &Value) -> String {
    match answer["path"].as_str() {
        Some(path) => format!(
            "playbook {} registered as version {}",
            output::sanitize(path),
            output::cell(&answer["version"])
        ),
        None => format!(
            "credential {} registered ({})",
            output::cell(&answer["name"]),
            output::cell(&answer["type"])
        ),
    }
}
