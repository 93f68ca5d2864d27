//! The signals that stop a process: Ctrl-C and, on Unix, SIGTERM.

use anyhow::Context as _;

/// Returns a future that completes when this process is asked to stop. The signal handlers are installed
/// before the function returns, so that an early signal is not lost.
///
/// # Errors
/// Fails when the system refuses a signal handler.
#[cfg(unix)]
pub(crate) fn stop() -> anyhow::Result<impl Future<Output = ()> + Send + 'static> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate()).context("cannot handle SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot handle Ctrl-C")?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

/// Makes a write beyond a limit on the size of files (`ulimit -f`) an error, as it is on a full disk. Without this, the
/// system ends the process.
///
/// # Errors
/// Fails when the system refuses a signal handler.
#[cfg(unix)]
pub(crate) fn make_file_size_limit_an_error() -> anyhow::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    // A handler, since programs that are started inherit what is ignored, but no handlers. It stays when the stream
    // of its signals is dropped.
    let too_large = SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw());
    signal(too_large).context("cannot handle SIGXFSZ").map(drop)
}

/// Returns a future that completes when this process is asked to stop. The signal handler is installed
/// before the function returns, so that an early signal is not lost.
///
/// # Errors
/// Fails when the system refuses the signal handler.
#[cfg(windows)]
pub(crate) fn stop() -> anyhow::Result<impl Future<Output = ()> + Send + 'static> {
    let mut interrupt = tokio::signal::windows::ctrl_c().context("cannot handle Ctrl-C")?;
    Ok(async move {
        interrupt.recv().await;
    })
}
