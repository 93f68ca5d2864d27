//! Commands and outcomes: what the state machine asks of a worker, and what the worker answers.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use crate::playbook::{Task, ToolKind};
use crate::secret_reference;
use crate::template::Scope;
use noetl_api::Failure;

/// A request to a worker: to run the tasks of a step once.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Command {
    /// `<execution>:<step>:<number>`; it is never used twice.
    pub id: String,
    /// The execution it belongs to.
    pub execution_id: String,
    /// The step.
    pub step: String,
    /// The iteration of a loop.
    pub iteration: Option<usize>,
    /// Number of the attempt of the step, from 1.
    pub attempt: u32,
    /// Milliseconds to wait before it may run.
    pub delay_ms: u64,
    /// The pipeline.
    pub tasks: Arc<[Task]>,
    /// Names that the tasks' templates use, with their values. They are shared with the execution.
    #[serde(with = "values")]
    pub(crate) context: Scope,
    /// Those of the names that are results of steps, with the results of the steps' tasks.
    #[serde(with = "values")]
    pub(crate) results: Scope,
    /// Those of the names that are steps without a result: they were not taken, or not yet.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub undefined: Vec<String>,
    /// The arguments of the step.
    pub args: Map<String, Json>,
    /// Fields of the tool that differ in this attempt.
    pub overrides: Map<String, Json>,
    /// Names under `keychain.` with the credentials that they stand for.
    pub keychain: Vec<(String, String)>,
    /// The references that earlier `secrets` steps gave: in context and arguments they stand for the secret.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<Json>,
    /// What earlier steps were given secrets from: the output of this one must not contain them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub given: Vec<SecretSource>,
}

/// Values by name, as JSON.
mod values {
    use std::collections::BTreeMap;

    use serde::{Deserialize as _, Deserializer, Serializer};
    use serde_json::Value as Json;

    use crate::template::{Scope, into_value, to_json};

    pub(super) fn serialize<S: Serializer>(
        values: &Scope,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_map(values.iter().map(|(name, value)| (name, to_json(value))))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Scope, D::Error> {
        let read = BTreeMap::<String, Json>::deserialize(deserializer)?;
        let values = read.into_iter();
        Ok(values
            .map(|(name, value)| (name, into_value(value)))
            .collect())
    }
}

/// Where a secret comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SecretSource {
    /// The credential of this name.
    Credential(String),
    /// The environment variable of this name, where the step runs.
    Environment(String),
}

/// How a command ended.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outcome {
    /// The result of the last task.
    #[serde(default)]
    pub result: Json,
    /// The fields and arguments of the tool as they were after templates, shortened; by task when there are several.
    #[serde(default, skip_serializing_if = "Json::is_null")]
    pub input: Json,
    /// Why it failed, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Failure>,
    /// Results of the pipeline's tasks by name, when there are several.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub tasks: Map<String, Json>,
    /// Variables that policy rules set in `ctx`.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub ctx: Map<String, Json>,
    /// Variables that policy rules set in `iter`.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub iter: Map<String, Json>,
    /// What it was given secrets from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub given: Vec<SecretSource>,
    /// The attempts before the last, which were made again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attempts: Vec<Attempt>,
    /// Milliseconds that it took.
    #[serde(default)]
    pub duration_ms: u64,
}

/// An attempt of a task that was made again.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Attempt {
    /// Its number, from 1.
    pub number: u32,
    /// Its result; null when it failed.
    #[serde(default)]
    pub result: Json,
    /// Why it failed; none when it was made again because of its result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Failure>,
    /// Milliseconds that it took.
    #[serde(default)]
    pub duration_ms: u64,
}

impl Outcome {
    /// Returns the outcome of a command that could not begin.
    pub fn failed(failure: Failure) -> Self {
        Self {
            error: Some(failure),
            ..Self::default()
        }
    }
}

impl Outcome {
    /// Returns the outcome without its result and its error, which an event has as well.
    pub fn variables(&self) -> Self {
        Self {
            result: Json::Null,
            input: Json::Null,
            error: None,
            tasks: self.tasks.clone(),
            ctx: self.ctx.clone(),
            iter: self.iter.clone(),
            given: self.given.clone(),
            attempts: Vec::new(),
            duration_ms: self.duration_ms,
        }
    }
}

impl Command {
    /// Returns the references in an outcome that this command's own `secrets` tasks gave. One in the
    /// result of another tool does not count.
    pub(crate) fn references(&self, outcome: &Outcome) -> Vec<Json> {
        let results = self
            .tasks
            .iter()
            .filter(|task| task.kind == ToolKind::Secrets)
            .filter_map(|task| match &*self.tasks {
                [_] => Some(&outcome.result),
                _ => outcome.tasks.get(&task.name),
            });
        results.flat_map(secret_reference::find_all).collect()
    }
}
