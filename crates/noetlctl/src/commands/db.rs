//! `noetl db …`: whether the server's store has all it needs.

use std::process::ExitCode;

use anyhow::anyhow;
use serde_json::Value;

use crate::cli::client::RootArgs;
use crate::cli::data::DbCommand;
use crate::client::Client;
use crate::error::WithHelp as _;
use crate::output;

pub(crate) fn run(command: &DbCommand, root: &RootArgs) -> anyhow::Result<ExitCode> {
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
        return Err(anyhow!("the store lacks {}", names(&answer["missing"]))).help("noetl db init");
    }
    let tables = answer["tables"].as_array().map_or(0, Vec::len);
    output::text(&format!(
        "{} ({tables} tables)",
        output::word(&answer["message"])
    ))?;
    Ok(ExitCode::SUCCESS)
}

fn names(list: &Value) -> String {
    let names = list.as_array().map_or(&[][..], Vec::as_slice);
    let names: Vec<String> = names.iter().map(output::word).collect();
    names.join(", ")
}
