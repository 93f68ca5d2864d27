//! `noetl server stop`: stops the background server.

use std::process::ExitCode;

use crate::cli::server::StopArgs;
use crate::process::{pid_file, stop};

pub(super) fn run(args: &StopArgs) -> anyhow::Result<ExitCode> {
    let start = "`noetl server start --detach` starts one";
    stop::stop(pid_file::SERVER, "background server", start, args.force)
}
