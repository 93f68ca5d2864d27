//! `noetl register …`: registers a file, or the files of a folder, with the server.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::anyhow;
use noetl_api::catalog::{Registered, Registration};
use noetl_api::credential::CredentialItem;
use noetl_api::{AnswerStatus, Problem};
use noetl_help::Help as _;
use serde::Serialize;

use super::rejected;
use crate::cli::catalog::{RegisterArgs, RegisterCommand};
use crate::cli::client::RootArgs;
use crate::client::Client;
use crate::client::error::Error;
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
            Self::Playbook => source_file::read_playbook(path).map(Content::Playbook),
            Self::Credential => {
                source_file::read_credential(path).map(|read| Content::Credential(Box::new(read)))
            }
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

/// The server's answer to a registered file.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Answer {
    Playbook(Registered),
    Credential(CredentialItem),
}

/// A file of a folder in the output of `--json`.
#[derive(Debug, Serialize)]
struct FileResult {
    #[serde(flatten)]
    outcome: Outcome,
    file: String,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Outcome {
    Registered(Box<Answer>),
    Rejected(Rejection),
}

/// Why a file of a folder is not registered.
#[derive(Debug, Serialize)]
struct Rejection {
    /// Always `error`.
    status: AnswerStatus,
    detail: String,
    problems: Vec<Problem>,
}

impl Rejection {
    fn new(detail: String, problems: Vec<Problem>) -> Self {
        Self {
            status: AnswerStatus::Error,
            detail,
            problems,
        }
    }
}

/// Registers the file of a playbook, and prints the warnings about it.
pub(super) fn playbook(client: &Client, file: &Path) -> anyhow::Result<Registered> {
    let registered = register_playbook(client, source_file::read_playbook(file)?)
        .map_err(|error| rejection(error, file))?;
    show_warnings(&registered, file);
    Ok(registered)
}

/// Registers one file and prints the answer.
pub(super) fn file(
    client: &Client,
    file: &Path,
    content: Content,
    json: bool,
) -> anyhow::Result<ExitCode> {
    let answer = register(client, content).map_err(|error| rejection(error, file))?;
    if let Answer::Playbook(registered) = &answer {
        show_warnings(registered, file);
    }
    if json {
        output::json(&answer)?;
    } else {
        output::text(&sentence(&answer))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Registers the files of a folder. A file that cannot be read, or that the server rejects, does not stop the
/// others; a server that does not answer does.
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
    let mut results = Vec::new();
    let mut rejected = 0;
    for file in &files {
        let outcome = register_one(client, kind, file)?;
        match &outcome {
            Outcome::Rejected(_) => rejected += 1,
            Outcome::Registered(answer) if !args.client.json => {
                output::text(&format!("{}: {}", file.display(), sentence(answer)))?;
            }
            Outcome::Registered(_) => {}
        }
        results.push(FileResult {
            outcome,
            file: file.display().to_string(),
        });
    }
    if args.client.json {
        output::json(&results)?;
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

/// Registers one of several files, and prints why it is rejected or the warnings about it.
///
/// # Errors
/// Fails when the server does not answer, or requires a token, since it would refuse the other files too.
fn register_one(client: &Client, kind: Kind, file: &Path) -> anyhow::Result<Outcome> {
    let content = match kind.read(file) {
        Ok(content) => content,
        Err(error) => {
            crate::note::error(&error);
            return Ok(Outcome::Rejected(Rejection::new(
                format!("{error:#}"),
                Vec::new(),
            )));
        }
    };
    match register(client, content) {
        Ok(answer) => {
            if let Answer::Playbook(registered) = &answer {
                show_warnings(registered, file);
            }
            Ok(Outcome::Registered(Box::new(answer)))
        }
        Err(error) if error.status.is_none() || error.status == Some(401) => Err(error.into()),
        Err(error) => {
            let outcome = Rejection::new(error.to_string(), error.problems.clone());
            crate::note::error(&rejection(error, file));
            Ok(Outcome::Rejected(outcome))
        }
    }
}

fn register(client: &Client, content: Content) -> Result<Answer, Error> {
    match content {
        Content::Playbook(text) => register_playbook(client, text).map(Answer::Playbook),
        Content::Credential(credential) => client
            .post("/api/credentials", &credential)
            .map(Answer::Credential),
    }
}

fn register_playbook(client: &Client, text: String) -> Result<Registered, Error> {
    let request = Registration {
        content: text,
        resource_type: Some("Playbook".to_owned()),
        base_version: None,
    };
    client.post("/api/catalog/register", &request)
}

fn rejection(error: Error, file: &Path) -> anyhow::Error {
    let file = file.display().to_string();
    if error.problems.is_empty() && error.status.is_some() {
        return anyhow::Error::from(error).context(format!("{file} is not registered"));
    }
    rejected::report(error, Some(&file), &format!("{file} is not registered"))
}

fn show_warnings(registered: &Registered, file: &Path) {
    let text = problems::text(&registered.warnings, Some(&file.display().to_string()));
    if !text.is_empty() {
        note!("{}", text.trim_end());
    }
}

/// Describes what was registered.
fn sentence(answer: &Answer) -> String {
    match answer {
        Answer::Playbook(playbook) => format!(
            "playbook {} registered as version {}",
            output::sanitize(&playbook.path),
            playbook.version
        ),
        Answer::Credential(credential) => format!(
            "credential {} registered ({})",
            output::cell(credential.name.as_str()),
            output::cell(credential.kind.as_str())
        ),
    }
}
