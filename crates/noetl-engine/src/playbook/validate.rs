//! Checks of a playbook as a whole: steps that cannot be reached, names in templates that are not defined.

mod workload;

use std::collections::{BTreeSet, HashSet};

use serde_json::{Map, Value as Json};

use super::json_schema::Schema;
use super::model::Playbook;
use crate::field::Field;
use crate::path;
use crate::template;
use noetl_api::Failure;
use noetl_api::{Place, Problem, Problems, Severity};

/// Names that have a value only after a call.
const AFTER_CALL: [&str; 6] = ["event", "response", "result", "error", "outcome", "output"];

/// Returns the warnings of the parser and the problems found here, in the order of their places.
pub(super) fn problems(playbook: &Playbook, payload: &Map<String, Json>) -> Problems {
    let mut problems = playbook.warnings.clone();
    unreachable(playbook, &mut problems);
    unknown_names(playbook, payload, &mut problems);
    workload::unknown_fields(playbook, payload, &mut problems);
    problems.extend(playbook.misfit_defaults());
    Problems::sorted(problems)
}

fn unreachable(playbook: &Playbook, problems: &mut Vec<Problem>) {
    let mut reached = HashSet::new();
    let mut to_visit = vec![playbook.entry().name.as_str()];
    to_visit.extend(playbook.executor.final_step.as_deref());
    to_visit.extend(playbook.on_error.iter().map(String::as_str));
    while let Some(name) = to_visit.pop() {
        if !reached.insert(name) {
            continue;
        }
        if let Some(step) = playbook.step(name) {
            to_visit.extend(step.targets());
            to_visit.extend(step.on_error.iter().map(String::as_str));
        }
    }
    for step in &playbook.steps {
        // Every playbook ends at `end`, also when no step names it.
        if !reached.contains(step.name.as_str()) && !step.name.eq_ignore_ascii_case("end") {
            problems.push(Problem {
                severity: Severity::Warning,
                place: step.place.clone(),
                message: "no step leads here".to_owned(),
                help: Some("name it in a `next`, or begin with it by `--target`".to_owned()),
            });
        }
    }
}

fn unknown_names(playbook: &Playbook, payload: &Map<String, Json>, problems: &mut Vec<Problem>) {
    let mut after = defined_names(playbook, payload);
    let names: BTreeSet<&str> = template::evaluation_names().collect();
    let mut before = after.clone();
    before.extend(names.iter().filter(|name| !AFTER_CALL.contains(name)));
    after.extend(&names);
    let mut check = |field: &Field, defined: &BTreeSet<&str>| {
        for (name, place) in required(field) {
            let failure = match name.strip_prefix("keychain.") {
                Some(_) if !defined.contains("keychain") => keychain_in_arguments(),
                Some(entry) if playbook.keychain.iter().any(|known| known.name == entry) => {
                    continue;
                }
                Some(entry) => unknown_secret(entry),
                None if defined.contains(name.as_str()) => continue,
                None if AFTER_CALL.contains(&name.as_str()) => used_before_call(&name),
                None => template::unknown_name(&name),
            };
            problems.push(Problem {
                severity: Severity::Error,
                place,
                message: failure.message,
                help: failure.help,
            });
        }
    };
    let mut in_pipeline = before.clone();
    in_pipeline.extend(["output", "outcome"]);
    let mut for_arguments = before.clone();
    for_arguments.remove("keychain");
    for step in &playbook.steps {
        for field in step.fields_before_call() {
            check(field, &before);
        }
        for field in step.fields_of_later_tasks() {
            check(field, &in_pipeline);
        }
        for field in &step.args {
            check(field, &for_arguments);
        }
        for field in step.fields_after_call() {
            check(field, &after);
        }
    }
}

/// Returns the names that the playbook, the payload or the engine define.
fn defined_names<'a>(playbook: &'a Playbook, payload: &'a Map<String, Json>) -> BTreeSet<&'a str> {
    // The engine defines functions, `loop_results` after a loop, `data` for sinks, and `target` of the command line.
    let mut names = BTreeSet::from([
        "__frame_max_rows",
        "data",
        "dict",
        "execution",
        "loop_results",
        "now",
        "range",
        "target",
    ]);
    names.extend(playbook.workload.keys().map(String::as_str));
    let schema = playbook.workload_schema.iter();
    names.extend(schema.flat_map(Schema::names));
    names.extend(
        payload
            .keys()
            .map(|key| key.split('.').next().unwrap_or(key)),
    );
    for step in &playbook.steps {
        names.insert(&step.name);
        names.extend(step.for_each.iter().map(|each| each.iterator.as_str()));
        names.extend(step.tasks.iter().map(|task| task.name.as_str()));
        let assigned = step.assignments().map(|assignment| &assignment.field);
        let task_args = step.all_tasks().flat_map(|task| &task.args);
        let edge_args = step.edges().flat_map(|edge| &edge.args);
        let args = step.args.iter().chain(task_args).chain(edge_args);
        names.extend(assigned.chain(args).map(|field| field.name.as_str()));
        names.extend(step.collected_variables());
    }
    names
}

fn unknown_secret(entry: &str) -> Failure {
    Failure::new(
        "template",
        format!("the playbook's `keychain` has no `{entry}`"),
    )
    .help(format!(
        "add `{{name: {entry}, kind: credential, credential: NAME}}` to `keychain`"
    ))
}

fn keychain_in_arguments() -> Failure {
    Failure::new(
        "template",
        "the arguments of a step are stored with the execution, so they cannot use `keychain`",
    )
    .help("use `keychain` in the tool's own fields, or in the tool's `args`")
}

fn used_before_call(name: &str) -> Failure {
    Failure::new(
        "template",
        format!("`{name}` has a value only after the call, and this is evaluated before it"),
    )
    .help("name the step whose result is meant, as in `{{ STEP.field }}`")
}

/// Returns the names without which a field has no value, with their places.
fn required(field: &Field) -> Vec<(String, Place)> {
    let mut found = Vec::new();
    each_text(field, &mut |text, place| {
        // A block such as `if` may use a name only when it has a value.
        let guarded =
            |name: &str| text.contains("{%") && (AFTER_CALL.contains(&name) || name.contains('.'));
        let names = template::required_names(text).into_iter();
        found.extend(
            names
                .filter(|name| !guarded(name))
                .map(|name| (name, place.clone())),
        );
    });
    found
}

/// Calls `visit` with each text of a field and its place. A condition without braces is given as an expression.
fn each_text(field: &Field, visit: &mut dyn FnMut(&str, &Place)) {
    match &field.value {
        Json::String(text) if !template::is_template(text) && !field.roots.is_empty() => {
            let expression = Json::String(format!("{{{{ {text} }}}}"));
            visit_texts(field, &expression, "", visit);
        }
        value => visit_texts(field, value, "", visit),
    }
}

/// Visits the texts of the value at `path` within a field.
fn visit_texts(field: &Field, value: &Json, path: &str, visit: &mut dyn FnMut(&str, &Place)) {
    match value {
        Json::String(text) => {
            let mut place = field.place.clone();
            if let Some(line) = field.lines.get(path) {
                place.line = *line;
                place.column = 0;
                place.field = Some(path::join(&place.field.unwrap_or_default(), path));
            }
            visit(text, &place);
        }
        Json::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                visit_texts(field, item, &path::index(path, index), visit);
            }
        }
        Json::Object(entries) => {
            for (key, item) in entries {
                visit_texts(field, item, &path::key(path, key), visit);
            }
        }
        _ => {}
    }
}
