//! `noetl schema`: prints the JSON Schema of playbooks.

use std::process::ExitCode;

use crate::output;

pub(super) fn run() -> anyhow::Result<ExitCode> {
    output::document(&format!("{:#}\n", noetl_engine::schema()))?;
    Ok(ExitCode::SUCCESS)
}
