//! `noetl openapi`: the OpenAPI document without a server, for tools that generate code from it.

use std::process::ExitCode;

use serde_json::Value;

use crate::output;

pub(crate) fn run() -> anyhow::Result<ExitCode> {
    let document: Value = serde_json::from_str(&noetl_server::OPENAPI)?;
    output::text(&serde_json::to_string_pretty(&document)?)?;
    Ok(ExitCode::SUCCESS)
}
