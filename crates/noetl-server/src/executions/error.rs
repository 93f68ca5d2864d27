//! Why an execution could not be started or changed.

use noetl_api::Problems;

use crate::store::StoreError;

/// Why an execution could not be started or changed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RunError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is no such playbook.
    #[error("there is no playbook {0} in the catalog")]
    NoPlaybook(String),
    /// The playbook cannot run.
    #[error("the playbook cannot run")]
    Invalid(Problems),
    /// The input does not fit the playbook's `workload_schema`.
    #[error("the input does not fit the playbook's `workload_schema`")]
    Input(Problems),
    /// There is no such execution.
    #[error("there is no execution {0}")]
    NoExecution(i64),
    /// There is no such command, or it has its outcome.
    #[error("there is no command {0} that waits for an outcome")]
    NoCommand(String),
    /// Another worker holds the command.
    #[error("command {0} is held by another worker")]
    Held(String),
    /// Too many holders of a command ended before its outcome was stored.
    #[error(
        "step `{step}` is not run again: what ran it ended {times} times before its outcome was stored"
    )]
    HoldersLost {
        /// The command's step.
        step: String,
        /// How many holders ended.
        times: i64,
    },
    /// The execution has ended.
    #[error("execution {0} has ended")]
    Ended(i64),
    /// The key of a request belongs to another one.
    #[error("the Idempotency-Key `{0}` was sent with another playbook or input before")]
    OtherRequest(String),
    /// An execution that has not ended is not retried.
    #[error("execution {0} has not ended")]
    NotEnded(i64),
    /// An execution that has completed is not retried.
    #[error("execution {0} has completed: there is nothing to retry")]
    Completed(i64),
    /// Requests have set variables of the execution, which belong to no step.
    #[error(
        "execution {0} has variables that requests have set, so that its steps cannot be repeated as they were"
    )]
    VariablesWereSet(i64),
    /// The playbook lacks a step.
    #[error("the playbook has no step `{0}`")]
    NoStep(String),
}
