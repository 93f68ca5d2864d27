//! `noetl register …`: a file, or what a folder holds, goes to the server.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::anyhow;
use serde_json::{Value, json};

use crate::cli::catalog::{RegisterArgs, RegisterCommand};
use crate::cli::client::RootArgs;
use crate::client::Client;
use crate::client::error::Error;
use crate::error::WithHelp as _;
use crate::source_file::{self, Content};
use crate::{output, problems};

pub(crate) fn run(command: &RegisterCommand, root: &RootArgs) -> anyhow::Result<ExitCode> {
    let (args, kind) = match command {
        RegisterCommand::Credential(args) => (args, Kind::Credential),
        RegisterCommand::Playbook(args) => (args, Kind::Playbook),
    };
    let client = Client::open(root, &args.client)?;
    match (&args.source.file, &args.source.directory) {
        (Some(file), _) => one(&client, file, kind.read(file)?, args.client.json),
        (None, Some(folder)) => every(&client, folder, kind, args),
        (None, None) => unreachable!("clap asks for one of them"),
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

    fn plural(self) -> &'static str {
        match self {
            Self::Playbook => "playbooks",
            Self::Credential => "credentials",
        }
    }
}

/// Registers a playbook's file; the answer has its path and version.
pub(super) fn playbook(client: &Client, file: &Path) -> anyhow::Result<Value> {
    let answer = register(client, &source_file::read_playbook(file)?)
        .map_err(|error| refusal(error, file))?;
    show_warnings(&answer, file);
    Ok(answer)
}

/// Registers one file and prints the answer.
pub(super) fn one(
    client: &Client,
    file: &Path,
    content: Content,
    json: bool,
) -> anyhow::Result<ExitCode> {
    let answer = register(client, &content).map_err(|error| refusal(error, file))?;
    show_warnings(&answer, file);
    if json {
        output::json(&answer)?;
    } else {
        output::text(&sentence(&answer))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Registers what the folder holds. A file that is refused does not stop the others; a server that
/// does not answer does.
fn every(
    client: &Client,
    folder: &Path,
    kind: Kind,
    args: &RegisterArgs,
) -> anyhow::Result<ExitCode> {
    let files = kind.find(folder)?;
    if files.is_empty() {
        return Err(anyhow!("no {} in {}", kind.plural(), folder.display()))
            .help("`noetl register --help` says what is looked for");
    }
    let mut answers = Vec::new();
    let mut refused = 0;
    for file in &files {
        let mut answer = match register(client, &kind.read(file)?) {
            Ok(answer) => answer,
            Err(error) if error.status.is_none() || error.status == Some(401) => {
                return Err(error.into());
            }
            Err(error) => {
                refused += 1;
                let answer = json!({"status": "error", "detail": error.to_string(), "problems": error.problems});
                crate::error::print(&refusal(error, file));
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
            files.len() - refused,
            files.len(),
            kind.plural()
        );
    }
    Ok(if refused == 0 {
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

fn refusal(error: Error, file: &Path) -> anyhow::Error {
    let file = file.display().to_string();
    if error.problems.is_empty() && error.status.is_some() {
        return anyhow::Error::from(error).context(format!("{file} is not registered"));
    }
    problems::explain(error, Some(&file), &format!("{file} is not registered"))
}

fn show_warnings(answer: &Value, file: &Path) {
    let warnings = problems::read(&answer["warnings"]);
    let text = problems::text(&warnings, Some(&file.display().to_string()));
    if !text.is_empty() {
        note!("{}", text.trim_end());
    }
}

/// The answer for a playbook has a path and a version, that for a credential has a name.
fn sentence(answer: &Value) -> String {
    match answer["path"].as_str() {
        Some(path) => format!(
            "playbook {} registered as version {}",
            output::clean(path),
            output::word(&answer["version"])
        ),
        None => format!(
            "credential {} registered ({})",
            output::word(&answer["name"]),
            output::word(&answer["type"])
        ),
    }
}
