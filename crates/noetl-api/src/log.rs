//! What steps print: the lines that workers send, and those that readers get.

use serde::{Deserialize, Serialize};

use crate::{AnswerStatus, ExecutionStatus, Id};

word_enum! {
    /// Where a line comes from.
    LogStream {
        /// Standard output of a program or of Python code.
        Stdout = "stdout",
        /// Standard error.
        Stderr = "stderr",
        /// The tool itself: a request and its status, numbers of rows, why an attempt failed.
        Note = "note",
    }
}

/// Lines of commands, as a worker sends them.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LogReport {
    /// The worker.
    #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 200))]
    pub worker_id: String,
    /// The lines, by command and attempt.
    pub logs: Vec<AttemptLog>,
}

/// Lines of one attempt of a command, in their order.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AttemptLog {
    /// The execution.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub execution_id: Id,
    /// The command.
    #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 1000))]
    pub command_id: String,
    /// The step.
    #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 1000))]
    pub step: String,
    /// The iteration of its loop, from 0.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(maximum = 1_000_000_000))]
    pub item: Option<u32>,
    /// The attempt, from 1.
    #[cfg_attr(feature = "openapi", schema(minimum = 1, maximum = 1_000_000_000))]
    pub attempt: u32,
    /// Which run of the command this is, and the number of the batch within it: a batch that is sent again is kept once.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(max_length = 200))]
    pub run: String,
    /// The number of the batch, from 1.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(maximum = 1_000_000_000))]
    pub batch: u32,
    /// How many lines before these the worker could not keep.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(maximum = 1_000_000_000))]
    pub dropped: u32,
    /// The lines.
    pub lines: Vec<LogEntry>,
}

/// A line as a worker sends it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LogEntry {
    /// Milliseconds since 1970 in UTC.
    #[cfg_attr(
        feature = "openapi",
        schema(minimum = 0, maximum = 9_000_000_000_000_i64)
    )]
    pub time: i64,
    /// Where it comes from.
    pub stream: LogStream,
    /// The line, without its end.
    pub text: String,
}

/// The answer to a report.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LogReceipt {
    /// Always `ok`: the lines are kept.
    pub status: AnswerStatus,
    /// Executions that do not exist: their lines are not kept, and none need be sent.
    pub unknown: Vec<String>,
}

/// Which lines to get.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::IntoParams))]
#[cfg_attr(feature = "openapi", into_params(parameter_in = Query))]
pub struct LogQuery {
    /// Those of this step.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// Those of this attempt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u32>,
    /// Those of this iteration of a loop, from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub item: Option<u32>,
    /// The field `after` of an earlier answer; without it, the first lines.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// At the most 10000; 1000 when missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<i64>,
}

/// What a stream of an execution begins with, and whether it has logs.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::IntoParams))]
#[cfg_attr(feature = "openapi", into_params(parameter_in = Query))]
pub struct StreamQuery {
    /// The last event that is known; none begins with the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// Whether the stream has what steps print too, in messages `log`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logs: Option<bool>,
    /// The field `after` of the last message `log` that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logs_after: Option<String>,
}

/// A message `log` of a stream.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LogMessage {
    /// The lines.
    pub lines: Vec<LogLine>,
    /// Names the last one.
    pub after: String,
}

/// A line of a step's output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LogLine {
    /// The step.
    pub step: String,
    /// The iteration of its loop, from 0.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub item: Option<u32>,
    /// The attempt, from 1.
    pub attempt: u32,
    /// The number of the line in its attempt, from 1. A gap means that the lines between are not kept.
    pub line: i64,
    /// When it was printed, in RFC 3339.
    pub time: String,
    /// Where it comes from.
    pub stream: LogStream,
    /// The line, without its end.
    pub text: String,
}

/// Lines of an execution, in the order in which they came.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LogPage {
    /// The lines.
    pub lines: Vec<LogLine>,
    /// Names the last one, to ask for those after it.
    pub after: String,
    /// Whether there are more lines now.
    pub more: bool,
    /// Where the execution stands.
    pub status: ExecutionStatus,
}

/// What one attempt has printed.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LogAttempt {
    /// The step.
    pub step: String,
    /// The iteration of its loop, from 0.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub item: Option<u32>,
    /// The attempt, from 1.
    pub attempt: u32,
    /// How many lines it has printed.
    pub lines: i64,
    /// Their bytes.
    pub bytes: i64,
    /// How many of the lines are not kept: an attempt's log is bounded, and its beginning and its end are kept.
    pub dropped: i64,
}

/// What the attempts of an execution have printed.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LogSummary {
    /// The execution.
    pub execution_id: String,
    /// The attempts that have printed something, in the order of their first lines; at the most 10000.
    pub attempts: Vec<LogAttempt>,
}
