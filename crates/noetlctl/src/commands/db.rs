//! `noetl db …`: prepares and checks the server's store.

use std::process::ExitCode;

use anyhow::anyhow;
use noetl_api::data::DatabaseState;
use noetl_help::Help as _;

use crate::cli::client::RootArgs;
use crate::cli::store::DbCommand;
use crate::client::Client;
use crate::output;

pub(super) fn run(command: &DbCommand, root: &RootArgs) -> anyhow::Result<ExitCode> {
    let (args, state): (_, DatabaseState) = match command {
        DbCommand::Init(args) => {
            let client = Client::open(root, &args.client)?;
            (args, client.post_empty("/api/db/init")?)
        }
        DbCommand::Validate(args) => {
            let client = Client::open(root, &args.client)?;
            (args, client.get("/api/db/validate", &())?)
        }
    };
    if args.client.json {
        output::json(&state)?;
        return Ok(if state.valid {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        });
    }
    if !state.valid {
        let missing = output::sanitize(&state.missing.join(", "));
        return Err(anyhow!("the store lacks {missing}").help("noetl db init"));
    }
    output::text(&format!(
        "{} ({} tables)",
        output::cell(state.message.as_str()),
        state.tables.len()
    ))?;
    Ok(ExitCode::SUCCESS)
}
