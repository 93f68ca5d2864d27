//! The steps of a playbook as a graph.

use std::collections::HashMap;

/// Which step leads to which. Steps are numbered by their order in the playbook.
#[derive(Debug, Clone, Default)]
pub(crate) struct Graph {
    numbers: HashMap<String, usize>,
    /// By step: the other steps that have an edge to it, each once.
    sources: Vec<Vec<usize>>,
}

impl Graph {
    /// Returns the graph of these steps: the name of each, and those of the steps that it can lead to.
    pub(super) fn new(steps: &[(&str, Vec<&str>)]) -> Self {
        let numbers: HashMap<_, _> = steps
            .iter()
            .enumerate()
            .map(|(number, (name, _))| ((*name).to_owned(), number))
            .collect();
        let mut sources = vec![Vec::new(); steps.len()];
        for (source, (_, targets)) in steps.iter().enumerate() {
            for target in targets.iter().filter_map(|name| numbers.get(*name)) {
                let known: &mut Vec<usize> = &mut sources[*target];
                if *target != source && known.last() != Some(&source) {
                    known.push(source);
                }
            }
        }
        Self { numbers, sources }
    }

    /// Returns the number of the step of that name.
    pub(crate) fn number(&self, name: &str) -> Option<usize> {
        self.numbers.get(name).copied()
    }

    /// Returns the other steps that have an edge to a step, each once.
    pub(super) fn sources(&self, step: usize) -> &[usize] {
        &self.sources[step]
    }

    /// Whether several steps lead to a step, so that it waits for the branches that can still reach it.
    pub(crate) fn is_join(&self, step: usize) -> bool {
        self.sources[step].len() > 1
    }

    /// Returns for each step whether a step can be reached from it. The step itself does not count.
    pub(crate) fn ancestors(&self, step: usize) -> Vec<bool> {
        let mut found = vec![false; self.sources.len()];
        let mut to_visit = vec![step];
        while let Some(next) = to_visit.pop() {
            for source in &self.sources[next] {
                if *source != step && !std::mem::replace(&mut found[*source], true) {
                    to_visit.push(*source);
                }
            }
        }
        found
    }
}
