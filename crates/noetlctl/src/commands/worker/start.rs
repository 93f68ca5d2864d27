//! `noetl worker start`: claims commands of a server under leases, runs them, reports their outcomes.

use std::hash::{BuildHasher as _, RandomState};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use noetl_server::worker::{Slots, Worker};

use super::ask::may_pass;
use super::source::ServerSource;
use crate::cli::client::RootArgs;
use crate::cli::worker::WorkerStartArgs;
use crate::client::Client;
use crate::client::remote::Remote;
use crate::config;
use crate::output;
use crate::process::pid_file::{self, PidFile};
use crate::process::{log, signals};

/// How long to wait before a server that did not answer is asked again.
const AGAIN: Duration = Duration::from_secs(1);
/// How long tasks may take to end once the worker is stopped.
const GRACE: Duration = Duration::from_secs(2);

pub(super) fn run(args: &WorkerStartArgs, root: &RootArgs) -> anyhow::Result<ExitCode> {
    config::hide_secrets()?;
    log::to_stderr();
    let client = Arc::new(Client::new(Remote::find(&args.remote.or(root))?)?);
    let capacity = config::max_workers(args.max_workers).max(1);
    let name = args
        .name
        .clone()
        .or_else(config::worker_name)
        .unwrap_or_else(|| format!("worker-{}", std::process::id()));
    let source = ServerSource {
        client,
        name: unique(&name),
        capacity,
        tools: config::tool_environment(),
    };
    let runtime = tokio::runtime::Runtime::new().context("cannot start the async runtime")?;
    let ended = runtime.block_on(work(source, &name));
    runtime.shutdown_timeout(GRACE);
    ended?;
    Ok(ExitCode::SUCCESS)
}

/// Works until a signal to stop; `name` is what `noetl worker stop` calls the worker.
async fn work(source: ServerSource, name: &str) -> anyhow::Result<()> {
    // A signal that arrives while the worker registers must not be lost.
    let stop = signals::stop()?;
    let mut stop = std::pin::pin!(stop);
    tokio::select! {
        registered = registration(&source) => registered?,
        () = &mut stop => return Ok(()),
    }
    let url = source.client.url();
    let pid_file = PidFile::create(&pid_file::worker(name), url)?;
    let words = format!(
        "noetl worker {} runs commands of {url} ({} at once)",
        source.name, source.capacity
    );
    // The worker works whether or not anyone reads this.
    drop(output::text(&words));
    let slots = Slots::new(source.capacity);
    let worker = Worker::new(source, slots);
    tokio::select! {
        () = Arc::clone(&worker).run() => {}
        () = &mut stop => {}
    }
    worker.stop_all();
    worker.source().deregister().await;
    drop(pid_file);
    Ok(())
}

/// Registers with the server. A server that does not answer yet is waited for, as one that restarts is later: in a
/// cluster, workers often start before it.
async fn registration(source: &ServerSource) -> anyhow::Result<()> {
    let mut told = false;
    loop {
        match source.register().await {
            Err(error) if may_pass(&error) => {
                if !told {
                    note!("{error}; waiting for it");
                    told = true;
                }
                tokio::time::sleep(AGAIN).await;
            }
            registered => return Ok(registered?),
        }
    }
}

/// Adds what tells workers of one name apart, and one from the one before: in containers all have the same
/// process number.
fn unique(name: &str) -> String {
    let began = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let random = RandomState::new().hash_one(began.as_nanos()) as u32;
    format!("{name}-{}-{random:08x}", std::process::id())
}
