//! The state of a pipeline: the names that its templates use, and the secrets among their values.

use std::collections::BTreeMap;

use minijinja::Value;
use minijinja::value::ValueKind;
use serde_json::{Map, Value as Json};

use super::redacting_host::RedactingHost;
use super::resolve::resolve;
use crate::command::{Command, Outcome};
use crate::host::Host as _;
use crate::outcome_values::{error_value, outcome_value};
use crate::playbook::{Assignment, Task, VariableScope};
use crate::secret_reference;
use crate::template::{self, Scope, StepResult, from_json, into_value, to_json};
use noetl_api::Failure;

/// A pipeline that runs.
pub(super) struct Pipeline<'a> {
    pub(super) command: &'a Command,
    pub(super) host: &'a RedactingHost<'a>,
    /// The command's arguments, with secrets in place of references.
    pub(super) args: Map<String, Json>,
    /// The same for templates.
    pub(super) arg_values: Scope,
    /// The command's context, with secrets in place of references.
    pub(super) context: Scope,
    pub(super) scope: Scope,
    pub(super) outcome: Outcome,
    /// References to secrets that earlier steps and tasks of this pipeline gave.
    pub(super) references: Vec<Json>,
    /// Calls made so far. The number is part of a call's key, which is the same when the command runs again.
    pub(super) calls: u32,
}

impl<'a> Pipeline<'a> {
    pub(super) fn new(command: &'a Command, host: &'a RedactingHost<'a>) -> Self {
        Self {
            command,
            host,
            args: command.args.clone(),
            arg_values: Scope::new(),
            context: command.context.clone(),
            scope: Scope::new(),
            outcome: Outcome::default(),
            references: command.secrets.clone(),
            calls: 0,
        }
    }

    /// Fills the scope with all names that the tasks' templates may use.
    pub(super) async fn prepare(&mut self) -> Result<(), Failure> {
        for value in self.args.values_mut() {
            resolve(value, &self.references, self.host).await?;
        }
        for value in self.context.values_mut() {
            // A value without references stays shared.
            if secret_reference::is_anywhere_in(value) {
                let mut json = to_json(value);
                resolve(&mut json, &self.references, self.host).await?;
                *value = into_value(json);
            }
        }
        let args = self.args.iter();
        self.arg_values = args
            .map(|(name, value)| (name.clone(), from_json(value)))
            .collect();
        self.scope = self.names();
        self.add_keychain().await
    }

    /// Returns the names of the context and the arguments; results of steps are wrapped.
    fn names(&self) -> Scope {
        let mut scope = Scope::new();
        for (name, value) in &self.context {
            let value = match self.command.results.get(name) {
                Some(tasks) => StepResult::wrap(value.clone(), tasks.clone()),
                None => value.clone(),
            };
            scope.insert(name.clone(), value);
        }
        for name in &self.command.undefined {
            scope.insert(name.clone(), Value::UNDEFINED);
        }
        let keys = self.args.keys();
        let all = Value::from_pairs(
            keys.filter_map(|name| Some((name.clone(), self.arg_values.get(name)?.clone()))),
        );
        scope.insert("args".to_owned(), all.clone());
        scope.insert("input".to_owned(), all);
        for (name, value) in &self.arg_values {
            scope.entry(name.clone()).or_insert_with(|| value.clone());
        }
        scope
    }

    /// Adds `keychain.NAME`, if the pipeline uses it.
    async fn add_keychain(&mut self) -> Result<(), Failure> {
        let tasks = &self.command.tasks;
        let mut roots = tasks
            .iter()
            .flat_map(Task::fields)
            .flat_map(|field| field.roots());
        if !roots.any(|root| root == "keychain") {
            return Ok(());
        }
        let mut keychain = Map::new();
        for (name, credential) in &self.command.keychain {
            let Some(found) = self.host.credential(credential).await? else {
                return Err(Failure::new(
                    "auth",
                    format!(
                        "there is no credential `{credential}`, which keychain.{name} stands for"
                    ),
                )
                .help("register it with `noetl register credential --file FILE`"));
            };
            keychain.insert(name.clone(), Json::Object(found.data));
        }
        self.scope
            .insert("keychain".to_owned(), from_json(&Json::Object(keychain)));
        Ok(())
    }

    /// Replaces the references that rules of this pipeline have assigned to variables.
    pub(super) async fn resolve_assigned(&mut self) -> Result<(), Failure> {
        for (group, assigned) in [("ctx", &self.outcome.ctx), ("iter", &self.outcome.iter)] {
            let mut assigned = assigned.clone();
            assigned.retain(|_, value| !secret_reference::find_all(value).is_empty());
            for (name, mut value) in assigned {
                resolve(&mut value, &self.references, self.host).await?;
                if let Some(Json::Object(mut all)) = self.scope.get(group).map(to_json) {
                    all.insert(name.clone(), value.clone());
                    let all = from_json(&Json::Object(all));
                    self.scope.insert(group.to_owned(), all);
                }
                self.scope.insert(name, from_json(&value));
            }
        }
        Ok(())
    }

    /// Returns the names for rules over an attempt's outcome.
    pub(super) fn scope_after(&self, outcome: &Outcome, attempt: u32) -> Scope {
        let mut scope = self.scope.clone();
        let response = from_json(&outcome.result);
        let whole = outcome_value(outcome, &response, attempt);
        scope.insert("outcome".to_owned(), whole.clone());
        scope.insert("output".to_owned(), whole);
        if outcome.error.is_none() {
            let result = StepResult::wrap(response, Value::UNDEFINED);
            scope.insert("result".to_owned(), result.clone());
            scope.insert("response".to_owned(), result);
        }
        let error = outcome.error.as_ref().map(error_value);
        scope.insert("error".to_owned(), error.unwrap_or_else(|| Value::from(())));
        scope
    }

    /// Makes the assignments of a task whose attempt succeeded. There `output` is its result: all of it where the name
    /// stands alone, else a mapping of the result's keys and of those of `outcome`.
    pub(super) fn assign_result(
        &mut self,
        assignments: &[Assignment],
        outcome: &Outcome,
        attempt: u32,
    ) -> Result<(), Failure> {
        for assignment in assignments {
            let mut scope = self.scope_after(outcome, attempt);
            if assignment.field.roots().any(|root| root == "output") {
                let result = from_json(&outcome.result);
                let output = match assignment.field.uses_whole("output") {
                    true => StepResult::wrap(result, Value::UNDEFINED),
                    false => with_result(&scope["output"], &result),
                };
                scope.insert("output".to_owned(), output);
            }
            self.assign(assignment, &scope)?;
        }
        Ok(())
    }

    /// Makes the assignments of a task that failed and whose rules let the pipeline go on. There `output` is the outcome;
    /// what it does not have is null.
    pub(super) fn assign_failure(
        &mut self,
        assignments: &[Assignment],
        outcome: &Outcome,
        attempt: u32,
    ) {
        if outcome.error.is_none() {
            return;
        }
        let scope = self.scope_after(outcome, attempt);
        for assignment in assignments {
            let value = template::value(&assignment.field, &scope);
            self.insert(assignment, value.as_ref().map_or(Json::Null, to_json));
        }
    }

    /// Makes the assignments of a rule.
    pub(super) fn assign_all(
        &mut self,
        assignments: &[Assignment],
        outcome: &Outcome,
        attempt: u32,
    ) -> Result<(), Failure> {
        for assignment in assignments {
            let scope = self.scope_after(outcome, attempt);
            self.assign(assignment, &scope)?;
        }
        Ok(())
    }

    /// Evaluates an assignment and makes it.
    fn assign(&mut self, assignment: &Assignment, scope: &Scope) -> Result<(), Failure> {
        let value = template::value(&assignment.field, scope)?;
        self.insert(assignment, to_json(&value));
        Ok(())
    }

    /// Gives a variable its value; the rest of the pipeline can use it.
    fn insert(&mut self, assignment: &Assignment, json: Json) {
        let name = assignment.field.name.clone();
        let (variables, group) = match assignment.scope {
            VariableScope::Ctx => (&mut self.outcome.ctx, "ctx"),
            VariableScope::Iter => (&mut self.outcome.iter, "iter"),
        };
        variables.insert(name.clone(), json.clone());
        let mut all = match self.scope.get(group).map(to_json) {
            Some(Json::Object(all)) => all,
            _ => Map::new(),
        };
        all.insert(name.clone(), json.clone());
        self.scope
            .insert(group.to_owned(), from_json(&Json::Object(all)));
        self.scope.insert(name, from_json(&json));
    }
}

/// Returns the keys of an outcome and those of its result, which win.
fn with_result(outcome: &Value, result: &Value) -> Value {
    let entries = [outcome, result].into_iter().flat_map(|from| {
        let keys = (from.kind() == ValueKind::Map).then(|| from.try_iter().ok());
        let keys = keys.flatten().into_iter().flatten();
        keys.map(|key| {
            let value = from.get_item(&key).unwrap_or_default();
            (key, value)
        })
    });
    entries.collect::<BTreeMap<Value, Value>>().into()
}
