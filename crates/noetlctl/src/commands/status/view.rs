//! Formats an execution: a block of fields for its status, one line for each event.

use serde_json::Value;

use crate::client::problems::parse_place;
use crate::output::{self, Screen};

/// Formats a status between two rules in its colour. `failure` is its error with a place, if that is known.
pub(super) fn status(answer: &Value, failure: Option<&Value>, screen: Screen) -> String {
    let state = output::cell(&answer["status"]);
    let rule = screen.paint(&state, &"=".repeat(60));
    let steps = answer["completed_steps"]
        .as_array()
        .map_or(&[][..], Vec::as_slice);
    let mut lines = vec![rule.clone()];
    let mut field =
        |name: &str, value: String| lines.push(format!("{:<11}{value}", format!("{name}:")));
    field("Execution", output::cell(&answer["execution_id"]));
    if let Some(path) = answer["path"].as_str() {
        let version = output::cell(&answer["version"]);
        field(
            "Playbook",
            format!("{} (version {version})", output::sanitize(path)),
        );
    }
    field("Status", screen.paint(&state, &state));
    field("Steps", format!("{} done", steps.len()));
    let duration = match answer["duration_human"].as_str() {
        Some(duration) => output::sanitize(duration),
        None => output::duration(&answer["duration_seconds"]),
    };
    field("Duration", duration);
    if answer["current_step"].is_string() {
        field("Current", output::cell(&answer["current_step"]));
    }
    if !answer["error"].is_null() || failure.is_some() {
        field("Error", error(&answer["error"], failure));
        let help = failure.and_then(|failure| failure["help"].as_str());
        if let Some(help) = help {
            field("Help", output::sanitize(help));
        }
    }
    lines.push(rule);
    if !steps.is_empty() {
        lines.push("Completed steps:".to_owned());
        lines.extend(
            steps
                .iter()
                .map(|step| format!("  - {}", output::cell(step))),
        );
    }
    lines.join("\n") + "\n"
}

/// Formats an error as `file:line:column: step …: message`, as far as they are known.
fn error(error: &Value, failure: Option<&Value>) -> String {
    let error = failure.unwrap_or(error);
    let message = match error["message"].as_str() {
        Some(message) => output::sanitize(message),
        None => output::cell(error),
    };
    match parse_place(&error["place"]) {
        Some(place) => format!("{}: {message}", output::sanitize(&place.to_string())),
        None => message,
    }
}

/// Formats the time, name, step and status of an event, and its error if it has one.
pub(super) fn event(event: &Value, screen: Screen) -> String {
    let time = match event["created_at"].as_str() {
        Some(time) => output::sanitize(time.get(11..23).unwrap_or(time)),
        None => "-".to_owned(),
    };
    let status = output::cell(&event["status"]);
    let mut line = format!(
        "{time}  {:<22} {:<20} {}",
        output::cell(&event["event_type"]),
        output::cell(&event["node_name"]),
        screen.paint(&status, &status)
    );
    if event["duration"].is_number() {
        line += &format!("  {}", output::duration(&event["duration"]));
    }
    if !event["error"].is_null() {
        line += &format!("  {}", error(&event["error"], None));
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::{Colour, Width};
    use serde_json::json;

    #[test]
    fn a_failure_is_shown_with_its_place() {
        let screen = Screen {
            terminal: None,
            colour: Colour::Off,
        };
        let answer = json!({"execution_id": "7", "path": "p", "version": 2, "status": "FAILED", "current_step": "b",
            "completed_steps": ["start", "a"], "error": "boom", "duration_seconds": 1.25, "duration_human": null});
        let failure = json!({"kind": "template", "message": "boom", "help": "correct it",
            "place": {"file": "p", "line": 3, "column": 5, "step": "b", "field": "tool.url"}});
        let rule = "=".repeat(60);
        assert_eq!(
            status(&answer, Some(&failure), screen),
            format!(
                "{rule}\nExecution: 7\nPlaybook:  p (version 2)\nStatus:    FAILED\nSteps:     2 done\nDuration:  1.2s\n\
                 Current:   b\nError:     p:3:5: step `b`, field `tool.url`: boom\nHelp:      correct it\n{rule}\n\
                 Completed steps:\n  - start\n  - a\n"
            )
        );
        assert!(status(&answer, None, screen).contains("Error:     boom\n"));
    }

    #[test]
    fn a_terminal_gets_the_status_in_colour() {
        let screen = Screen {
            terminal: Some(Width::Unknown),
            colour: Colour::On,
        };
        let text = status(
            &json!({"execution_id": "7", "status": "COMPLETED"}),
            None,
            screen,
        );
        assert!(
            text.starts_with("\x1b[32m====") && text.contains("\x1b[32mCOMPLETED\x1b[0m"),
            "{text}"
        );
        let line = event(
            &json!({"event_type": "call.done", "node_name": "a", "status": "COMPLETED", "duration": 0.5,
                "created_at": "2026-11-23T12:00:00.123Z", "error": null}),
            screen,
        );
        assert!(
            line.starts_with("12:00:00.123  call.done") && line.ends_with("\x1b[0m  0.5s"),
            "{line}"
        );
    }
}
