//! `noetl version`: prints the build stamp of this binary.

use std::process::ExitCode;

use crate::cli::VersionArgs;
use crate::{output, stamp};

pub(super) fn run(args: &VersionArgs) -> anyhow::Result<ExitCode> {
    if args.json {
        output::text(&serde_json::to_string_pretty(&stamp::build())?)?;
    } else {
        output::text(&stamp::text())?;
    }
    Ok(ExitCode::SUCCESS)
}
