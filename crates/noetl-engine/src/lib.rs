//! NoETL's engine: the playbook model, its templates, and the state machine that executes it.
//!
//! A library that prints nothing and reads no environment. Three parts depend on each other in one
//! direction only:
//!
//! - [`Playbook`] reads YAML in every dialect of `noetl.io/v2` into one model;
//! - [`execution::Machine`] turns a playbook and what happened so far into [`execution::Command`]s, without
//!   doing anything itself;
//! - [`run_command`] does what a command says, by way of a [`Host`].
//!
//! [`local::run`] puts them together in one process.

pub mod execution;
pub mod local;
mod pipeline;
mod playbook;
mod problem;
mod template;
mod tool;
mod yaml;

pub use pipeline::run as run_command;
pub use playbook::{Action, Arc, Executor, Field, Loop, Next, Playbook, Step, Task, ToolKind};
pub use problem::{Place, Problem, Problems, Severity};
pub use template::render_value as render;
pub use tool::{
    BoxFuture, Credential, Failure, Host, Machine as HostMachine, Stream, SubPlaybook, run_sql,
};
