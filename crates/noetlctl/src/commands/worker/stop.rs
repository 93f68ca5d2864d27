//! `noetl worker stop`: ends a worker of this machine.

use std::process::ExitCode;

use anyhow::anyhow;
use noetl_help::Help as _;

use crate::cli::worker::WorkerStopArgs;
use crate::process::{pid_file, stop};

pub(super) fn run(args: &WorkerStopArgs) -> anyhow::Result<ExitCode> {
    let start = "`noetl worker start` starts one";
    let name = match &args.name {
        Some(name) => pid_file::worker(name),
        None => {
            let names = pid_file::workers()?;
            match names.as_slice() {
                [] => return Err(anyhow!("no worker is running").help(start)),
                [name] => name.clone(),
                several => {
                    let names: Vec<_> = several
                        .iter()
                        .map(|name| name.trim_start_matches("noetl_worker_"))
                        .collect();
                    return Err(anyhow!("several workers run: {}", names.join(", ")))
                        .help("name one with --name");
                }
            }
        }
    };
    stop::stop(&name, "worker", start, args.force)
}
