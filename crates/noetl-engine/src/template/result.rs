//! The result of a step as templates see it.

use std::sync::Arc;

use minijinja::Value;
use minijinja::value::{Enumerator, Object, ObjectRepr};

/// A mapping that is a step's result, with further names for its parts.
///
/// - `step.result`, `step.output` and `step.data` are the whole result, unless the mapping has such a key.
/// - `step.results.TASK` is the result of a task of the step's pipeline.
/// - A key that an HTTP response or a `{status, data}` lacks is looked up in its data: `step.paging` is
///   `step.data.paging`.
#[derive(Debug)]
pub(crate) struct StepResult {
    value: Value,
    tasks: Value,
}

impl StepResult {
    /// Wraps a result that is a mapping; other values are returned as they are.
    pub(crate) fn wrap(value: Value, tasks: Value) -> Value {
        if value.kind() == minijinja::value::ValueKind::Map
            && value.downcast_object_ref::<Self>().is_none()
        {
            Value::from_object(Self { value, tasks })
        } else {
            value
        }
    }

    pub(super) fn inner(&self) -> &Value {
        &self.value
    }

    fn own(&self, key: &Value) -> Option<Value> {
        self.value
            .get_item(key)
            .ok()
            .filter(|found| !found.is_undefined())
    }
}

impl Object for StepResult {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Map
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        if let Some(found) = self.own(key) {
            return Some(found);
        }
        match key.as_str()? {
            "results" if !self.tasks.is_undefined() && self.tasks.len() != Some(0) => {
                Some(self.tasks.clone())
            }
            "result" | "output" | "data" => Some(self.value.clone()),
            "body" if self.own(&Value::from("status_code")).is_some() => {
                self.own(&Value::from("data"))
            }
            _ => {
                let envelope = ["status_code", "status"]
                    .iter()
                    .any(|key| self.own(&Value::from(*key)).is_some());
                let body = self.own(&Value::from("data")).filter(|_| envelope)?;
                body.get_item(key)
                    .ok()
                    .filter(|found| !found.is_undefined())
            }
        }
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        match self.value.try_iter() {
            Ok(keys) => Enumerator::Values(keys.collect()),
            Err(_) => Enumerator::Empty,
        }
    }
}
