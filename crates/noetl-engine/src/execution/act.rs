//! The actions of case rules.

use minijinja::Value;
use serde_json::{Map, Value as Json};

use super::Outcome;
use super::event_name::CALL_DONE;
use super::frame::{Frame, Routed};
use super::names::Moment;
use super::state::Machine;
use crate::playbook::{Action, Again, Collect, Field, Task};
use crate::template::{self, Style, from_json, to_json};
use crate::tool::Failure;

impl Machine {
    /// Does one action. None when the frame now waits for a command, or a new attempt took its place.
    pub(super) fn act(&mut self, mut frame: Frame, action: Action) -> Option<Frame> {
        let done = match action {
            Action::Next(ways) => self.next(&mut frame, ways),
            Action::Call(way) => match self.arc_args(&frame, &way) {
                Ok(args) => {
                    self.arrive(&way.step, args);
                    Ok(())
                }
                Err(failure) => Err(failure),
            },
            Action::Set(assignments) => self.assign(&frame, &assignments, CALL_DONE),
            Action::Result(field) => self
                .rendered(&frame, &field)
                .map(|value| frame.response = value),
            Action::Collect(collect) => self.collect(&mut frame, &collect),
            Action::Fail(field) => self.rendered(&frame, &field).and_then(|value| {
                let message = value
                    .as_str()
                    .map_or_else(|| value.to_string(), str::to_owned);
                Err(Failure::new("fail", message).at(&field.place))
            }),
            Action::Sink(task) => return self.save(frame, *task),
            Action::Retry(again) => return self.again(frame, &again),
        };
        if let Err(failure) = done {
            frame.actions.clear();
            frame.ways.clear();
            frame.handled = false;
            frame.outcome = Outcome::failed(failure);
        }
        Some(frame)
    }

    /// Takes those of the ways whose conditions hold: all without one, else the first.
    fn next(&mut self, frame: &mut Frame, ways: Vec<crate::playbook::Arc>) -> Result<(), Failure> {
        let conditional = ways.iter().any(|way| way.when.is_some());
        for mut way in ways {
            let holds = match way.when.take() {
                None => true,
                Some(when) => {
                    let scope = self.scope(&when, &self.moment(frame, CALL_DONE)?);
                    template::holds(&when, &scope)?
                }
            };
            if holds {
                let args = self.arc_args(frame, &way)?;
                frame.ways.push(Routed { way, args });
                if conditional {
                    break;
                }
            }
        }
        Ok(())
    }

    fn moment<'m>(&'m self, frame: &Frame, event: &str) -> Result<Moment<'m>, Failure> {
        let token = self
            .runs
            .get(&frame.run)
            .ok_or_else(|| Failure::new("internal", "the step has been left already"))?;
        Ok(Moment {
            run: Some(token),
            iteration: frame.iteration,
            extra: self.after(frame, event),
            args: &token.args,
        })
    }

    /// A value; the bare words `response`, `result.rows` and the like name the moment's own.
    fn rendered(&self, frame: &Frame, field: &Field) -> Result<Value, Failure> {
        let moment = self.moment(frame, CALL_DONE)?;
        let mut field = field.clone();
        if let Json::String(word) = &mut field.value
            && !template::is_template(word)
            && moment
                .extra
                .contains_key(word.trim().split('.').next().unwrap_or_default())
        {
            *word = format!("{{{{ {word} }}}}");
            field.find_roots();
        }
        let field = &field;
        let value = template::value(field, &self.scope(field, &moment))?;
        Ok(from_json(&to_json(&value)))
    }

    fn collect(&mut self, frame: &mut Frame, collect: &Collect) -> Result<(), Failure> {
        let found = match (&collect.from, &collect.path) {
            (Some(from), _) => self.rendered(frame, from)?,
            (None, Some(path)) => {
                let path = self.rendered(frame, path)?;
                part(&to_json(&frame.response), path.as_str().unwrap_or_default())
                    .map(|json| from_json(&json))
                    .ok_or_else(|| {
                        let path = path.as_str().unwrap_or_default();
                        Failure::new("collect", format!("the response has nothing at `{path}`"))
                    })?
            }
            (None, None) => frame.response.clone(),
        };
        let items = |value: &Value| match to_json(value) {
            Json::Array(items) => items.iter().map(from_json).collect(),
            other => vec![from_json(&other)],
        };
        // A page adds its items to the step's own result; a single value only to the variable.
        if collect.from.is_none() {
            let gathered = frame.collected.get_or_insert_default();
            if collect.replace {
                gathered.clear();
            }
            gathered.extend(items(&found));
        }
        if let Some(name) = &collect.into {
            let mut gathered = match self.ctx.get(name).map(to_json) {
                Some(Json::Array(known)) if !collect.replace => known,
                _ => Vec::new(),
            };
            gathered.extend(items(&found).iter().map(to_json));
            self.ctx
                .insert(name.clone(), from_json(&Json::Array(gathered)));
        }
        Ok(())
    }

    /// Saves a value; the frame goes on when that is done.
    fn save(&mut self, mut frame: Frame, task: Task) -> Option<Frame> {
        let extra = self.after(&frame, CALL_DONE);
        let args = self
            .runs
            .get(&frame.run)
            .map(|run| run.args.clone())
            .unwrap_or_default();
        self.close_command(&mut frame);
        frame.saving = true;
        let mut args = args;
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
        self.send(frame, vec![task], args, &extra, 0.0);
        None
    }

    /// Another attempt, or the next page. Once the attempts are used up the frame goes on without.
    fn again(&mut self, mut frame: Frame, again: &Again) -> Option<Frame> {
        let made = if again.overrides.is_empty() {
            frame.attempt
        } else {
            frame.page
        };
        if made >= again.retry.attempts {
            frame.handled = false;
            if again.unbounded {
                let message = format!("after {made} pages there are still more");
                let failure = Failure::new("limit", message)
                    .help("give `max_attempts` with the number of pages to take at the most");
                frame.actions.clear();
                frame.outcome = Outcome::failed(failure);
            }
            return Some(frame);
        }
        let mut overrides = Map::new();
        for field in &again.overrides {
            let rendered = self.moment(&frame, CALL_DONE).and_then(|moment| {
                template::render(field, &self.scope(field, &moment), Style::Json)
            });
            match rendered {
                Ok(value) => {
                    overrides.insert(field.name.clone(), value);
                }
                Err(failure) => {
                    frame.actions.clear();
                    frame.handled = false;
                    frame.outcome = Outcome::failed(failure);
                    return Some(frame);
                }
            }
        }
        self.close_command(&mut frame);
        let mut next = Frame::new(frame.run, frame.iteration);
        next.collected = frame.collected.take();
        next.overrides = std::mem::take(&mut frame.overrides);
        next.overrides.extend(overrides);
        (next.attempt, next.page) = if again.overrides.is_empty() {
            (frame.attempt + 1, frame.page)
        } else {
            (1, frame.page + 1)
        };
        // A server that says how long to wait knows better, within reason.
        let failure = frame.outcome.error.as_ref();
        let asked = failure
            .and_then(|failure| failure.retry_after)
            .unwrap_or(0.0);
        let delay = again.retry.delay_after(made).max(asked.min(3600.0));
        self.issue(next, delay);
        None
    }
}

/// The value at a dotted path, in an HTTP response's body before its envelope: pages are lists.
fn part(response: &Json, path: &str) -> Option<Json> {
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
