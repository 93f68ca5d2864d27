//! What a person should know before a playbook runs: steps that nothing leads to, names that nothing
//! defines.

use std::collections::{BTreeSet, HashSet};

use serde_json::{Map, Value as Json};

use super::{Action, Assignment, Field, Playbook, Step, Task};
use crate::problem::{Place, Problem, Problems, Severity};
use crate::template;
use crate::tool::Failure;

/// Names that only the moment after a call has.
const AFTER: [&str; 6] = ["event", "response", "result", "error", "outcome", "output"];

pub(super) fn problems(playbook: &Playbook, payload: &Map<String, Json>) -> Problems {
    let mut problems = playbook.warnings.clone();
    unreachable(playbook, &mut problems);
    unknown_names(playbook, payload, &mut problems);
    Problems::sorted(problems)
}

fn unreachable(playbook: &Playbook, problems: &mut Vec<Problem>) {
    let mut reached = HashSet::new();
    let mut ahead = vec![playbook.entry().name.as_str()];
    ahead.extend(playbook.executor.final_step.as_deref());
    while let Some(name) = ahead.pop() {
        if !reached.insert(name) {
            continue;
        }
        if let Some(step) = playbook.step(name) {
            ahead.extend(step.targets());
        }
    }
    for step in &playbook.steps {
        // `end` is where every playbook of this family ends, whether or not something says so.
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
    let mut known = BTreeSet::new();
    // What the engine gives: functions, a loop's results to the steps after it, a sink's own data.
    known.extend(["data", "dict", "loop_results", "range"]);
    known.extend(playbook.workload.keys().map(String::as_str));
    known.extend(
        payload
            .keys()
            .map(|key| key.split('.').next().unwrap_or(key)),
    );
    for step in &playbook.steps {
        known.insert(&step.name);
        known.extend(step.repeat.iter().map(|repeat| repeat.iterator.as_str()));
        known.extend(step.args.iter().map(|field| field.name.as_str()));
        known.extend(step.tasks.iter().map(|task| task.name.as_str()));
        known.extend(
            step.assignments()
                .map(|assignment| assignment.field.name.as_str()),
        );
        known.extend(
            step.all_tasks()
                .flat_map(|task| &task.args)
                .map(|field| field.name.as_str()),
        );
        known.extend(
            step.arcs()
                .flat_map(|arc| &arc.args)
                .map(|field| field.name.as_str()),
        );
        known.extend(step.collected());
    }
    let moments: BTreeSet<&str> = template::moment_names().collect();
    let mut before = known.clone();
    before.extend(moments.iter().filter(|name| !AFTER.contains(name)));
    known.extend(&moments);
    let mut unknown = |field: &Field, known: &BTreeSet<&str>| {
        for (name, place) in required(field) {
            let failure = match name.strip_prefix("keychain.") {
                Some(_) if !known.contains("keychain") => in_the_open(),
                Some(entry) if playbook.keychain.iter().any(|kept| kept.name == entry) => continue,
                Some(entry) => unknown_secret(entry),
                None if known.contains(name.as_str()) => continue,
                None if AFTER.contains(&name.as_str()) => too_early(&name),
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
    let mut open = before.clone();
    open.remove("keychain");
    for step in &playbook.steps {
        for field in step.fields_before() {
            unknown(field, &before);
        }
        for field in &step.args {
            unknown(field, &open);
        }
        for field in step.fields_after() {
            unknown(field, &known);
        }
    }
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

fn in_the_open() -> Failure {
    Failure::new(
        "template",
        "the arguments of a step are kept in the open, and `keychain` is not",
    )
    .help("ask for `keychain` in the tool's own fields, or in its `args`")
}

fn too_early(name: &str) -> Failure {
    Failure::new(
        "template",
        format!("`{name}` is what a call gave, and this is evaluated before the call"),
    )
    .help("name the step whose result is meant, as in `{{ STEP.field }}`")
}

/// The names without which a field has no value, with their places.
fn required(field: &Field) -> Vec<(String, Place)> {
    fn walk(field: &Field, value: &Json, below: &str, found: &mut Vec<(String, Place)>) {
        match value {
            Json::String(text) => {
                let mut place = field.place.clone();
                if let Some(line) = field.lines.get(below) {
                    place.line = *line;
                    place.column = 0;
                    let above = place.field.unwrap_or_default();
                    place.field = Some(template::key(&above, below).replace(".[", "["));
                }
                // A block may ask for what is not there, and go another way.
                let guarded = |name: &str| {
                    text.contains("{%") && (AFTER.contains(&name) || name.contains('.'))
                };
                let names = template::required_names(text).into_iter();
                found.extend(
                    names
                        .filter(|name| !guarded(name))
                        .map(|name| (name, place.clone())),
                );
            }
            Json::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    walk(field, item, &template::index(below, index), found);
                }
            }
            Json::Object(entries) => {
                for (key, item) in entries {
                    walk(field, item, &template::key(below, key), found);
                }
            }
            _ => {}
        }
    }
    let mut found = Vec::new();
    match &field.value {
        // A condition without braces is an expression all the same.
        Json::String(text) if !template::is_template(text) && !field.roots.is_empty() => {
            walk(
                field,
                &Json::String(format!("{{{{ {text} }}}}")),
                "",
                &mut found,
            );
        }
        value => walk(field, value, "", &mut found),
    }
    found
}

impl Step {
    /// The names of the steps that this one can lead to.
    pub fn targets(&self) -> impl Iterator<Item = &str> {
        self.arcs().map(|arc| arc.step.as_str())
    }

    /// Every arc: of `next`, and of case rules.
    pub fn arcs(&self) -> impl Iterator<Item = &super::Arc> {
        let routed =
            self.cases
                .iter()
                .flat_map(|case| &case.then)
                .flat_map(|action| match action {
                    Action::Next(arcs) => arcs.as_slice(),
                    Action::Call(arc) => std::slice::from_ref(arc),
                    _ => &[],
                });
        self.next.arcs.iter().chain(routed)
    }

    fn actions(&self) -> impl Iterator<Item = &Action> {
        self.cases.iter().flat_map(|case| &case.then)
    }

    fn sinks(&self) -> impl Iterator<Item = &Task> {
        let acted = self.actions().filter_map(|action| match action {
            Action::Sink(task) => Some(&**task),
            _ => None,
        });
        self.sink.iter().chain(acted)
    }

    /// The pipeline, and the sinks.
    fn all_tasks(&self) -> impl Iterator<Item = &Task> {
        self.tasks.iter().chain(self.sinks())
    }

    fn assignments(&self) -> impl Iterator<Item = &Assignment> {
        let acted = self.actions().flat_map(|action| match action {
            Action::Set(assignments) => assignments.as_slice(),
            _ => &[],
        });
        let ruled = self
            .all_tasks()
            .flat_map(|task| &task.rules)
            .flat_map(|rule| &rule.set);
        let arcs = self.arcs().flat_map(|arc| &arc.set);
        self.set.iter().chain(acted).chain(ruled).chain(arcs)
    }

    fn collected(&self) -> impl Iterator<Item = &str> {
        self.actions().filter_map(|action| match action {
            Action::Collect(collect) => collect.into.as_deref(),
            _ => None,
        })
    }

    /// Fields that are evaluated before the step's call, besides its arguments.
    fn fields_before(&self) -> impl Iterator<Item = &Field> {
        let repeated = self
            .repeat
            .iter()
            .flat_map(|repeat| [&repeat.items, &repeat.max_in_flight]);
        let called = self
            .tasks
            .iter()
            .flat_map(|task| std::iter::once(&task.config).chain(&task.args));
        repeated.chain(called)
    }

    /// Fields that are evaluated after it, or in its own good time.
    fn fields_after(&self) -> impl Iterator<Item = &Field> {
        let admitted = self
            .admit
            .iter()
            .filter_map(|admission| admission.when.as_ref());
        let conditions = self.cases.iter().filter_map(|case| case.when.as_ref());
        let acted = self.actions().flat_map(|action| match action {
            Action::Result(field) | Action::Fail(field) => vec![field],
            Action::Collect(collect) => collect.from.iter().collect(),
            Action::Retry(again) => again.overrides.iter().collect(),
            _ => Vec::new(),
        });
        let arcs = self.arcs().flat_map(|arc| arc.when.iter().chain(&arc.args));
        let guards = self
            .all_tasks()
            .flat_map(|task| &task.rules)
            .filter_map(|rule| rule.when.as_ref());
        let saved = self
            .sinks()
            .flat_map(|task| std::iter::once(&task.config).chain(&task.args));
        let assigned = self.assignments().map(|assignment| &assignment.field);
        admitted
            .chain(conditions)
            .chain(acted)
            .chain(arcs)
            .chain(guards)
            .chain(saved)
            .chain(assigned)
    }
}
