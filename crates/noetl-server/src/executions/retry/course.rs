//! The course of an execution, read from its log: its calls, and which of them made it fail.

use std::collections::HashMap;

use super::{Attempt, Counter, Failure, Items, Kind, event_name};
use crate::executions::RunError;
use crate::executions::write::VARIABLES_SET;
use crate::store::{Column, EventRow, Store, StoreError};
use serde_json::{Map, Value as Json};
use sqlx::AnyConnection;

/// A call, as its events tell it.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) kind: Kind,
    /// How many calls of its kind were issued before it.
    pub(super) number: usize,
    pub(super) args: Map<String, Json>,
    pub(super) item: Option<Json>,
    /// The attempts of its tasks before the last ones.
    pub(super) attempts: Vec<Attempt>,
}

/// The calls that were made for one item of a step, or for a step without a loop, since the last one that ended well.
#[derive(Debug, Default)]
struct Chain {
    commands: Vec<String>,
    has_failed: bool,
}

/// What the log of an execution says of its calls.
#[derive(Debug, Default)]
pub(super) struct Course {
    /// By the ids of their commands.
    pub(super) calls: HashMap<String, Call>,
    /// By step and item.
    chains: HashMap<String, HashMap<Option<u64>, Chain>>,
    /// The last call of each step.
    last: HashMap<String, String>,
    /// How many calls there were at the last exit of each step.
    at_exit: HashMap<String, usize>,
    /// The commands in the order in which they were issued.
    issued: Vec<String>,
    /// The step that made the execution fail.
    failed_step: Option<String>,
}

pub(super) fn context_of(event: &EventRow) -> Json {
    let text = event.context.as_deref().unwrap_or_default();
    serde_json::from_str(text).unwrap_or_default()
}

impl Course {
    /// Reads the course of an execution.
    ///
    /// # Errors
    /// When requests have set variables, which belong to no step.
    pub(super) async fn read(
        connection: &mut AnyConnection,
        execution_id: i64,
    ) -> Result<Self, RunError> {
        let mut course = Self::default();
        let (mut counter, mut items, mut after) = (Counter::default(), Items::default(), 0);
        loop {
            let page = Store::course(connection, execution_id, after).await?;
            let Some(last) = page.last() else { break };
            after = last.event_id;
            for event in &page {
                if event.event_type == VARIABLES_SET {
                    return Err(RunError::VariablesWereSet(execution_id));
                }
                let context = event.whole(connection, Column::Context).await?;
                let context = context.map(|text| serde_json::from_str(&text));
                let context = context.transpose().map_err(|error| {
                    StoreError::corrupt(format!("event {}", event.event_id), error)
                })?;
                course.take(event, context.unwrap_or_default(), &mut counter, &mut items);
            }
        }
        Ok(course)
    }

    fn take(
        &mut self,
        event: &EventRow,
        mut context: Json,
        counter: &mut Counter,
        items: &mut Items,
    ) {
        let failure = || serde_json::from_str::<Failure>(event.error.as_deref()?).ok();
        match (event.event_type.as_str(), &event.node_name, &event.node_id) {
            (event_name::WORKFLOW_FAILED, ..) => {
                self.failed_step = failure().and_then(|failure| failure.place?.step);
            }
            (event_name::LOOP_ITEM, Some(step), _) => items.take(Some(step), &mut context),
            (event_name::COMMAND_ISSUED, Some(step), Some(command)) => {
                let kind = Kind {
                    step: step.clone(),
                    item: context["iteration"].as_u64(),
                    tool: context["tool"].as_str().unwrap_or_default().to_owned(),
                    attempt: context["attempt"].as_u64().unwrap_or(1),
                };
                self.issue(command, kind, &mut context, counter, items);
            }
            (event_name::CALL_RETRIED, _, Some(command)) => {
                if let Some(call) = self.calls.get_mut(command) {
                    let number = context["attempt"]
                        .as_u64()
                        .and_then(|it| it.try_into().ok());
                    call.attempts.push(Attempt {
                        number: number.unwrap_or(1),
                        error: failure(),
                        duration_ms: event.duration_ms.unwrap_or(0).unsigned_abs(),
                        ..Attempt::default()
                    });
                }
            }
            (
                event_name::COMMAND_COMPLETED | event_name::COMMAND_FAILED,
                Some(step),
                Some(command),
            ) => {
                let item = self.calls.get(command).and_then(|call| call.kind.item);
                let chains = self.chains.entry(step.clone()).or_default();
                if event.event_type == event_name::COMMAND_COMPLETED {
                    chains.remove(&item);
                } else {
                    chains.entry(item).or_default().has_failed = true;
                }
            }
            (event_name::STEP_EXIT, Some(step), _) => {
                self.at_exit.insert(step.clone(), self.issued.len());
                let leads_on = context["next"]
                    .as_array()
                    .is_some_and(|next| !next.is_empty());
                if event.error.is_none() || leads_on {
                    self.chains.remove(step);
                }
            }
            _ => {}
        }
    }

    fn issue(
        &mut self,
        command: &str,
        kind: Kind,
        context: &mut Json,
        counter: &mut Counter,
        items: &Items,
    ) {
        let chains = self.chains.entry(kind.step.clone()).or_default();
        let chain = chains.entry(kind.item).or_default();
        chain.commands.push(command.to_owned());
        chain.has_failed = false;
        self.issued.push(command.to_owned());
        self.last.insert(kind.step.clone(), command.to_owned());
        let call = Call {
            number: counter.number(&kind),
            args: match context["args"].take() {
                Json::Object(args) => args,
                _ => Map::new(),
            },
            item: items.of(&kind).cloned(),
            attempts: Vec::new(),
            kind,
        };
        self.calls.insert(command.to_owned(), call);
    }

    /// Leaves out the calls that made the execution fail, so that they are made again, and those that were made because it
    /// had failed. All others are kept, also those that failed and were followed by another attempt or another step.
    pub(super) fn forget_failed(&mut self) {
        let Some(step) = self.failed_step.take() else {
            return;
        };
        let chains = self.chains.remove(&step).unwrap_or_default();
        let failed = chains.into_values().filter(|chain| chain.has_failed);
        let mut forgotten: Vec<_> = failed.flat_map(|chain| chain.commands).collect();
        if forgotten.is_empty() {
            // All of its calls ended well: what failed is a rule, an assignment or a condition that judged the last one.
            forgotten.extend(self.last.remove(&step));
        }
        // After a failure only the steps of `on_error` and the final step run.
        let before = self.at_exit.get(&step).copied();
        forgotten.extend(self.issued.drain(before.unwrap_or(self.issued.len())..));
        for command in forgotten {
            self.calls.remove(&command);
        }
    }
}
