//! The actions of case rules.

use minijinja::Value;
use serde_json::{Map, Value as Json};

use super::event_name::CALL_DONE;
use super::frame::{Frame, Purpose, Route};
use super::state::Machine;
use crate::playbook::{Action, Collect, Edge, Repeat, Task};
use crate::template::{self, Style, from_json, to_json};
use noetl_api::Failure;

/// The most seconds to wait before a repeated call because a server asked for it.
const MAX_RETRY_AFTER: f64 = 3600.0;

impl Machine {
    /// Does one action. Returns none when the frame now waits for a command, or another call replaces it.
    pub(super) fn run_action(&mut self, mut frame: Frame, action: Action) -> Option<Frame> {
        let done = match action {
            Action::Next(edges) => self.choose_routes(&mut frame, edges),
            Action::Call(edge) => match self.take_edge(&frame, &edge) {
                Ok(args) => {
                    self.queue_step(&edge.step, args);
                    Ok(())
                }
                Err(failure) => Err(failure),
            },
            Action::Set(assignments) => self.assign(&frame, &assignments, CALL_DONE),
            Action::Result(field) => self
                .evaluate(&frame, &field)
                .map(|value| frame.response = value),
            Action::Collect(collect) => self.collect(&mut frame, &collect),
            Action::Fail(field) => self.evaluate(&frame, &field).and_then(|value| {
                let message = value
                    .as_str()
                    .map_or_else(|| value.to_string(), str::to_owned);
                Err(Failure::new("fail", message).at(&field.place))
            }),
            Action::Sink(task) => {
                self.issue_sink(frame, *task);
                return None;
            }
            Action::Repeat(repeat) => return self.repeat_call(frame, &repeat),
        };
        if let Err(failure) = done {
            frame.routes.clear();
            frame.fail(failure);
        }
        Some(frame)
    }

    /// Chooses those of the edges whose conditions hold: all when none has a condition, else the first.
    fn choose_routes(&mut self, frame: &mut Frame, edges: Vec<Edge>) -> Result<(), Failure> {
        let conditional = edges.iter().any(|edge| edge.when.is_some());
        for mut edge in edges {
            let when = edge.when.take();
            let holds = when.is_none()
                || self.holds_in(when.as_ref(), &self.context_after(frame, CALL_DONE)?)?;
            if holds {
                let args = self.take_edge(frame, &edge)?;
                frame.routes.push(Route { edge, args });
                if conditional {
                    break;
                }
            }
        }
        Ok(())
    }

    fn collect(&mut self, frame: &mut Frame, collect: &Collect) -> Result<(), Failure> {
        let found = match (&collect.from, &collect.path) {
            (Some(from), _) => self.evaluate(frame, from)?,
            (None, Some(path)) => {
                let path = self.evaluate(frame, path)?;
                let path = path.as_str().unwrap_or_default();
                let part = value_at(&to_json(&frame.response), path).ok_or_else(|| {
                    Failure::new("collect", format!("the response has nothing at `{path}`"))
                })?;
                from_json(&part)
            }
            (None, None) => frame.response.clone(),
        };
        let items = |value: &Value| match to_json(value) {
            Json::Array(items) => items.iter().map(from_json).collect(),
            other => vec![from_json(&other)],
        };
        // A part of the response belongs to the step's result; a template's value only to the variable.
        if collect.from.is_none() {
            let collected = frame.collected.get_or_insert_default();
            if collect.replace {
                collected.clear();
            }
            collected.extend(items(&found));
        }
        if let Some(name) = &collect.into {
            let mut collected = match self.ctx.get(name).map(to_json) {
                Some(Json::Array(known)) if !collect.replace => known,
                _ => Vec::new(),
            };
            collected.extend(items(&found).iter().map(to_json));
            self.ctx
                .insert(name.clone(), from_json(&Json::Array(collected)));
        }
        Ok(())
    }

    /// Issues the command that saves a value; the frame goes on when it has ended.
    fn issue_sink(&mut self, mut frame: Frame, task: Task) {
        let after_call = self.names_after_call(&frame, CALL_DONE);
        let run = self.runs.get(&frame.run);
        let mut args = run.map(|run| run.args.clone()).unwrap_or_default();
        let failed = frame.outcome.error.is_some();
        self.end_command(&mut frame, failed);
        frame.purpose = Purpose::Sink;
        // A sink that does not name its data saves the response.
        if task.args.is_empty()
            && !["data", "from", "value", "args"]
                .iter()
                .any(|key| task.config.value.get(key).is_some())
        {
            args = match to_json(&frame.response) {
                Json::Object(entries) => entries,
                other => Map::from_iter([("value".to_owned(), other)]),
            };
        }
        self.issue_command(frame, [task].into(), args, after_call, 0.0);
    }

    /// Makes another attempt, or asks for the next page. Returns the frame when all attempts have been made.
    fn repeat_call(&mut self, mut frame: Frame, repeat: &Repeat) -> Option<Frame> {
        let is_page = !repeat.overrides.is_empty();
        let made = if is_page { frame.page } else { frame.attempt };
        if made >= repeat.retry.attempts {
            frame.failure_handled = false;
            if repeat.unbounded {
                let message = format!("after {made} pages there are still more");
                let failure = Failure::new("limit", message)
                    .help("set `max_attempts` to the most pages to request");
                frame.fail(failure);
            }
            return Some(frame);
        }
        let overrides = match self.overrides(&frame, repeat) {
            Ok(overrides) => overrides,
            Err(failure) => {
                frame.fail(failure);
                return Some(frame);
            }
        };
        let failed = frame.outcome.error.is_some();
        self.end_command(&mut frame, failed);
        let mut next = Frame::new(frame.run, frame.iteration);
        next.collected = frame.collected.take();
        next.overrides = std::mem::take(&mut frame.overrides);
        next.overrides.extend(overrides);
        (next.attempt, next.page) = if is_page {
            (1, frame.page + 1)
        } else {
            (frame.attempt + 1, frame.page)
        };
        let error = frame.outcome.error.as_ref();
        let asked = error.and_then(|failure| failure.retry_after);
        let asked = asked.unwrap_or(0.0).min(MAX_RETRY_AFTER);
        let delay = repeat.retry.delay_after(made).max(asked);
        self.issue_call(next, delay);
        None
    }

    /// Returns the fields that differ in the next call.
    fn overrides(&self, frame: &Frame, repeat: &Repeat) -> Result<Map<String, Json>, Failure> {
        let mut overrides = Map::new();
        for field in &repeat.overrides {
            let context = self.context_after(frame, CALL_DONE)?;
            let value = template::render(field, &self.scope(field, &context), Style::Json)?;
            overrides.insert(field.name.clone(), value);
        }
        Ok(overrides)
    }
}

/// Returns the value at a dotted path. The body of an HTTP response counts before the response itself when
/// it has a list there, since pages are lists.
fn value_at(response: &Json, path: &str) -> Option<Json> {
    let at = |value: &Json| {
        path.split('.')
            .filter(|key| !key.is_empty())
            .try_fold(value.clone(), |value, key| match &value {
                Json::Object(entries) => entries.get(key).cloned(),
                Json::Array(items) => items.get(key.parse::<usize>().ok()?).cloned(),
                _ => None,
            })
    };
    let body = response
        .get("status_code")
        .and_then(|_| response.get("data"));
    let inside = body.and_then(at);
    match (inside, at(response)) {
        (Some(Json::Array(items)), _) => Some(Json::Array(items)),
        (inside, outside) => outside.or(inside),
    }
}
