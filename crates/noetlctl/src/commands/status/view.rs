//! How an execution reads: a block of fields for its status, one line for each event.

use serde_json::Value;

use crate::output::{self, Screen};
use crate::problems;

/// The status between two rules in its colour; `failure` is an error with its place.
pub(super) fn status(answer: &Value, failure: Option<&Value>, screen: Screen) -> String {
    let word = output::word(&answer["status"]);
    let rule = screen.paint(&word, &"=".repeat(60));
    let steps = answer["completed_steps"]
        .as_array()
        .map_or(&[][..], Vec::as_slice);
    let mut lines = vec![rule.clone()];
    let mut field =
        |name: &str, value: String| lines.push(format!("{:<11}{value}", format!("{name}:")));
    field("Execution", output::word(&answer["execution_id"]));
    if let Some(path) = answer["path"].as_str() {
        let version = output::word(&answer["version"]);
        field(
            "Playbook",
            format!("{} (version {version})", output::clean(path)),
        );
    }
    field("Status", screen.paint(&word, &word));
    field("Steps", format!("{} done", steps.len()));
    let duration = match answer["duration_human"].as_str() {
        Some(duration) => output::clean(duration),
        None => output::duration(&answer["duration_seconds"]),
    };
    field("Duration", duration);
    if answer["current_step"].is_string() {
        field("Current", output::word(&answer["current_step"]));
    }
    if !answer["error"].is_null() || failure.is_some() {
        field("Error", error(&answer["error"], failure));
        let help = failure.and_then(|failure| failure["help"].as_str());
        if let Some(help) = help {
            field("Help", output::clean(help));
        }
    }
    lines.push(rule);
    if !steps.is_empty() {
        lines.push("Completed steps:".to_owned());
        lines.extend(
            steps
                .iter()
                .map(|step| format!("  - {}", output::word(step))),
        );
    }
    lines.join("\n") + "\n"
}

/// `file:line:col: step …: message`, as far as it is known.
fn error(error: &Value, failure: Option<&Value>) -> String {
    let error = failure.unwrap_or(error);
    let message = match error["message"].as_str() {
        Some(message) => output::clean(message),
        None => output::word(error),
    };
    match problems::place(&error["place"]) {
        Some(place) => format!("{}: {message}", output::clean(&place.to_string())),
        None => message,
    }
}

/// Time, event, step and status of an event; its error when it has one.
pub(super) fn event(event: &Value, screen: Screen) -> String {
    let time = match event["created_at"].as_str() {
        Some(time) => output::clean(time.get(11..23).unwrap_or(time)),
        None => "-".to_owned(),
    };
    let status = output::word(&event["status"]);
    let mut line = format!(
        "{time}  {:<22} {:<20} {}",
        output::word(&event["event_type"]),
        output::word(&event["node_name"]),
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
    fn a_failure_shows_its_place() {
        let screen = Screen {
            terminal: None,
            colour: Colour::Off,
        };
        let answer = json!({"execution_id": "7", "path": "p", "version": 2, "status": "FAILED", "current_step": "b",
            "completed_steps": ["start", "a"], "error": "boom", "duration_seconds": 1.25, "duration_human": null});
        let failure = json!({"kind": "template", "message": "boom", "help": "mend it",
            "place": {"file": "p", "line": 3, "column": 5, "step": "b", "field": "tool.url"}});
        let rule = "=".repeat(60);
        assert_eq!(
            status(&answer, Some(&failure), screen),
            format!(
                "{rule}\nExecution: 7\nPlaybook:  p (version 2)\nStatus:    FAILED\nSteps:     2 done\nDuration:  1.2s\n\
                 Current:   b\nError:     p:3:5: step `b`, field `tool.url`: boom\nHelp:      mend it\n{rule}\n\
                 Completed steps:\n  - start\n  - a\n"
            )
        );
        assert!(status(&answer, None, screen).contains("Error:     boom\n"));
    }

    #[test]
    fn a_terminal_sees_the_status_in_colour() {
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
