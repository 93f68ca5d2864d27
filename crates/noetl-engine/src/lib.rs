//! NoETL's engine: the playbook model, its templates, and the state machine that executes it.
//!
//! A library that prints nothing and reads no environment. Its three parts are:
//!
//! - [`Playbook`] reads YAML in every dialect of `noetl.io/v2` into one model;
//! - [`execution::Machine`] turns a playbook and what happened so far into [`execution::Command`]s, and has
//!   no side effects;
//! - [`run_command`] does what a command says, by way of a [`Host`].
//!
//! [`local::run`] puts them together in one process.
//!
//! # Map
//!
//! A module depends only on modules above it, and so does a file within a module. Failures, problems and statuses
//! are types of `noetl-api`:
//!
//! | module | what it is |
//! |---|---|
//! | `bounded_json` | JSON of others, read with a bound on its memory |
//! | `path` | paths of values within a field |
//! | `field` | a value of a playbook with the templates inside it |
//! | `secret_reference` | references that stand for secrets in results |
//! | `tls` | which servers are trusted |
//! | `template` | Jinja templates and conditions, evaluated by minijinja |
//! | `playbook` | the playbook model, its parser and its checks |
//! | `interpreters` | Python interpreters that stay between steps |
//! | `processes` | the processes that steps have started, and their end |
//! | `host` | the interface to the program that runs the tools |
//! | `command` | commands to a worker, and their outcomes |
//! | `outcome_values` | outcomes and failures as templates see them |
//! | `tool` | the tools: shell, http, python, SQL, sinks and others |
//! | `pipeline` | the worker's side: runs the tasks of a command |
//! | `execution` | the state machine: events, rules, loops, routing |
//! | `local` | an execution within one process |

mod bounded_json;
mod command;
pub mod execution;
mod field;
mod host;
mod interpreters;
pub mod local;
mod outcome_values;
mod path;
mod pipeline;
mod playbook;
#[cfg(unix)]
mod processes;
mod secret_reference;
mod template;
pub mod tls;
mod tool;

pub use field::Field;
pub use host::{BoxFuture, Credential, Host, Stream, SubPlaybook, ToolEnvironment};
#[cfg(unix)]
pub use interpreters::PythonPool;
pub use noetl_api::{Failure, Place, Problem, Problems, Severity};
pub use pipeline::{run as run_command, run_at_once};
pub use playbook::{
    Action, Admission, Assignment, Backoff, Case, Collect, Edge, Executor, KeychainEntry, Loop,
    Next, Playbook, Repeat, Retry, Rule, RuleAction, Step, Task, ToolKind, VariableScope, schema,
};
#[cfg(unix)]
pub use processes::{StepGuard, guard_steps};
pub use template::render_value as render;
pub use tool::{check_python, run_sql};
