//! How the problems of a playbook read: the place in the file that the user named, then the message.

use std::fmt::Write as _;

use anyhow::anyhow;
use noetl_engine::{Place, Problem, Severity};
use serde_json::Value;

use crate::client::error::Error;

/// The problems in an answer; one of a shape we do not know keeps its message.
pub(crate) fn read(answer: &Value) -> Vec<Problem> {
    let problems = answer.as_array().map_or(&[][..], Vec::as_slice);
    problems.iter().map(problem).collect()
}

fn problem(answer: &Value) -> Problem {
    serde_json::from_value(answer.clone()).unwrap_or_else(|_| Problem {
        severity: match answer["severity"].as_str() {
            Some("warning") => Severity::Warning,
            _ => Severity::Error,
        },
        place: place(&answer["place"]).unwrap_or_default(),
        message: answer["message"]
            .as_str()
            .map_or_else(|| answer.to_string(), str::to_owned),
        help: answer["help"].as_str().map(str::to_owned),
    })
}

/// A place in an answer, when there is one.
pub(crate) fn place(answer: &Value) -> Option<Place> {
    serde_json::from_value(answer.clone()).ok()
}

/// The problems as lines, in the order they came, with `file` as the name of the playbook.
pub(crate) fn text(problems: &[Problem], file: Option<&str>) -> String {
    let mut text = String::new();
    for problem in problems {
        let mut problem = problem.clone();
        if let Some(file) = file {
            file.clone_into(&mut problem.place.file);
        }
        let severity = match problem.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        let nowhere = problem.place.file.is_empty();
        let message = if nowhere {
            problem.message.clone()
        } else {
            problem.to_string()
        };
        writeln!(text, "{severity}: {message}").expect("writing to a String cannot fail");
        if let Some(help) = &problem.help {
            writeln!(text, "help: {help}").expect("writing to a String cannot fail");
        }
    }
    text
}

/// The error for a playbook that the server refused, after its problems have gone to standard error.
/// Any other error stays as it is.
pub(crate) fn explain(error: Error, file: Option<&str>, outcome: &str) -> anyhow::Error {
    if error.problems.is_empty() {
        return error.into();
    }
    note!("{}", text(&error.problems, file).trim_end());
    anyhow!("{outcome}: {}", count(&error.problems))
}

/// `2 errors and 1 warning`.
pub(crate) fn count(problems: &[Problem]) -> String {
    let of = |severity| {
        let count = problems
            .iter()
            .filter(|problem| problem.severity == severity)
            .count();
        let word = match severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        (count > 0).then(|| format!("{count} {word}{}", if count == 1 { "" } else { "s" }))
    };
    let words: Vec<String> = [Severity::Error, Severity::Warning]
        .into_iter()
        .filter_map(of)
        .collect();
    words.join(" and ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_problem_reads_like_one_of_a_compiler() {
        let problems = read(&json!([
            {"severity": "error", "message": "unknown step `b`", "help": "did you mean `a`?",
             "place": {"file": "catalog/p", "line": 7, "column": 9, "step": "a", "field": "next"}},
            {"severity": "warning", "message": "never reached", "place": {"file": "catalog/p", "line": 3, "column": 0}},
            {"severity": "fatal", "message": "odd"},
            "odder"
        ]));
        assert_eq!(
            text(&problems, Some("./p.yaml")),
            "error: ./p.yaml:7:9: step `a`, field `next`: unknown step `b`\nhelp: did you mean `a`?\n\
             warning: ./p.yaml:3: never reached\nerror: ./p.yaml: odd\nerror: ./p.yaml: \"odder\"\n"
        );
        assert!(text(&problems, None).ends_with("error: odd\nerror: \"odder\"\n"));
        assert_eq!(count(&problems), "3 errors and 1 warning");
        assert_eq!(count(&problems[..1]), "1 error");
    }
}
