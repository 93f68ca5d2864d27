//! `noetl status`: shows an execution, or follows it with --watch.

mod print;
pub(in crate::commands) mod request;
mod view;
pub(super) mod watch;

use std::process::ExitCode;

use crate::cli::client::RootArgs;
use crate::cli::execute::ExecutionStatusArgs;
use crate::client::Client;

pub(super) fn run(args: &ExecutionStatusArgs, root: &RootArgs) -> anyhow::Result<ExitCode> {
    let client = Client::open(root, &args.client)?;
    if args.watch {
        let view = watch::View::new(args.client.json, args.verbose);
        return watch::run(&client, &args.id, view);
    }
    let state = request::status(&client, &args.id)
        .map_err(|error| request::unknown_execution(error, &args.id))?;
    print::status(&client, &state, args.client.json)?;
    Ok(ExitCode::SUCCESS)
}
