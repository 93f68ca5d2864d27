//! C7 and C8: annotations of the index, and the creation time.

use jiff::Timestamp;

use crate::annotation::{self, DESCRIPTION, LICENSES, SOURCE};
use crate::model::Annotations;
use crate::rules::catalogue::{C7, C8};
use crate::rules::subject::{ImageView, Subject};
use crate::rules::{Expectations, Findings};

/// Annotations that registries show; for an image for several platforms, they read only those of the index.
const SHOWN: &[&str] = &[DESCRIPTION, LICENSES, SOURCE];

pub(super) fn check(subject: &Subject<'_>, expected: &Expectations, findings: &mut Findings) {
    check_index_annotations(subject, findings);
    check_created(subject, expected, findings);
}

/// Returns the labels of an image.
fn labels(view: &ImageView<'_>) -> Annotations {
    let labels = view.run().and_then(|run| run.labels.clone());
    labels.unwrap_or_default()
}

/// Returns a key without the prefix of the specification.
fn short(key: &str) -> &str {
    key.strip_prefix(annotation::PREFIX).unwrap_or(key)
}

/// C7: the index has the annotations that registries show, and they are those of the labels.
fn check_index_annotations(subject: &Subject<'_>, findings: &mut Findings) {
    let first = subject.runnable().find(|view| view.config().is_some());
    let Some(labels) = first.as_ref().map(labels) else {
        return;
    };
    for index in &subject.image.indexes {
        let digest = &index.descriptor.digest;
        for key in SHOWN {
            let found = index.document.value.annotations.get(*key);
            let label = labels.get(*key).filter(|label| !label.is_empty());
            let name = short(key);
            match (found.filter(|found| !found.is_empty()), label) {
                (None, _) => findings.add(&C7, digest, format!("{name} is missing")),
                (Some(found), Some(label)) if found != label => {
                    let message = format!("{name} is `{found}`, and the label is `{label}`");
                    findings.add(&C7, digest, message);
                }
                _ => {}
            }
        }
    }
}

/// C8: the creation time is valid, expected, past, and the same in all images and labels.
fn check_created(subject: &Subject<'_>, expected: &Expectations, findings: &mut Findings) {
    let mut first: Option<(String, String)> = None;
    for view in subject.runnable() {
        let Some(config) = view.config() else {
            continue;
        };
        let name = view.name();
        let text = config.created.clone().unwrap_or_default();
        let mut add = |message: String| findings.add(&C8, &name, message);
        let Some(time) = seconds(&text) else {
            add(format!("created `{text}` is not a time in UTC"));
            continue;
        };
        if expected.now.is_some_and(|now| time > now) {
            add(format!("created {text} is in the future"));
        }
        let labels = labels(&view);
        let label = labels.get(annotation::CREATED);
        if let Some(label) = label.filter(|label| view.is_own() && **label != text) {
            add(format!("created is {text}, and the label is {label}"));
        }
        if expected.created.is_some_and(|created| created != time) {
            add(format!("created {text} is not the expected time"));
        }
        let (other, reference) = first.get_or_insert_with(|| (name.clone(), text.clone()));
        if *reference != text {
            add(format!(
                "created is {text}, and that of {other} is {reference}"
            ));
        }
    }
}

/// Returns the seconds since 1970 of a time in RFC 3339 and UTC, which may have a fraction; `None` for other text.
fn seconds(text: &str) -> Option<u64> {
    let time: Timestamp = text.strip_suffix('Z').and(text.parse().ok())?;
    u64::try_from(time.as_second()).ok()
}

#[cfg(test)]
mod tests {
    use super::seconds;

    #[test]
    fn only_times_in_utc_are_read() {
        assert_eq!(seconds("2026-01-01T00:00:00Z"), Some(1_767_225_600));
        let docker = "2026-01-01T00:00:00.123456789Z";
        assert_eq!(seconds(docker), Some(1_767_225_600));
        for text in [
            "",
            "2026-01-01",
            "2026-02-30T00:00:00Z",
            "2026-01-01T00:00:00+01:00",
            "2026-01-01T24:00:00Z",
            "2026-01-01T00:00:00.Z",
            "1969-12-31T23:59:59Z",
        ] {
            assert_eq!(seconds(text), None, "{text}");
        }
    }
}
