//! `noetl version`: prints the build stamp of this binary.

use std::process::ExitCode;

use serde_json::{json, to_string_pretty, to_value};

use super::own::newest::{self, Newest};
use crate::cli::VersionArgs;
use crate::{output, stamp};

pub(super) fn run(args: &VersionArgs) -> anyhow::Result<ExitCode> {
    let newest = args.check.then(newest::ask).transpose()?;
    if args.json {
        let mut stamp = to_value(stamp::build())?;
        if let Some(newest) = &newest {
            stamp["newest_release"] = json!(newest);
        }
        output::text(&to_string_pretty(&stamp)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    output::text(&stamp::text())?;
    if let Some(newest) = newest {
        output::text(&match newest {
            Newest::UpToDate { version } => format!("the newest release is {version}"),
            Newest::Newer { version, command } => format!("noetl {version} is released: {command}"),
            Newest::NotAsked { because } => {
                format!("whether there is a newer release was not asked: {because} is set")
            }
        })?;
    }
    Ok(ExitCode::SUCCESS)
}
