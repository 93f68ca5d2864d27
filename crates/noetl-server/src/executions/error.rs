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
    /// There is no such execution.
    #[error("there is no execution {0}")]
    NoExecution(i64),
    /// There is no such command, or it has its outcome.
    #[error("there is no command {0} that waits for an outcome")]
    NoCommand(String),
    /// Another worker holds the command.
    #[error("command {0} is held by another worker")]
    Held(String),
    /// The execution has ended.
    #[error("execution {0} has ended")]
    Ended(i64),
    /// The playbook lacks a step.
    #[error("the playbook has no step `{0}`")]
    NoStep(String),
}
