//! The names that a template can use, and their values.

use std::collections::BTreeMap;

use minijinja::Value;
use serde_json::{Map, Value as Json};

use super::frame::{Frame, StepRun};
use super::state::Machine;
use crate::field::Field;
use crate::outcome_values::{error_value, outcome_value};
use crate::template::{Scope, StepResult, from_json};
use noetl_api::{ExecutionStatus, Failure};

/// Where a template is evaluated: in a step run, an iteration of its loop, and perhaps after a call.
pub(super) struct EvaluationContext<'a> {
    pub(super) run: &'a StepRun,
    pub(super) iteration: Option<usize>,
    /// Names that have a value only after a call: `event`, `response`, `error` and others.
    pub(super) after_call: Scope,
    pub(super) args: &'a Map<String, Json>,
}

impl<'a> EvaluationContext<'a> {
    /// Returns the context before the call of a step run.
    pub(super) fn before_call(run: &'a StepRun, iteration: Option<usize>) -> Self {
        Self {
            run,
            iteration,
            after_call: Scope::new(),
            args: &run.args,
        }
    }
}

impl Machine {
    /// Returns the context after a call, with its response, error and event.
    pub(super) fn context_after<'m>(
        &'m self,
        frame: &Frame,
        event: &str,
    ) -> Result<EvaluationContext<'m>, Failure> {
        let run = self
            .runs
            .get(&frame.run)
            .ok_or_else(|| Failure::new("internal", "the step has ended already"))?;
        Ok(EvaluationContext {
            run,
            iteration: frame.iteration,
            after_call: self.names_after_call(frame, event),
            args: &run.args,
        })
    }

    /// Returns the value of a name.
    pub(super) fn lookup(&self, name: &str, context: &EvaluationContext<'_>) -> Option<Value> {
        if let Some(value) = context.after_call.get(name) {
            return Some(value.clone());
        }
        if let Some(value) = self.loop_name(name, context.run, context.iteration) {
            return Some(value);
        }
        match name {
            "args" | "input" => return Some(from_json(&Json::Object(context.args.clone()))),
            "ctx" => return Some(Value::from(self.ctx.clone())),
            "vars" => return Some(self.vars()),
            "workload" => return Some(self.workload_value.clone()),
            _ => {}
        }
        if let Some(value) = context.args.get(name) {
            return Some(from_json(value));
        }
        if let Some(value) = self.ctx.get(name) {
            return Some(value.clone());
        }
        if let Some(result) = self.results.get(name) {
            return Some(StepResult::wrap(result.value.clone(), result.tasks.clone()));
        }
        if let Some(value) = self.default_of(name) {
            return Some(value);
        }
        match name {
            "execution_id" => Some(Value::from(self.shown_id.as_str())),
            "job" => {
                let id = Value::from(self.shown_id.as_str());
                Some(Value::from(BTreeMap::from([
                    ("uuid", id.clone()),
                    ("id", id.clone()),
                    ("execution_id", id),
                ])))
            }
            "execution" => Some(self.execution_value()),
            "loop_results" => self.loop_results.clone(),
            // A run that names no step has none.
            "target" => Some(Value::UNDEFINED),
            // A step that was not taken, or not yet, has an undefined result.
            _ => self.playbook.step(name).map(|_| Value::UNDEFINED),
        }
    }

    /// Returns the value of `execution`: its id, its status, and what failed.
    fn execution_value(&self) -> Value {
        let failure = self.failure.as_ref();
        let status = match failure {
            Some(_) => ExecutionStatus::Failed,
            None if self.final_step_ran => ExecutionStatus::Completed,
            None => self.status,
        };
        let failed_step = failure.and_then(|failure| failure.place.as_ref()?.step.as_deref());
        Value::from(BTreeMap::from([
            ("id", Value::from(self.shown_id.as_str())),
            ("status", Value::from(status.as_str())),
            (
                "error",
                failure.map_or_else(|| Value::from(()), error_value),
            ),
            (
                "failed_step",
                failed_step.map_or_else(|| Value::from(()), Value::from),
            ),
        ]))
    }

    /// Returns the value of a name in a loop's body: the iterator, `iter`, `loop`, `loop_index`.
    fn loop_name(&self, name: &str, run: &StepRun, iteration: Option<usize>) -> Option<Value> {
        let (index, state) = (iteration?, run.loop_state.as_ref()?);
        let iterator = &self.playbook.steps[run.step].for_each.as_ref()?.iterator;
        let item = state.items.get(index)?;
        if name == iterator {
            return Some(item.clone());
        }
        match name {
            "iter" => {
                let mut values = state.variables.get(index).cloned().unwrap_or_default();
                values.insert(iterator.clone(), item.clone());
                values.insert("index".to_owned(), Value::from(index));
                values.insert("total".to_owned(), Value::from(state.items.len()));
                Some(Value::from(values))
            }
            "loop" => Some(Value::from(BTreeMap::from([
                ("index", Value::from(index)),
                ("index0", Value::from(index)),
                ("first", Value::from(index == 0)),
                ("last", Value::from(index + 1 == state.items.len())),
                ("length", Value::from(state.items.len())),
                ("done", Value::from(index + 1 == state.items.len())),
                ("item", item.clone()),
            ]))),
            "loop_index" => Some(Value::from(index)),
            name => state.variables.get(index)?.get(name).cloned(),
        }
    }

    /// Returns an entry of the workload. It is shared, however large it is.
    fn default_of(&self, name: &str) -> Option<Value> {
        let value = self.workload_value.get_attr(name).ok()?;
        (!value.is_undefined()).then_some(value)
    }

    fn vars(&self) -> Value {
        let defaults = self.workload.keys();
        let mut vars: Scope = defaults
            .filter_map(|name| Some((name.clone(), self.default_of(name)?)))
            .collect();
        vars.extend(self.ctx.clone());
        Value::from(vars)
    }

    /// Returns the values of the names that a field's templates use.
    pub(super) fn scope(&self, field: &Field, context: &EvaluationContext<'_>) -> Scope {
        field
            .roots()
            .filter_map(|name| Some((name.to_owned(), self.lookup(name, context)?)))
            .collect()
    }

    /// Returns all values, for code that takes all of them.
    pub(super) fn all_values(&self) -> Scope {
        let mut all: Scope = self
            .workload
            .keys()
            .filter_map(|name| Some((name.clone(), self.default_of(name)?)))
            .collect();
        all.extend(self.ctx.clone());
        let results = self.results.iter();
        all.extend(results.map(|(name, result)| (name.clone(), result.value.clone())));
        all
    }

    /// Returns the names that have a value only after a call.
    pub(super) fn names_after_call(&self, frame: &Frame, event: &str) -> Scope {
        let outcome = &frame.outcome;
        let mut scope = Scope::new();
        let error = outcome.error.as_ref().map(error_value);
        let status = if error.is_some() { "error" } else { "ok" };
        if error.is_none() {
            let tasks = from_json(&Json::Object(outcome.tasks.clone()));
            let response = StepResult::wrap(frame.response.clone(), tasks);
            scope.insert("response".to_owned(), response.clone());
            scope.insert("result".to_owned(), response);
        }
        scope.insert("error".to_owned(), error.unwrap_or_else(|| Value::from(())));
        let whole = outcome_value(outcome, &frame.response, frame.attempt);
        scope.insert("outcome".to_owned(), whole.clone());
        scope.insert("output".to_owned(), whole);
        let step = self.step_of(frame.run).map(|step| step.name.as_str());
        let payload = Value::from(BTreeMap::from([("response", frame.response.clone())]));
        scope.insert(
            "event".to_owned(),
            Value::from(BTreeMap::from([
                ("name", Value::from(event)),
                ("type", Value::from(event)),
                ("step", Value::from(step.unwrap_or_default())),
                ("status", Value::from(status)),
                ("payload", payload),
            ])),
        );
        scope
    }
}
