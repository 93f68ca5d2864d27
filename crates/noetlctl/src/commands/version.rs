//! `noetl version`: the build stamp of this binary.

use std::process::ExitCode;

use crate::cli::VersionArgs;
use crate::stamp;

pub(crate) fn run(args: &VersionArgs) -> anyhow::Result<ExitCode> {
    if args.json {
        println!("{}", serde_json::to_string_pretty(&stamp::build())?);
    } else {
        print!("{}", stamp::text());
    }
    Ok(ExitCode::SUCCESS)
}
