//! Checks that every step that is named exists.

use noetl_yaml::Node;

use super::super::model::{Executor, Step};
use super::reader::Reader;

impl Reader<'_> {
    /// Adds a problem for every step that is named and does not exist.
    pub(super) fn check_targets(&mut self, executor: &Executor, steps: &[Step], root: &Node) {
        // `end` need not be written: it then ends the branch.
        let known = |name: &str| steps.iter().any(|step| step.name == name) || name == "end";
        let mut missing = Vec::new();
        for step in steps {
            for edge in step.edges() {
                if !known(&edge.step) {
                    missing.push((edge.place.clone(), edge.step.clone()));
                }
            }
        }
        for (key, name) in [
            ("entry_step", &executor.entry_step),
            ("final_step", &executor.final_step),
        ] {
            if let Some(name) = name
                && !known(name)
            {
                let place = self.place(
                    root.get("executor").unwrap_or(root),
                    &format!("executor.spec.{key}"),
                );
                missing.push((place, name.clone()));
            }
        }
        for (index, (place, name)) in missing.into_iter().enumerate() {
            // Comparing takes time, and names are needed for the first problems only.
            let compare = index < 20 && name.len() < 100;
            let nearest = compare.then(|| nearest(&name, steps)).flatten();
            let help = nearest.map(|nearest| format!("did you mean `{nearest}`?"));
            self.fail(place, format!("there is no step `{name}`"), help.as_deref());
        }
    }
}

/// Returns the step whose name is most like `name`, when it is similar.
fn nearest<'a>(name: &str, steps: &'a [Step]) -> Option<&'a str> {
    steps
        .iter()
        .map(|step| (distance(name, &step.name), step.name.as_str()))
        .filter(|(distance, _)| *distance <= name.chars().count() / 3 + 1)
        .min()
        .map(|(_, name)| name)
}

/// Returns how many letters have to be added, removed or changed to make one word of another.
pub(super) fn distance(name: &str, other: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (name.chars().collect(), other.chars().collect());
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, left) in a.iter().enumerate() {
        let mut corner = i;
        row[0] = i + 1;
        for (j, right) in b.iter().enumerate() {
            let next = (corner + usize::from(left != right))
                .min(row[j] + 1)
                .min(row[j + 1] + 1);
            corner = row[j + 1];
            row[j + 1] = next;
        }
    }
    row[b.len()]
}
