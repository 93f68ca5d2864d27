//! Steps that others name: each must be there.

use super::super::{Action, Executor, Step};
use super::Reader;
use crate::yaml::Node;

impl Reader<'_> {
    /// Every step that something points to must be there.
    pub(super) fn targets(&mut self, executor: &Executor, steps: &[Step], root: &Node) {
        // `end` may go unwritten: it then ends the branch, as it always did.
        let known = |name: &str| steps.iter().any(|step| step.name == name) || name == "end";
        let mut missing = Vec::new();
        for step in steps {
            let routed = step.cases.iter().flat_map(|case| &case.then);
            let routed = routed.flat_map(|action| match action {
                Action::Next(arcs) => arcs.as_slice(),
                Action::Call(arc) => std::slice::from_ref(arc),
                _ => &[],
            });
            for arc in step.next.arcs.iter().chain(routed) {
                if !known(&arc.step) {
                    missing.push((arc.place.clone(), arc.step.clone()));
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
            // Comparing takes its time: nobody reads further than this.
            let compare = index < 20 && name.len() < 100;
            let nearest = compare.then(|| nearest(&name, steps)).flatten();
            let help = nearest.map(|nearest| format!("did you mean `{nearest}`?"));
            self.fail(place, format!("there is no step `{name}`"), help.as_deref());
        }
    }
}

/// The step whose name is most like `name`, if one is like it at all.
fn nearest<'a>(name: &str, steps: &'a [Step]) -> Option<&'a str> {
    let distance = |other: &str| {
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
    };
    steps
        .iter()
        .map(|step| (distance(&step.name), step.name.as_str()))
        .filter(|(distance, _)| *distance <= name.chars().count() / 3 + 1)
        .min()
        .map(|(_, name)| name)
}
