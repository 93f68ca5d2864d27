//! A check of the Python code of a playbook, before anything runs.

use std::ffi::OsString;

use serde::Deserialize;
use serde_json::{Map, Value as Json};

use super::call::Call;
use super::process::{Job, OUTPUT_LIMIT};
use super::python::run_interpreter;
use crate::field::Field;
use crate::host::Host;
use crate::playbook::{Playbook, ToolKind};
use crate::template::{self, Scope};
use noetl_api::{Place, Problem, Severity};

const CHECKER: &str = include_str!("checker.py");

/// An error that the interpreter found.
#[derive(Debug, Deserialize)]
struct Found {
    index: usize,
    /// Its line in the code, from 1.
    line: usize,
    message: String,
}

/// Returns the syntax errors in a playbook's Python code, with their lines in the playbook. The code is parsed by the
/// interpreter that would run it; without one, and for code with templates in it, nothing is checked.
pub async fn check_python(playbook: &Playbook, host: &dyn Host) -> Vec<Problem> {
    let (codes, fields): (Vec<&str>, Vec<&Field>) = playbook
        .tasks()
        .filter(|task| task.kind == ToolKind::Python)
        .filter_map(|task| Some((task.config.value.get("code")?.as_str()?, &task.config)))
        .filter(|(code, _)| !template::is_template(code))
        .unzip();
    if codes.is_empty() {
        return Vec::new();
    }
    let nothing = Map::new();
    let call = Call {
        kind: ToolKind::Python,
        config: &nothing,
        args: &nothing,
        context: &Scope::new(),
        key: "",
        attempt: 1,
        timeout: None,
        place: &Place::default(),
        code_line: None,
    };
    let job = Job {
        arguments: ["-I", "-c", CHECKER].map(OsString::from).into(),
        input: Json::from(codes).to_string().into_bytes().into(),
        limit: OUTPUT_LIMIT,
        ..Job::default()
    };
    let Ok(Some(finished)) = run_interpreter(job, &call, host).await else {
        return Vec::new();
    };
    let found: Vec<Found> = serde_json::from_str(&finished.stdout).unwrap_or_default();
    found
        .into_iter()
        .filter_map(|found| Some(problem(fields.get(found.index)?, &found)))
        .collect()
}

fn problem(field: &Field, found: &Found) -> Problem {
    let mut place = field.place.clone();
    if let Some(first) = field.lines.get("code") {
        (place.line, place.column) = (first + found.line - 1, 0);
    }
    let path = place.field.take().unwrap_or_default();
    place.field = Some(crate::path::join(&path, "code"));
    Problem {
        severity: Severity::Error,
        place,
        message: format!("the python code does not parse: {}", found.message),
        help: Some(format!("see line {} of the code", found.line)),
    }
}
