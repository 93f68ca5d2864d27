//! The input of an execution: values as people write them for the playbook's workload.

use serde_json::{Map, Value as Json};

use super::model::Playbook;
use crate::template;
use noetl_api::Failure;

impl Playbook {
    /// Adds values that are given as text, as by `--set KEY=VALUE`, to the input of an execution. A key may be a path,
    /// and begin with `workload.`.
    ///
    /// A value is text where the workload's default is text; elsewhere it is JSON if it can be read as JSON, and text if
    /// not. A number that would lose digits, such as `1.10`, is text unless the default is a number.
    pub fn assign(&self, input: &mut Map<String, Json>, key: &str, value: &str) {
        let default = self.default_of(key);
        let is_text = default
            .and_then(Json::as_str)
            .is_some_and(|text| !template::is_template(text));
        let json = match serde_json::from_str::<Json>(value) {
            _ if is_text => None,
            Ok(Json::Number(number))
                if number.to_string() != value && !default.is_some_and(Json::is_number) =>
            {
                None
            }
            read => read.ok(),
        };
        input.insert(key.to_owned(), json.unwrap_or_else(|| value.into()));
    }

    /// Checks that a step whose result a caller asks for is one of the playbook.
    ///
    /// # Errors
    /// A failure of kind `playbook` when there is no such step.
    pub fn check_return_step(&self, step: Option<&str>) -> Result<(), Failure> {
        let Some(step) = step.filter(|step| self.step(step).is_none()) else {
            return Ok(());
        };
        let known: Vec<_> = self.steps.iter().map(|step| step.name.as_str()).collect();
        let message = format!(
            "`{}` has no step `{step}` whose result could be returned",
            self.path
        );
        Err(Failure::new("playbook", message).help(format!("its steps are {}", known.join(", "))))
    }

    /// Returns the workload's default at a path.
    fn default_of(&self, key: &str) -> Option<&Json> {
        let key = self.strip_workload(key);
        self.workload.get(key).or_else(|| {
            let mut parts = key.split('.');
            let first = self.workload.get(parts.next()?)?;
            parts.try_fold(first, |value, part| value.get(part))
        })
    }

    /// Returns a key of an input without `workload.` before it, unless the workload has a key of that name itself.
    pub(crate) fn strip_workload<'k>(&self, key: &'k str) -> &'k str {
        match key.strip_prefix("workload.") {
            Some(rest) if !self.workload.contains_key("workload") => rest,
            _ => key,
        }
    }
}
