//! `noetl catalog …`: the playbooks and credentials that a server has registered.

use std::fs;
use std::process::ExitCode;

use anyhow::{Context as _, anyhow};
use noetl_help::Help as _;
use serde_json::{Value, json};

use super::{list, register};
use crate::cli::catalog::{
    CatalogCommand, CatalogEntryArgs, CatalogListArgs, CatalogType, CatalogValidateArgs,
};
use crate::cli::client::RootArgs;
use crate::client::Client;
use crate::client::error::Error;
use crate::client::problems::parse_problems;
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
    let version = args.version.map_or(Value::from("latest"), Value::from);
    let entry = client
        .post(
            "/api/catalog/resource",
            &json!({"path": args.path, "version": version}),
        )
        .map_err(|error| not_found(error, &args.path))?;
    if args.client.json {
        output::json(&entry)?;
    } else {
        let text = entry["content"]
            .as_str()
            .context("the server sent no content")?;
        output::text(text)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn delete(args: &CatalogEntryArgs, root: &RootArgs) -> anyhow::Result<ExitCode> {
    let client = Client::open(root, &args.client)?;
    let version = args.version.map(|version| version.to_string());
    let mut query = vec![("path", args.path.as_str())];
    query.extend(version.as_deref().map(|version| ("version", version)));
    let answer = client
        .delete("/api/catalog/entry", &query)
        .map_err(|error| not_found(error, &args.path))?;
    if args.client.json {
        output::json(&answer)?;
    } else {
        let count = answer["deleted"].as_u64().unwrap_or_default();
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
    let content = fs::read_to_string(&args.file).with_context(|| format!("cannot read {file}"))?;
    let client = Client::open(root, &args.client)?;
    let answer = client.post("/api/catalog/validate", &json!({"content": content}))?;
    let valid = answer["valid"].as_bool().unwrap_or_default();
    if args.client.json {
        output::json(&answer)?;
        return Ok(if valid {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        });
    }
    let found = parse_problems(&answer["problems"]);
    output::text(&problems::text(&found, Some(&file)))?;
    if !valid {
        return Err(anyhow!("{file} is invalid: {}", problems::count(&found))
            .help("`noetl catalog validate --json` prints the problems as JSON"));
    }
    let warnings = problems::count(&found);
    let with_warnings = if warnings.is_empty() {
        String::new()
    } else {
        format!(", with {warnings}")
    };
    output::text(&format!("{file} is valid{with_warnings}"))?;
    Ok(ExitCode::SUCCESS)
}
