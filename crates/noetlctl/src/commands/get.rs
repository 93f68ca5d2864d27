//! `noetl get credential`: shows one credential, with its data if --include-data is given.

use std::process::ExitCode;

use serde_json::Value;

use crate::cli::client::RootArgs;
use crate::cli::list::{GetCommand, GetCredentialArgs};
use crate::client::{Client, encode};
use crate::output;

pub(super) fn run(command: &GetCommand, root: &RootArgs) -> anyhow::Result<ExitCode> {
    let GetCommand::Credential(args) = command;
    credential(args, root)
}

fn credential(args: &GetCredentialArgs, root: &RootArgs) -> anyhow::Result<ExitCode> {
    let client = Client::open(root, &args.client)?;
    let include = if args.include_data { "true" } else { "false" };
    let answer = client
        .get(
            &format!("/api/credentials/{}", encode(&args.name)),
            &[("include_data", include)],
        )
        .map_err(|error| {
            error.help_if_not_found("`noetl list Credential` lists the credentials")
        })?;
    if args.client.json {
        output::json(&answer)?;
    } else {
        output::text(&fields(&answer))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Formats a credential with one field a line. Its data comes last.
fn fields(credential: &Value) -> String {
    let mut lines = Vec::new();
    for (label, key) in [
        ("Name", "name"),
        ("Type", "type"),
        ("Description", "description"),
        ("Tags", "tags"),
    ] {
        if !credential[key].is_null() {
            lines.push(format!(
                "{:<13}{}",
                format!("{label}:"),
                output::cell(&credential[key])
            ));
        }
    }
    lines.push(format!(
        "Created:     {}",
        output::time(&credential["created_at"])
    ));
    lines.push(format!(
        "Updated:     {}",
        output::time(&credential["updated_at"])
    ));
    match credential["data"].as_object() {
        Some(data) => {
            lines.push("Data:".to_owned());
            lines.extend(data.iter().map(|(key, value)| {
                format!("  {}: {}", output::sanitize(key), output::cell(value))
            }));
        }
        None => lines.push("Data:        not shown; --include-data shows it".to_owned()),
    }
    lines.join("\n")
}
