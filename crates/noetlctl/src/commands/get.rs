//! `noetl get credential`: shows one credential, with its data if --include-data is given.

use std::process::ExitCode;

use noetl_api::credential::{CredentialItem, CredentialQuery};

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
    let query = CredentialQuery {
        include_data: Some(args.include_data),
    };
    let credential: CredentialItem = client
        .get(&format!("/api/credentials/{}", encode(&args.name)), &query)
        .map_err(|error| {
            error.help_if_not_found("`noetl list Credential` lists the credentials")
        })?;
    if args.client.json {
        output::json(&credential)?;
    } else {
        output::text(&fields(&credential))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Formats a credential with one field a line. Its data comes last.
fn fields(credential: &CredentialItem) -> String {
    let mut lines = Vec::new();
    let mut field = |label: &str, value: String| {
        lines.push(format!("{:<13}{value}", format!("{label}:")));
    };
    field("Name", output::cell(credential.name.as_str()));
    field("Type", output::cell(credential.kind.as_str()));
    if let Some(description) = &credential.description {
        field("Description", output::cell(description.as_str()));
    }
    field("Tags", output::value(&credential.tags.clone().into()));
    field("Created", output::time(&credential.created_at));
    field("Updated", output::time(&credential.updated_at));
    match &credential.data {
        Some(data) => {
            lines.push("Data:".to_owned());
            lines.extend(data.iter().map(|(key, value)| {
                format!("  {}: {}", output::sanitize(key), output::value(value))
            }));
        }
        None => field("Data", "not shown; --include-data shows it".to_owned()),
    }
    lines.join("\n")
}
