//! Checks that every step that is named exists.

use std::collections::HashSet;

use noetl_yaml::Node;

use super::super::distance::distance;
use super::super::model::{Executor, Step};
use super::reader::Reader;

impl Reader<'_> {
    /// Adds a problem for every step that is named and does not exist.
    pub(super) fn check_targets(
        &mut self,
        executor: &Executor,
        on_error: &[String],
        steps: &[Step],
        root: &Node,
    ) {
        // `end` need not be written: it then ends the branch.
        let names: HashSet<&str> = steps.iter().map(|step| step.name.as_str()).collect();
        let known = |name: &str| names.contains(name) || name == "end";
        let mut missing = Vec::new();
        for step in steps {
            for edge in step.edges() {
                if !known(&edge.step) {
                    missing.push((edge.place.clone(), edge.step.clone()));
                }
            }
        }
        for name in on_error.iter().filter(|name| !known(name)) {
            let place = self.place(root.get("on_error").unwrap_or(root), "on_error");
            missing.push((place, name.clone()));
        }
        for step in steps {
            for name in step.on_error.iter().filter(|name| !known(name)) {
                missing.push((step.place.clone(), name.clone()));
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
            let help = match nearest {
                Some(nearest) => format!("did you mean `{nearest}`?"),
                None => "add the step, or correct the name".to_owned(),
            };
            self.fail(place, format!("there is no step `{name}`"), &help);
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
