//! `noetl server logs`: prints the end of the background server's log, and follows it.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use noetl_help::Help as _;

use super::log_file;
use crate::cli::server::LogsArgs;
use crate::output;

/// How often a followed log is read.
const INTERVAL: Duration = Duration::from_millis(200);

pub(super) fn run(args: &LogsArgs) -> anyhow::Result<ExitCode> {
    let path = log_file::path()?;
    let cannot = || format!("cannot read {}", path.display());
    let mut file = match File::open(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(
                anyhow!("no background server has written {}", path.display())
                    .help("`noetl server start --detach` starts one"),
            );
        }
        file => file.with_context(cannot)?,
    };
    let (text, end) = log_file::tail(&mut file, args.lines).with_context(cannot)?;
    output::document(&String::from_utf8_lossy(&text))?;
    if args.follow {
        follow(&path, end).with_context(cannot)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints what is added to the log, until Ctrl-C or until standard output is closed. A log that is shorter
/// than before is a new one.
fn follow(path: &Path, mut position: u64) -> anyhow::Result<()> {
    loop {
        thread::sleep(INTERVAL);
        let mut file = match File::open(path) {
            // While the log is rotated, it does not exist for a moment.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            file => file?,
        };
        let length = file.seek(SeekFrom::End(0))?;
        if length < position {
            position = 0;
        }
        file.seek(SeekFrom::Start(position))?;
        let mut added = Vec::new();
        position += file.take(length - position).read_to_end(&mut added)? as u64;
        output::document(&String::from_utf8_lossy(&added))?;
    }
}
