//! What a template may ask for at a given moment.

use std::collections::BTreeMap;

use minijinja::Value;
use serde_json::{Map, Value as Json};

use super::frame::{Frame, Run};
use super::state::Machine;
use crate::playbook::Field;
use crate::template::{Scope, StepResult, from_json, roots, to_json};
use crate::tool::Failure;

/// A run and one of its iterations, and the names that only this moment has.
pub(super) struct Moment<'a> {
    pub(super) run: Option<&'a Run>,
    pub(super) iteration: Option<usize>,
    /// `event`, `response`, `error` and the like.
    pub(super) extra: Scope,
    pub(super) args: &'a Map<String, Json>,
}

impl Machine {
    /// The value of a name, as a template would find it.
    pub(super) fn lookup(&self, name: &str, moment: &Moment<'_>) -> Option<Value> {
        if let Some(value) = moment.extra.get(name) {
            return Some(value.clone());
        }
        if let Some(value) = moment
            .run
            .and_then(|run| self.loop_name(name, run, moment.iteration))
        {
            return Some(value);
        }
        match name {
            "args" | "input" => return Some(from_json(&Json::Object(moment.args.clone()))),
            "ctx" => return Some(Value::from(self.ctx.clone())),
            "vars" => return Some(self.vars()),
            "workload" => return Some(self.workload_value.clone()),
            _ => {}
        }
        if let Some(value) = moment.args.get(name) {
            return Some(from_json(value));
        }
        if let Some(value) = self.ctx.get(name) {
            return Some(value.clone());
        }
        if let Some(record) = self.results.get(name) {
            return Some(StepResult::wrap(record.value.clone(), record.tasks.clone()));
        }
        if let Some(value) = self.workload.get(name) {
            return Some(from_json(value));
        }
        match name {
            "execution_id" => Some(Value::from(self.execution_id.as_str())),
            "job" => {
                let id = Value::from(self.execution_id.as_str());
                Some(Value::from(BTreeMap::from([
                    ("uuid", id.clone()),
                    ("id", id.clone()),
                    ("execution_id", id),
                ])))
            }
            "loop_results" => self.loop_results.clone(),
            _ => None,
        }
    }

    /// The names of a loop's body: the iterator, `iter`, `loop`, `loop_index`.
    fn loop_name(&self, name: &str, run: &Run, iteration: Option<usize>) -> Option<Value> {
        let (index, repeat) = (iteration?, run.repeat.as_ref()?);
        let iterator = &self.playbook.steps[run.step].repeat.as_ref()?.iterator;
        let item = repeat.items.get(index)?;
        if name == iterator {
            return Some(item.clone());
        }
        match name {
            "iter" => {
                let mut values = repeat.vars.get(index).cloned().unwrap_or_default();
                values.insert(iterator.clone(), item.clone());
                values.insert("index".to_owned(), Value::from(index));
                values.insert("total".to_owned(), Value::from(repeat.items.len()));
                Some(Value::from(values))
            }
            "loop" => Some(Value::from(BTreeMap::from([
                ("index", Value::from(index)),
                ("index0", Value::from(index)),
                ("first", Value::from(index == 0)),
                ("last", Value::from(index + 1 == repeat.items.len())),
                ("length", Value::from(repeat.items.len())),
                ("done", Value::from(index + 1 == repeat.items.len())),
                ("item", item.clone()),
            ]))),
            "loop_index" => Some(Value::from(index)),
            name => repeat.vars.get(index)?.get(name).cloned(),
        }
    }

    fn vars(&self) -> Value {
        let mut vars: BTreeMap<String, Value> = self
            .workload
            .iter()
            .map(|(name, value)| (name.clone(), from_json(value)))
            .collect();
        vars.extend(self.ctx.clone());
        Value::from(vars)
    }

    /// The values of the names in a field.
    pub(super) fn scope(&self, field: &Field, moment: &Moment<'_>) -> Scope {
        self.scope_of(field.roots(), moment)
    }

    pub(super) fn scope_of<'n>(
        &self,
        names: impl Iterator<Item = &'n str>,
        moment: &Moment<'_>,
    ) -> Scope {
        names
            .filter_map(|name| Some((name.to_owned(), self.lookup(name, moment)?)))
            .collect()
    }

    /// Everything that is known: for code that takes all of it.
    pub(super) fn everything(&self) -> Map<String, Json> {
        let mut all = self.workload.clone();
        all.extend(
            self.ctx
                .iter()
                .map(|(name, value)| (name.clone(), to_json(value))),
        );
        for (name, record) in &self.results {
            all.insert(name.clone(), to_json(&record.value));
        }
        all
    }

    /// The moment after a call: with its response, error and event.
    pub(super) fn after(&self, frame: &Frame, event: &str) -> Scope {
        let outcome = &frame.outcome;
        let status = if outcome.error.is_some() {
            "error"
        } else {
            "ok"
        };
        let mut scope = Scope::new();
        let error = outcome.error.as_ref().map(error_value);
        scope.insert(
            "error".to_owned(),
            error.clone().unwrap_or_else(|| Value::from(())),
        );
        if error.is_none() {
            let response = StepResult::wrap(
                frame.response.clone(),
                from_json(&Json::Object(outcome.tasks.clone())),
            );
            scope.insert("response".to_owned(), response.clone());
            scope.insert("result".to_owned(), response);
        }
        let whole = outcome_value(outcome, frame.attempt);
        scope.insert("outcome".to_owned(), whole.clone());
        scope.insert("output".to_owned(), whole);
        let step = self
            .runs
            .get(&frame.run)
            .map(|run| self.playbook.steps[run.step].name.as_str());
        scope.insert(
            "event".to_owned(),
            Value::from(BTreeMap::from([
                ("name", Value::from(event)),
                ("type", Value::from(event)),
                ("step", Value::from(step.unwrap_or_default())),
                ("status", Value::from(status)),
                (
                    "payload",
                    Value::from(BTreeMap::from([("response", frame.response.clone())])),
                ),
            ])),
        );
        scope
    }
}

/// A failure as templates see it: `error.status`, `error.kind`, `error.message`.
pub(crate) fn error_value(failure: &Failure) -> Value {
    let mut json = serde_json::to_value(failure).unwrap_or_default();
    if let Some(entries) = json.as_object_mut() {
        entries.shift_remove("place");
        if let Some(status) = failure.status {
            entries.insert("status_code".to_owned(), status.into());
        }
    }
    from_json(&json)
}

/// `outcome`, and `output` as it was called later.
pub(crate) fn outcome_value(outcome: &super::Outcome, attempt: u32) -> Value {
    let result = match &outcome.error {
        Some(failure) => failure.result.clone().unwrap_or_default(),
        None => outcome.result.clone(),
    };
    let wrapped = StepResult::wrap(
        from_json(&result),
        from_json(&Json::Object(outcome.tasks.clone())),
    );
    let http = outcome.error.as_ref().map_or_else(
        || result.get("status_code").cloned().unwrap_or_default(),
        |failure| failure.status.map_or(Json::Null, Json::from),
    );
    let headers = result.get("headers").cloned().unwrap_or_default();
    let code = outcome
        .error
        .as_ref()
        .and_then(|failure| failure.code.clone())
        .unwrap_or_default();
    let status = if outcome.error.is_some() {
        "error"
    } else {
        "ok"
    };
    Value::from(BTreeMap::from([
        ("status", Value::from(status)),
        ("result", wrapped.clone()),
        ("response", wrapped.clone()),
        ("data", wrapped),
        (
            "error",
            outcome
                .error
                .as_ref()
                .map_or_else(|| Value::from(()), error_value),
        ),
        (
            "http",
            from_json(&serde_json::json!({ "status": http, "headers": headers })),
        ),
        ("pg", from_json(&serde_json::json!({ "code": code }))),
        (
            "py",
            from_json(&serde_json::json!({ "exception_type": code })),
        ),
        (
            "meta",
            from_json(
                &serde_json::json!({ "attempt": attempt, "duration_ms": outcome.duration_ms }),
            ),
        ),
    ]))
}

impl Field {
    /// A value that stands in no file.
    pub(crate) fn plain(name: &str, value: Json) -> Self {
        Self {
            name: name.to_owned(),
            value,
            place: crate::problem::Place::default(),
            lines: BTreeMap::new(),
            roots: Vec::new(),
        }
    }

    /// The names that the field's templates begin with.
    pub(crate) fn roots(&self) -> impl Iterator<Item = &str> {
        self.roots.iter().map(String::as_str)
    }

    /// Finds the names again after the value changed.
    pub(crate) fn find_roots(&mut self) {
        fn walk(value: &Json, names: &mut std::collections::BTreeSet<String>) {
            match value {
                Json::String(text) => roots(text, names),
                Json::Array(items) => items.iter().for_each(|item| walk(item, names)),
                Json::Object(entries) => entries.values().for_each(|item| walk(item, names)),
                _ => {}
            }
        }
        let mut names = std::collections::BTreeSet::new();
        walk(&self.value, &mut names);
        self.roots = names.into_iter().collect();
    }
}
