//! A call of a tool: one attempt of a task, its templates evaluated.

use std::time::Duration;

use serde_json::{Map, Value as Json};

use crate::host::{Host, Stream};
use crate::playbook::ToolKind;
use crate::template::Scope;
use noetl_api::Failure;
use noetl_api::Place;

/// One attempt of a task.
#[derive(Debug, Clone)]
pub(crate) struct Call<'a> {
    /// The tool.
    pub kind: ToolKind,
    /// The tool's fields, such as `url` or `cmds`.
    pub config: &'a Map<String, Json>,
    /// `args` or `input`.
    pub args: &'a Map<String, Json>,
    /// Further values that code may use by name: results, `workload`, `execution_id`.
    pub context: &'a Scope,
    /// Identifies this call: it is the same when its command runs again.
    pub key: &'a str,
    /// The number of the attempt, from 1.
    pub attempt: u32,
    /// The longest that one attempt may take; without it the tool decides.
    pub timeout: Option<Duration>,
    /// Where the task is written in its playbook.
    pub place: &'a Place,
    /// The line of the playbook on which the code begins; none when it is not written there as it runs.
    pub code_line: Option<usize>,
}

impl Call<'_> {
    /// Gives the host a note for the step's output.
    pub(crate) fn note(&self, host: &dyn Host, text: &str) {
        host.output_line(self.place, self.attempt, Stream::Note, text);
    }

    /// Returns a field as text; numbers and booleans as they are written.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        match self.config.get(name)? {
            Json::Null => None,
            Json::String(text) => Some(text.clone()),
            other => Some(other.to_string()),
        }
    }

    /// Returns the first of the fields `names` that there is.
    pub(crate) fn first_text(&self, names: &[&str]) -> Option<String> {
        names.iter().find_map(|name| self.text(name))
    }

    /// Returns the failure of a tool without a field that it needs.
    pub(crate) fn missing(&self, name: &str) -> Failure {
        Failure::new(
            "config",
            format!("a {} tool needs the field `{name}`", self.kind.name()),
        )
    }
}
