//! Evaluation of a step's fields: values, conditions, assignments, and arguments of edges.

use minijinja::Value;
use serde_json::{Map, Value as Json};

use super::event_name::{CALL_DONE, STEP_EXIT};
use super::frame::Frame;
use super::names::EvaluationContext;
use super::state::Machine;
use crate::field::Field;
use crate::playbook::{Assignment, Edge, VariableScope};
use crate::template::{self, Style, from_json, to_json};
use noetl_api::Failure;

impl Machine {
    /// Returns a field's value after a call. The bare words `response`, `result.rows` and others of that
    /// kind are expressions.
    pub(super) fn evaluate(&self, frame: &Frame, field: &Field) -> Result<Value, Failure> {
        let context = self.context_after(frame, CALL_DONE)?;
        let mut field = field.clone();
        if let Json::String(word) = &mut field.value
            && !template::is_template(word)
            && context
                .after_call
                .contains_key(word.trim().split('.').next().unwrap_or_default())
        {
            *word = format!("{{{{ {word} }}}}");
            field.find_roots();
        }
        let value = template::value(&field, &self.scope(&field, &context))?;
        Ok(from_json(&to_json(&value)))
    }

    /// Whether a condition holds in a context; one that is not there holds.
    pub(super) fn holds_in(
        &self,
        when: Option<&Field>,
        context: &EvaluationContext<'_>,
    ) -> Result<bool, Failure> {
        match when {
            None => Ok(true),
            Some(when) => template::holds(when, &self.scope(when, context)),
        }
    }

    /// Whether a condition holds after a call, for one of the names that the event has.
    pub(super) fn holds_for_event(
        &self,
        frame: &Frame,
        when: &Field,
        event_names: &[&str],
    ) -> Result<bool, Failure> {
        for name in event_names {
            if self.runs.contains_key(&frame.run)
                && self.holds_in(Some(when), &self.context_after(frame, name)?)?
            {
                return Ok(true);
            }
            // The name makes a difference only for conditions that use it.
            if !when.roots().any(|root| root == "event") {
                break;
            }
        }
        Ok(false)
    }

    /// Sets variables after a call.
    pub(super) fn assign(
        &mut self,
        frame: &Frame,
        assignments: &[Assignment],
        event: &str,
    ) -> Result<(), Failure> {
        for assignment in assignments {
            if !self.runs.contains_key(&frame.run) {
                return Ok(());
            }
            let context = self.context_after(frame, event)?;
            let field = &assignment.field;
            let value = template::value(field, &self.scope(field, &context))?;
            let value = from_json(&to_json(&value));
            let name = field.name.clone();
            match (assignment.scope, self.iteration_variables(frame)) {
                (VariableScope::Iter, Some(variables)) => variables.insert(name, value),
                _ => self.ctx.insert(name, value),
            };
        }
        Ok(())
    }

    /// Makes the assignments of an edge and returns the arguments for its target.
    pub(super) fn take_edge(
        &mut self,
        frame: &Frame,
        edge: &Edge,
    ) -> Result<Map<String, Json>, Failure> {
        self.assign(frame, &edge.set, STEP_EXIT)?;
        let mut args = Map::new();
        for field in &edge.args {
            if !self.runs.contains_key(&frame.run) {
                break;
            }
            let context = self.context_after(frame, STEP_EXIT)?;
            let value = template::render(field, &self.scope(field, &context), Style::Data)?;
            field.insert_into(&mut args, value);
        }
        Ok(args)
    }
}
