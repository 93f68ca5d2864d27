//! The inputs of the machine, and the end of an execution.

use minijinja::Value;
use serde_json::{Map, Value as Json, json};

use super::event_name::{
    COMMAND_CLAIMED, COMMAND_STARTED, EXECUTION_CANCELLED, PLAYBOOK_COMPLETED, PLAYBOOK_FAILED,
    PLAYBOOK_INITIALIZED, STEP_ENTER, WORKFLOW_COMPLETED, WORKFLOW_FAILED, WORKFLOW_INITIALIZED,
};
use super::frame::{PendingCommand, Work};
use super::state::Machine;
use super::{Event, Turn};
use crate::command::Outcome;
use noetl_api::{EventStatus, ExecutionStatus, Failure};

/// The execution does not wait for the command: it has an outcome already, or was dropped.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("the execution does not wait for command `{0}`")]
pub struct UnknownCommand(pub String);

impl Machine {
    /// Starts the execution at `target`, or at the playbook's first step.
    pub fn start(&mut self, target: Option<&str>) -> Turn {
        let workload = Json::Object(self.workload.clone());
        self.emit(PLAYBOOK_INITIALIZED, EventStatus::Started, |event| {
            event.context = json!({ "workload": workload, "target": target });
        });
        self.emit(WORKFLOW_INITIALIZED, EventStatus::Started, |_| {});
        let entry = target.map_or_else(|| self.playbook.entry().name.clone(), str::to_owned);
        if self.playbook.step(&entry).is_none() && entry != "end" {
            self.fail(Failure::new(
                "target",
                format!("there is no step `{entry}` to begin at"),
            ));
        } else {
            self.queue_step(&entry, Map::new());
        }
        self.finish_turn()
    }

    /// Takes the outcome of a command.
    ///
    /// # Errors
    /// Fails when the execution does not wait for the command.
    pub fn complete(
        &mut self,
        command_id: &str,
        mut outcome: Outcome,
    ) -> Result<Turn, UnknownCommand> {
        let pending = self
            .pending_number(command_id)
            .and_then(|number| self.pending.remove(&number));
        let Some(PendingCommand { mut frame, command }) = pending else {
            return Err(UnknownCommand(command_id.to_owned()));
        };
        frame.command_id = Some(command_id.to_owned());
        if outcome.error.is_some() {
            // The log keeps one of the two, and a machine that is rebuilt from it must get the same.
            outcome.result = Json::Null;
        }
        self.secrets.extend(command.references(&outcome));
        for source in &outcome.given {
            if !self.given.contains(source) {
                self.given.push(source.clone());
            }
        }
        self.call_returned(frame, outcome);
        Ok(self.finish_turn())
    }

    /// Cancels the execution. An execution that has ended stays as it is.
    pub fn cancel(&mut self, reason: &str) -> Turn {
        if !self.status.is_final() {
            self.drop_all();
            self.status = ExecutionStatus::Cancelled;
            self.emit(EXECUTION_CANCELLED, EventStatus::Cancelled, |event| {
                event.context = json!({ "reason": reason });
            });
        }
        self.take_turn()
    }

    /// Returns the events for a worker that has claimed a command.
    pub fn claimed(&mut self, command_id: &str, worker: &str) -> Vec<Event> {
        let number = self.pending_number(command_id);
        let Some(pending) = number.and_then(|number| self.pending.get(&number)) else {
            return Vec::new();
        };
        let (run, step) = (pending.frame.run, pending.command.step.clone());
        let event = |name| Event {
            name,
            step: Some(step.clone()),
            command_id: Some(command_id.to_owned()),
            status: EventStatus::Running,
            context: json!({ "worker_id": worker }),
            result: Value::from(()),
            error: None,
            duration_ms: None,
        };
        let mut events = vec![event(COMMAND_CLAIMED), event(COMMAND_STARTED)];
        if let Some(run) = self.runs.get_mut(&run)
            && !std::mem::replace(&mut run.entered, true)
        {
            events.push(event(STEP_ENTER));
        }
        events
    }

    /// Does the queued work and enters joins. When no step is left, enters the steps of `on_error` and
    /// the final step, then ends the execution.
    fn finish_turn(&mut self) -> Turn {
        loop {
            while let Some(work) = self.queue.pop_front() {
                self.do_work(work);
            }
            if self.status != ExecutionStatus::Running {
                break;
            }
            if self.enter_joins() {
                continue;
            }
            if !self.runs.is_empty() {
                break;
            }
            let on_error = std::mem::take(&mut self.on_error);
            if !on_error.is_empty() {
                for step in &on_error {
                    self.queue_step(step, Map::new());
                }
                continue;
            }
            let last = self.playbook.executor.final_step.clone();
            if let Some(step) = last.filter(|_| !self.final_step_ran) {
                self.final_step_ran = true;
                self.enter_step(&step, Map::new());
                continue;
            }
            self.end_execution();
        }
        self.take_turn()
    }

    fn do_work(&mut self, work: Work) {
        match work {
            Work::Enter { step, args } => self.enter_step(&step, args),
            Work::Returned { frame, outcome } => self.call_returned(*frame, *outcome),
            Work::ContinueLoop(run) => self.continue_loop(run),
        }
    }

    fn end_execution(&mut self) {
        let error = self.failure.clone();
        let (status, workflow, playbook) = match &error {
            None => (
                ExecutionStatus::Completed,
                WORKFLOW_COMPLETED,
                PLAYBOOK_COMPLETED,
            ),
            Some(_) => (ExecutionStatus::Failed, WORKFLOW_FAILED, PLAYBOOK_FAILED),
        };
        self.status = status;
        let result = if error.is_none() {
            self.last_result.clone()
        } else {
            Value::from(())
        };
        self.emit(workflow, status.into(), |event| {
            event.error.clone_from(&error)
        });
        self.emit(playbook, status.into(), |event| {
            event.result = result;
            event.error = error;
        });
    }
}
