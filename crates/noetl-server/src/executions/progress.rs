//! What an execution's row says after a turn of its machine.

use noetl_api::execution::OmittedValue;
use noetl_api::{EventStatus, ExecutionStatus};
use noetl_engine::execution::{Event, Turn, event_name};
use serde_json::Value as Json;

use super::machines::Loaded;
use crate::store::{ExecutionRow, Progress};

/// Results up to this size are kept with the execution as well; of larger ones, the size is.
const SMALL_RESULT: usize = 64 << 10;

/// Whether a step has begun: a worker has claimed a command, or the server has run one at once.
fn has_begun(row: &ExecutionRow, turn: &Turn) -> bool {
    let waits = |event: &Event| matches!(event.status, EventStatus::Started | EventStatus::Pending);
    row.status != ExecutionStatus::Pending || !turn.events.iter().all(waits)
}

/// Returns the columns of the execution's row after a turn.
pub(super) fn progress(loaded: &Loaded, turn: &Turn, now: i64) -> Progress {
    let machine = &loaded.machine;
    let status = match machine.status() {
        ExecutionStatus::Running if !has_begun(&loaded.row, turn) => ExecutionStatus::Pending,
        status => status,
    };
    let ended = status.is_final();
    let entered = turn
        .events
        .iter()
        .rev()
        .find(|event| event.name == event_name::COMMAND_ISSUED);
    let current = entered
        .and_then(|event| event.step.clone())
        .or_else(|| loaded.row.current_step.clone());
    let steps = machine.playbook().steps.len().max(1);
    let done = machine.completed_steps().len();
    let share = i64::try_from(done * 100 / steps).unwrap_or(0).min(99);
    let result = ended.then(|| {
        let text = machine.result().to_string();
        if text.len() <= SMALL_RESULT {
            text
        } else {
            let href = format!("/api/executions/{}/result", loaded.row.execution_id);
            Json::from(OmittedValue::new(text.len(), href)).to_string()
        }
    });
    Progress {
        execution_id: loaded.row.execution_id,
        status,
        current_step: current,
        progress: if status == ExecutionStatus::Completed {
            100
        } else {
            share
        },
        result: result.filter(|result| result != "null"),
        // What a tool wrote may hold zero bytes, which PostgreSQL has no text for.
        error: machine
            .failure()
            .map(|failure| failure.to_string().replace('\0', "\u{fffd}")),
        end_time: ended.then_some(now),
        last_event_id: loaded.row.last_event_id,
    }
}
