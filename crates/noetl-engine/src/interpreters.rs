//! Python interpreters: the program that runs a step in one, and those that stay between steps.

#[cfg(unix)]
mod pool;

#[cfg(unix)]
pub use pool::PythonPool;
#[cfg(unix)]
pub(crate) use pool::{Key, read_status};

/// The program that runs one step: its request is standard input.
pub(crate) const RUNNER: &str = include_str!("interpreters/runner.py");
