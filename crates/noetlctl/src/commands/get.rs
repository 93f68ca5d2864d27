//! `noetl get credential`: one credential, with its data when asked.

use std::process::ExitCode;

use serde_json::Value;

use crate::cli::client::RootArgs;
use crate::cli::data::{GetCommand, GetCredentialArgs};
use crate::client::{Client, encode};
use crate::output;

pub(crate) fn run(command: &GetCommand, root: &RootArgs) -> anyhow::Result<ExitCode> {
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
        .map_err(|mut error| {
            if error.status == Some(404) {
                error
                    .help
                    .get_or_insert("`noetl list Credential` shows what there is".to_owned());
            }
            error
        })?;
    if args.client.json {
        output::json(&answer)?;
    } else {
        output::text(&view(&answer))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// One field a line; the data comes last, a line for each of its own.
fn view(credential: &Value) -> String {
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
                output::word(&credential[key])
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
            lines.extend(
                data.iter().map(|(key, value)| {
                    format!("  {}: {}", output::clean(key), output::word(value))
                }),
            );
        }
        None => lines.push("Data:        not shown; --include-data shows it".to_owned()),
    }
    lines.join("\n")
}
