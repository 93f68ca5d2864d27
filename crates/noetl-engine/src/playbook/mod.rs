//! The playbook model: one shape for every dialect of `noetl.io/v2`.
//!
//! Playbooks are written in three dialects: case/when/then, conditional `next`, and router arcs with
//! pipelines. All are read into the same types, so that only the parser knows the dialect.

mod credentials;
mod distance;
mod document;
mod graph;
mod input;
mod json_schema;
mod model;
mod parse;
mod python_code;
mod step;
mod task;
mod tool_kind;
mod validate;

use serde_json::{Map, Value as Json};

pub(crate) use model::Items;
pub use model::{
    Action, Admission, Case, Collect, Edge, Executor, KeychainEntry, Loop, Next, Playbook, Repeat,
    Step,
};
pub use parse::schema;
pub(crate) use python_code::{
    keys_of_parameter, main_parameters, parameters_of_main, reads_context,
};
pub use task::{Assignment, Backoff, Retry, Rule, RuleAction, Task, VariableScope};
pub use tool_kind::ToolKind;

use noetl_api::Problems;

impl Playbook {
    /// Reads a playbook. `file` names the text in messages.
    ///
    /// # Errors
    /// Returns all problems at once, when one of them keeps the playbook from running. Names that no
    /// template can resolve are not among them: see [`Playbook::validate`].
    pub fn parse(file: &str, text: &str) -> Result<Self, Problems> {
        match parse::playbook(file, text) {
            (Some(playbook), problems) if !problems.any_error() => Ok(playbook),
            (_, problems) => Err(problems),
        }
    }

    /// Returns every problem that is to be known before a playbook runs: those of [`Playbook::parse`],
    /// steps that cannot be reached, and names in templates that are not defined.
    ///
    /// `payload` holds names that will be given when it runs.
    pub fn validate(file: &str, text: &str, payload: &Map<String, Json>) -> Problems {
        match parse::playbook(file, text) {
            (Some(playbook), _) => playbook.problems(payload),
            (None, problems) => problems,
        }
    }

    /// Returns what [`Playbook::validate`] returns, of a playbook that has been read.
    pub fn problems(&self, payload: &Map<String, Json>) -> Problems {
        validate::problems(self, payload)
    }

    /// Returns a YAML or JSON text as JSON, if it is a mapping.
    pub fn document(text: &str) -> Option<Map<String, Json>> {
        match document::read(text).ok()?.root.to_json() {
            Json::Object(document) => Some(document),
            _ => None,
        }
    }
}
