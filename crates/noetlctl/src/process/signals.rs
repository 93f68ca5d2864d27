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
