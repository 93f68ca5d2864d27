//! Problems of a playbook as lines, like those of a compiler: the place in the file that the user named,
//! then the message.

use std::fmt::Write as _;

use noetl_engine::{Problem, Severity};

/// Formats problems as lines in their order, with `file` as the name of the playbook.
pub(crate) fn text(problems: &[Problem], file: Option<&str>) -> String {
    let mut text = String::new();
    for problem in problems {
        let mut problem = problem.clone();
        if let Some(file) = file {
            file.clone_into(&mut problem.place.file);
        }
        let severity = severity_name(problem.severity);
        let message = if problem.place.file.is_empty() {
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

/// Counts problems, such as `2 errors and 1 warning`. Returns an empty text when there are none.
pub(crate) fn count(problems: &[Problem]) -> String {
    let count_of = |severity| {
        let count = problems
            .iter()
            .filter(|problem| problem.severity == severity)
            .count();
        let plural = if count == 1 { "" } else { "s" };
        (count > 0).then(|| format!("{count} {}{plural}", severity_name(severity)))
    };
    let counts: Vec<String> = [Severity::Error, Severity::Warning]
        .into_iter()
        .filter_map(count_of)
        .collect();
    counts.join(" and ")
}

fn severity_name(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use noetl_engine::Place;

    fn problem(severity: Severity, file: &str, line: usize, message: &str) -> Problem {
        Problem {
            severity,
            place: Place {
                file: file.to_owned(),
                line,
                ..Place::default()
            },
            message: message.to_owned(),
            help: None,
        }
    }

    #[test]
    fn a_problem_has_its_place_in_front() {
        let mut unknown = problem(Severity::Error, "catalog/p", 7, "unknown step `b`");
        unknown.place.column = 9;
        unknown.place.step = Some("a".to_owned());
        unknown.place.field = Some("next".to_owned());
        unknown.help = Some("did you mean `a`?".to_owned());
        let problems = [
            unknown,
            problem(Severity::Warning, "catalog/p", 3, "never reached"),
            problem(Severity::Error, "", 0, "without a place"),
        ];
        assert_eq!(
            text(&problems, Some("./p.yaml")),
            "error: ./p.yaml:7:9: step `a`, field `next`: unknown step `b`\nhelp: did you mean `a`?\n\
             warning: ./p.yaml:3: never reached\nerror: ./p.yaml: without a place\n"
        );
        assert!(text(&problems, None).ends_with("error: without a place\n"));
        assert_eq!(count(&problems), "2 errors and 1 warning");
        assert_eq!(count(&problems[..1]), "1 error");
        assert_eq!(count(&[]), "");
    }
}
