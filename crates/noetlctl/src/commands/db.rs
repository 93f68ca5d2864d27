//! `noetl db …`: prepares and checks the server's store.

use std::process::ExitCode;

use anyhow::anyhow;
use noetl_help::Help as _;
use serde_json::Value;

use crate::cli::client::RootArgs;
use crate::cli::store::DbCommand;
use crate::client::Client;
use crate::output;

pub(super) fn run(command: &DbCommand, root: &RootArgs) -> anyhow::Result<ExitCode> {
    let (args, answer) = match command {
        DbCommand::Init(args) => {
            let client = Client::open(root, &args.client)?;
            (args, client.post("/api/db/init", &serde_json::json!({}))?)
        }
        DbCommand::Validate(args) => {
            let client = Client::open(root, &args.client)?;
            (args, client.get("/api/db/validate", &[])?)
        }
    };
    let valid = answer["valid"].as_bool().unwrap_or(true);
    if args.client.json {
        output::json(&answer)?;
        return Ok(if valid {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        });
    }
    if !valid {
        return Err(anyhow!("the store lacks {}", names(&answer["missing"])).help("noetl db init"));
    }
    let tables = answer["tables"].as_array().map_or(0, Vec::len);
    output::text(&format!(
        "{} ({tables} tables)",
        output::cell(&answer["message"])
    ))?;
    Ok(ExitCode::SUCCESS)
}

fn names(list: &Value) -> String {
    let names = list.as_array().map_or(&[][..], Vec::as_slice);
    let names: Vec<String> = names.iter().map(output::cell).collect();
    names.join(", ")
}
