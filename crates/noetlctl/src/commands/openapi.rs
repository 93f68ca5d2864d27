//! `noetl openapi`: the OpenAPI document without a server, for tools that generate code from it.

use std::process::ExitCode;

use crate::output;

pub(crate) fn run() -> anyhow::Result<ExitCode> {
    output::text(noetl_server::OPENAPI)?;
    Ok(ExitCode::SUCCESS)
}
