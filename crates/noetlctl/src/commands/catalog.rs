//! `noetl catalog …`: the playbooks and credentials that a server has registered.

use std::fs;
use std::process::ExitCode;

use anyhow::{Context as _, anyhow};
use noetl_api::Version;
use noetl_api::catalog::{
    CatalogDeleted, CatalogEntry, CatalogEntryQuery, CatalogResourceRequest, ValidateRequest,
    Validation,
};
use noetl_help::Help as _;

use super::{list, register};
use crate::cli::catalog::{
    CatalogCommand, CatalogEntryArgs, CatalogListArgs, CatalogType, CatalogValidateArgs,
};
use crate::cli::client::RootArgs;
use crate::client::Client;
use crate::client::error::Error;
use crate::output::{self, problems};
use crate::source_file;

pub(super) fn run(command: &CatalogCommand, root: &RootArgs) -> anyhow::Result<ExitCode> {
    match command {
        CatalogCommand::Register(args) => {
            let content = source_file::read(&args.file)?;
            let client = Client::open(root, &args.client)?;
            register::file(&client, &args.file, content, args.client.json)
        }
        CatalogCommand::List(args) => list(args, root),
        CatalogCommand::Get(args) => get(args, root),
        CatalogCommand::Delete(args) => delete(args, root),
        CatalogCommand::Validate(args) => validate(args, root),
    }
}

fn list(args: &CatalogListArgs, root: &RootArgs) -> anyhow::Result<ExitCode> {
    let client = Client::open(root, &args.client)?;
    match args.kind {
        CatalogType::Playbook => list::playbooks(&client, args.latest, args.client.json),
        CatalogType::Credential => list::credentials(&client, args.client.json),
    }
}

/// Prints the text as it was registered, so that `> file.yaml` restores the file.
fn get(args: &CatalogEntryArgs, root: &RootArgs) -> anyhow::Result<ExitCode> {
    let client = Client::open(root, &args.client)?;
    let request = CatalogResourceRequest {
        path: Some(args.path.clone()),
        version: Some(args.version.map_or_else(Version::latest, Version::from)),
        ..CatalogResourceRequest::default()
    };
    let entry: CatalogEntry = client
        .post("/api/catalog/resource", &request)
        .map_err(|error| not_found(error, &args.path))?;
    if args.client.json {
        output::json(&entry)?;
    } else {
        output::document(&entry.content.context("the server sent no content")?)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn delete(args: &CatalogEntryArgs, root: &RootArgs) -> anyhow::Result<ExitCode> {
    let client = Client::open(root, &args.client)?;
    let query = CatalogEntryQuery {
        path: args.path.clone(),
        version: args.version,
    };
    let answer: CatalogDeleted = client
        .delete("/api/catalog/entry", &query)
        .map_err(|error| not_found(error, &args.path))?;
    if args.client.json {
        output::json(&answer)?;
    } else {
        let count = answer.deleted;
        let versions = if count == 1 { "version" } else { "versions" };
        output::text(&format!("{count} {versions} of {} deleted", args.path))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Adds the path and help to the error for a playbook that the catalog does not have.
fn not_found(error: Error, path: &str) -> anyhow::Error {
    if error.status != Some(404) {
        return error.into();
    }
    let error = error.help_if_not_found("`noetl catalog list` lists the playbooks");
    anyhow::Error::from(error).context(format!("no such playbook: {path}"))
}

fn validate(args: &CatalogValidateArgs, root: &RootArgs) -> anyhow::Result<ExitCode> {
    let file = args.file.display().to_string();
    let request = ValidateRequest {
        content: fs::read_to_string(&args.file).with_context(|| format!("cannot read {file}"))?,
        ..ValidateRequest::default()
    };
    let client = Client::open(root, &args.client)?;
    let answer: Validation = client.post("/api/catalog/validate", &request)?;
    if args.client.json {
        output::json(&answer)?;
        return Ok(if answer.valid {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        });
    }
    let found = &answer.problems;
    output::text(&problems::text(found, Some(&file)))?;
    if !answer.valid {
        return Err(anyhow!("{file} is invalid: {}", problems::count(found))
            .help("`noetl catalog validate --json` prints the problems as JSON"));
    }
    let warnings = problems::count(found);
    let with_warnings = if warnings.is_empty() {
        String::new()
    } else {
        format!(", with {warnings}")
    };
    output::text(&format!("{file} is valid{with_warnings}"))?;
    Ok(ExitCode::SUCCESS)
}
