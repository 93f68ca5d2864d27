//! `noetl guard-steps`: the process that a server, a worker or a run starts beside itself, so that what its steps have
//! started does not outlive it.

use std::process::ExitCode;

pub(crate) fn run() -> anyhow::Result<ExitCode> {
    #[cfg(unix)]
    noetl_engine::guard_steps(std::io::stdin().lock());
    Ok(ExitCode::SUCCESS)
}
