//! Parses the problems of a playbook in a server's answer.

use noetl_engine::{Place, Problem, Severity};
use serde_json::Value;

/// Parses a list of problems. A problem in a shape that this version does not know keeps its message.
pub(crate) fn parse_problems(answer: &Value) -> Vec<Problem> {
    let problems = answer.as_array().map_or(&[][..], Vec::as_slice);
    problems.iter().map(parse_problem).collect()
}

/// Parses a place in a playbook, if there is one.
pub(crate) fn parse_place(answer: &Value) -> Option<Place> {
    serde_json::from_value(answer.clone()).ok()
}

fn parse_problem(answer: &Value) -> Problem {
    serde_json::from_value(answer.clone()).unwrap_or_else(|_| Problem {
        severity: match answer["severity"].as_str() {
            Some("warning") => Severity::Warning,
            _ => Severity::Error,
        },
        place: parse_place(&answer["place"]).unwrap_or_default(),
        message: answer["message"]
            .as_str()
            .map_or_else(|| answer.to_string(), str::to_owned),
        help: answer["help"].as_str().map(str::to_owned),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_problem_of_an_unknown_shape_keeps_its_message() {
        let problems = parse_problems(&json!([
            {"severity": "error", "message": "unknown step `b`", "help": "did you mean `a`?",
             "place": {"file": "catalog/p", "line": 7, "column": 9, "step": "a", "field": "next"}},
            {"severity": "fatal", "message": "unknown severity"},
            "no object"
        ]));
        assert_eq!(problems[0].place.step.as_deref(), Some("a"));
        assert_eq!(problems[0].help.as_deref(), Some("did you mean `a`?"));
        let messages: Vec<_> = problems.iter().map(|problem| &problem.message).collect();
        assert_eq!(
            messages,
            ["unknown step `b`", "unknown severity", "\"no object\""]
        );
        assert!(
            problems
                .iter()
                .all(|problem| problem.severity == Severity::Error)
        );
    }
}
