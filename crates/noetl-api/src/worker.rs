//! Workers, and the commands that they claim.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{AnswerStatus, CommandStatus, ExecutionStatus, Failure, Id, WorkerStatus};

/// A worker that registers.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct WorkerRegistration {
    /// Its name, unique among workers.
    #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 200))]
    pub name: String,
    /// The language of the worker; `rust` when missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runtime: Option<String>,
    /// Commands that it runs at once; 1 when missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(minimum = 1, maximum = 100000))]
    pub capacity: Option<u32>,
    /// Labels for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub labels: Option<BTreeMap<String, String>>,
    /// Its process.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// Its machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hostname: Option<String>,
}

/// A worker's name, and the commands that it holds.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct WorkerHeartbeat {
    /// The worker.
    pub name: String,
    /// Commands whose leases it renews.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commands: Option<Vec<String>>,
}

/// A registered worker.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct WorkerRegistered {
    /// Always `ok`.
    pub status: AnswerStatus,
    /// The worker.
    pub name: String,
    /// Its id.
    pub runtime_id: String,
    /// Always `worker_pool`.
    pub kind: RuntimeKind,
    /// The language of the worker.
    pub runtime: String,
}

word_enum! {
    /// The kind of program that registers.
    RuntimeKind {
        /// A worker.
        WorkerPool = "worker_pool",
    }
}

/// The answer to a heartbeat.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct HeartbeatAnswer {
    /// Always `ok`.
    pub status: AnswerStatus,
    /// The worker.
    pub name: String,
    /// Commands that the worker must stop: cancelled, or taken over by another.
    pub cancelled: Vec<String>,
}

/// A worker in a list.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Worker {
    /// Its name.
    pub name: String,
    /// Its id.
    pub runtime_id: String,
    /// The language of the worker.
    pub runtime: String,
    /// Whether it is online.
    pub status: WorkerStatus,
    /// Commands that it runs at once.
    pub capacity: i64,
    /// Labels for people.
    pub labels: Map<String, Value>,
    /// Its process.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub pid: Option<i64>,
    /// Its machine.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub hostname: Option<String>,
    /// When it registered, in RFC 3339.
    pub started_at: String,
    /// When it sent its last heartbeat.
    pub heartbeat: String,
    /// Commands that it holds.
    pub running: i64,
}

/// Workers by name.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct WorkerList {
    /// The workers.
    pub items: Vec<Worker>,
    /// How many.
    pub count: usize,
    /// Always `all`: the list is not narrowed by runtime.
    pub runtime: ListScope,
    /// Always `all`: the list is not narrowed by status.
    pub status: ListScope,
}

word_enum! {
    /// Which workers a list holds.
    ListScope {
        /// All of them.
        All = "all",
    }
}

/// How many commands wait and run.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct QueueState {
    /// Always `ok`.
    pub status: AnswerStatus,
    /// Commands that wait for a worker.
    pub queue_depth: i64,
    /// Commands that a worker holds.
    pub running: i64,
}

/// A request for commands.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ClaimRequest {
    /// The worker.
    #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 200))]
    pub worker_id: String,
    /// At the most 100; 1 when missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(minimum = 1, maximum = 100))]
    pub limit: Option<u32>,
    /// How long to wait for work, at the most 30.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(minimum = 0, maximum = 30))]
    pub wait_seconds: Option<u32>,
}

/// Commands that a worker now holds.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Claims {
    /// The commands, as the engine writes them.
    pub commands: Vec<Map<String, Value>>,
    /// How long they are held without a heartbeat.
    pub lease_seconds: i64,
}

/// A request for one command.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CommandClaim {
    /// The worker.
    #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 200))]
    pub worker_id: String,
}

/// A command, as older workers know it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CommandItem {
    /// Whether a worker holds it.
    pub status: CommandStatus,
    /// The event that issued it.
    pub event_id: String,
    /// The execution.
    pub execution_id: String,
    /// The command.
    pub node_id: String,
    /// The step.
    pub node_name: String,
    /// The kind of its first tool.
    pub action: String,
    /// What a worker runs.
    pub context: Map<String, Value>,
    /// The command's id and attempt.
    pub meta: Map<String, Value>,
}

/// A sub-playbook that a worker's command calls.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SubPlaybookRequest {
    /// The execution of the command.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub execution_id: Id,
    /// The path of the sub-playbook, as the playbook has it.
    pub path: String,
    /// Its version; the latest when missing.
    pub version: Option<i64>,
    /// Its payload.
    #[serde(default)]
    pub payload: Map<String, Value>,
    /// The step whose result is wanted; the last one when missing.
    pub return_step: Option<String>,
    /// The playbook that calls, for paths beside it.
    pub caller: String,
    /// Identifies the call: a second one with the same key starts nothing.
    #[cfg_attr(feature = "openapi", schema(min_length = 1))]
    pub key: String,
}

/// How a sub-playbook ended.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SubPlaybookAnswer {
    /// `RUNNING` when it has not ended yet; the request is then sent again.
    pub status: ExecutionStatus,
    /// Its result.
    pub result: Value,
    /// The failure of the call.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub error: Option<Failure>,
}
