//! The types that NoETL's server, command line, workers and web page exchange as JSON.
//!
//! Types alone: no I/O and no policy. The modules, each built on those above it:
//!
//! - `word`: the macro that defines an enum whose values are words on the wire;
//! - [`status`]: where executions, steps, events, commands and workers stand;
//! - [`problem`]: what is wrong with a playbook, and where;
//! - [`failure`]: why a task or a command failed;
//! - [`error`]: the body of every answer that is an error;
//! - [`name`]: ids and versions as requests write them;
//! - [`graph`]: the flow of a playbook as nodes and edges;
//! - [`catalog`]: playbooks, their versions and their validation;
//! - [`event`]: the event log, and what workers report to it;
//! - [`execution`]: starting, listing and following executions;
//! - [`cancel`]: ending executions before their time;
//! - [`log`]: what steps print;
//! - [`timeline`]: the calls of an execution in time;
//! - [`worker`]: workers, and the commands that they claim;
//! - [`credential`]: credentials and keychains;
//! - [`data`]: SQL, variables and templates;
//! - [`dashboard`]: sums over executions;
//! - [`server`]: health, sessions and the build stamp.
//!
//! The feature `openapi` adds the types' schemas for the server's OpenAPI document.

#[macro_use]
mod word;

pub mod cancel;
pub mod catalog;
pub mod credential;
pub mod dashboard;
pub mod data;
pub mod error;
pub mod event;
pub mod execution;
pub mod failure;
pub mod graph;
pub mod log;
pub mod name;
pub mod problem;
pub mod server;
pub mod status;
pub mod timeline;
pub mod worker;

pub use error::ErrorBody;
pub use failure::Failure;
pub use name::{Id, Version};
pub use problem::{Place, Problem, Problems, Severity};
pub use status::{
    AnswerStatus, CommandStatus, EventStatus, ExecutionStatus, StepStatus, WorkerStatus,
};
pub use word::UnknownWord;
