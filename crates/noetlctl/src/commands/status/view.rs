//! Formats an execution: a block of fields for its status, one line for each event.

use noetl_api::Failure;
use noetl_api::event::ExecutionEvent;
use noetl_api::execution::ExecutionState;

use crate::output::{self, Screen, cell};

/// Formats a status between two rules in its colour. `failure` is its error with a place, if that is known.
pub(super) fn status(state: &ExecutionState, failure: Option<&Failure>, screen: Screen) -> String {
    let word = state.status.as_str();
    let rule = screen.paint(word, &"=".repeat(60));
    let mut lines = vec![rule.clone()];
    let mut field =
        |name: &str, value: String| lines.push(format!("{:<11}{value}", format!("{name}:")));
    field("Execution", cell(state.execution_id.as_str()));
    let path = output::sanitize(&state.path);
    field("Playbook", format!("{path} (version {})", state.version));
    field("Status", screen.paint(word, word));
    field("Steps", format!("{} done", state.completed_steps.len()));
    field("Duration", output::sanitize(&state.duration_human));
    if let Some(step) = &state.current_step {
        field("Current", cell(step.as_str()));
    }
    match (failure, &state.error) {
        (Some(failure), _) => {
            field("Error", error(failure));
            if let Some(help) = &failure.help {
                field("Help", output::sanitize(help));
            }
        }
        (None, Some(message)) => field("Error", cell(message.as_str())),
        (None, None) => {}
    }
    lines.push(rule);
    if !state.completed_steps.is_empty() {
        lines.push("Completed steps:".to_owned());
        let steps = state.completed_steps.iter();
        lines.extend(steps.map(|step| format!("  - {}", cell(step.as_str()))));
    }
    lines.join("\n") + "\n"
}

/// Formats an error as `file:line:column: step …: message`, as far as the place is known.
fn error(failure: &Failure) -> String {
    output::sanitize(&failure.to_string())
}

/// Formats the time, name, step and status of an event, and its error if it has one.
pub(super) fn event(event: &ExecutionEvent, screen: Screen) -> String {
    let time = &event.created_at;
    let status = event.status.as_str();
    let mut line = format!(
        "{}  {:<22} {:<20} {}",
        cell(time.get(11..23).unwrap_or(time)),
        cell(event.event_type.as_str()),
        cell(event.node_name.as_deref()),
        screen.paint(status, status)
    );
    if event.duration.is_some() {
        line += &format!("  {}", output::duration(event.duration));
    }
    if let Some(failure) = &event.error {
        line += &format!("  {}", error(failure));
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::{Colour, Width};
    use noetl_api::{EventStatus, ExecutionStatus, Place};

    fn state(status: ExecutionStatus) -> ExecutionState {
        ExecutionState {
            execution_id: "7".to_owned(),
            path: "p".to_owned(),
            version: 2,
            status,
            current_step: Some("b".to_owned()),
            completed_steps: vec!["start".to_owned(), "a".to_owned()],
            failed: false,
            completed: false,
            cancelled: false,
            variables: Default::default(),
            error: Some("boom".to_owned()),
            result: Default::default(),
            start_time: "2026-11-23T12:00:00.123Z".to_owned(),
            end_time: None,
            duration_seconds: 1.25,
            duration_human: "1.2s".to_owned(),
        }
    }

    #[test]
    fn a_failure_is_shown_with_its_place() {
        let screen = Screen {
            terminal: None,
            colour: Colour::Off,
        };
        let failed = state(ExecutionStatus::Failed);
        let place = Place {
            file: "p".to_owned(),
            line: 3,
            column: 5,
            step: Some("b".to_owned()),
            field: Some("tool.url".to_owned()),
        };
        let failure = Failure::new("template", "boom")
            .help("correct it")
            .at(&place);
        let rule = "=".repeat(60);
        assert_eq!(
            status(&failed, Some(&failure), screen),
            format!(
                "{rule}\nExecution: 7\nPlaybook:  p (version 2)\nStatus:    FAILED\nSteps:     2 done\nDuration:  1.2s\n\
                 Current:   b\nError:     p:3:5: step `b`, field `tool.url`: boom\nHelp:      correct it\n{rule}\n\
                 Completed steps:\n  - start\n  - a\n"
            )
        );
        assert!(status(&failed, None, screen).contains("Error:     boom\n"));
    }

    #[test]
    fn a_terminal_gets_the_status_in_colour() {
        let screen = Screen {
            terminal: Some(Width::Unknown),
            colour: Colour::On,
        };
        let text = status(&state(ExecutionStatus::Completed), None, screen);
        assert!(
            text.starts_with("\x1b[32m====") && text.contains("\x1b[32mCOMPLETED\x1b[0m"),
            "{text}"
        );
        let done = ExecutionEvent {
            event_id: "1".to_owned(),
            execution_id: "7".to_owned(),
            catalog_id: "9".to_owned(),
            event_type: "call.done".to_owned(),
            node_id: None,
            node_name: Some("a".to_owned()),
            status: EventStatus::Completed,
            created_at: "2026-11-23T12:00:00.123Z".to_owned(),
            timestamp: "2026-11-23T12:00:00.123Z".to_owned(),
            context: Default::default(),
            result: Default::default(),
            error: None,
            meta: Default::default(),
            duration: Some(0.5),
            parent_event_id: None,
            parent_execution_id: None,
        };
        let line = event(&done, screen);
        assert!(
            line.starts_with("12:00:00.123  call.done") && line.ends_with("\x1b[0m  0.5s"),
            "{line}"
        );
    }
}
