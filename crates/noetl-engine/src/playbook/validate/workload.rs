//! Fields of `workload` that are known not to be there.

use serde_json::{Map, Value as Json};

use super::super::distance::distance;
use super::super::model::Playbook;
use super::each_text;
use crate::template;
use noetl_api::{Problem, Severity};

/// Adds a warning for each field of the workload that a template names and that neither the playbook nor `payload` has.
/// It is no error, because the field may be given when the playbook runs.
pub(super) fn unknown_fields(
    playbook: &Playbook,
    payload: &Map<String, Json>,
    problems: &mut Vec<Problem>,
) {
    let given = |name: &str| {
        let is_given = |key: &String| {
            let key = key.strip_prefix("workload.").unwrap_or(key);
            key.split('.').next() == Some(name)
        };
        let schema = playbook.workload_schema.as_ref();
        schema.is_some_and(|schema| schema.names().any(|known| known == name))
            || payload.contains_key("workload")
            || payload.keys().any(is_given)
    };
    for field in playbook
        .steps
        .iter()
        .flat_map(super::super::model::Step::fields)
    {
        each_text(field, &mut |text, place| {
            // Of what a block does, only a part may be evaluated.
            if text.contains("{%") {
                return;
            }
            for path in template::required_paths(text, "workload") {
                let Some(missing) = missing_part(&playbook.workload, &path) else {
                    continue;
                };
                if path.split('.').nth(1).is_some_and(given) || is_alternative(text, &path) {
                    continue;
                }
                let name = missing.path.rsplit('.').next().unwrap_or_default();
                let help = match nearest(name, missing.within) {
                    Some(nearest) => format!("did you mean `{nearest}`?"),
                    None => format!(
                        "define it in `workload`, or give it with `--set {}=…`",
                        missing.path
                    ),
                };
                problems.push(Problem {
                    severity: Severity::Warning,
                    place: place.clone(),
                    message: format!("the playbook has no `{}`", missing.path),
                    help: Some(help),
                });
            }
        });
    }
}

/// A field that is not there.
struct Missing<'a> {
    path: &'a str,
    /// The mapping that lacks it.
    within: &'a Map<String, Json>,
}

/// Returns the first part of a path that a workload lacks.
fn missing_part<'a>(workload: &'a Map<String, Json>, path: &'a str) -> Option<Missing<'a>> {
    let mut within = workload;
    let mut end = "workload".len();
    for name in path.split('.').skip(1) {
        end += 1 + name.len();
        match within.get(name) {
            None => {
                let path = &path[..end];
                return Some(Missing { path, within });
            }
            Some(Json::Object(inner)) => within = inner,
            // What a text or a template has is not known.
            Some(_) => return None,
        }
    }
    None
}

/// Whether a text gives another value when the path has none: `workload.x or 1`, `1 if workload.x else 2`.
fn is_alternative(text: &str, path: &str) -> bool {
    let mut rest = text
        .match_indices(path)
        .map(|(at, _)| text[at + path.len()..].trim_start());
    text.contains(" if ") || rest.any(|rest| rest.starts_with("or "))
}

/// Returns the key that is most like `name`, when it is similar.
fn nearest<'a>(name: &str, within: &'a Map<String, Json>) -> Option<&'a str> {
    let keys = within.keys().take(1000);
    keys.map(|key| (distance(name, key), key.as_str()))
        .filter(|(distance, key)| *distance <= key.chars().count() / 2)
        .min()
        .map(|(_, key)| key)
}
