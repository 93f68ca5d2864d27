//! Joins: a step that several steps lead to runs once, when no branch that is under way can still reach it.
//!
//! A step that a branch has arrived at waits for the step runs and the waiting steps from which a path of edges leads
//! to it. A branch that ended elsewhere is not waited for, and neither is a cycle that has not begun. `end` waits for
//! every branch, wherever it leads.

use serde_json::{Map, Value as Json};

use super::frame::{Waiting, Work};
use super::state::Machine;

impl Machine {
    /// Has a step entered in this turn, or later if it is a join.
    pub(super) fn queue_step(&mut self, name: &str, args: Map<String, Json>) {
        let number = self.step_number(name);
        let step = number.map(|number| &self.playbook.steps[number]);
        let name = step.map_or(name, |step| &step.name);
        let is_end = name.eq_ignore_ascii_case("end")
            && step.is_none_or(|step| step.next.edges.is_empty() && step.for_each.is_none());
        let is_join = number.is_some_and(|number| self.playbook.graph.is_join(number));
        let step = name.to_owned();
        if !is_end && !is_join {
            self.queue.push_back(Work::Enter { step, args });
            return;
        }
        if let Some(known) = self.waiting.iter_mut().find(|one| one.number == number) {
            known.args.extend(args);
            return;
        }
        let ancestors = number
            .filter(|_| !is_end)
            .map(|number| self.playbook.graph.ancestors(number));
        self.waiting.push(Waiting {
            step,
            number,
            args,
            ancestors,
        });
    }

    /// Returns the number of a step; `end` may be written in capitals.
    fn step_number(&self, name: &str) -> Option<usize> {
        let is_end = |name: &str| name.eq_ignore_ascii_case("end");
        self.playbook.graph.number(name).or_else(|| {
            let mut steps = self.playbook.steps.iter();
            steps.position(|step| is_end(name) && is_end(&step.name))
        })
    }

    /// Enters the waiting steps that nothing under way can reach. Returns whether there was one.
    pub(super) fn enter_joins(&mut self) -> bool {
        let is_free = |one: &Waiting| {
            let runs = self.runs.values().map(|run| Some(run.step));
            let others = self.waiting.iter().map(|other| other.number);
            !runs.chain(others).any(|step| one.waits_for(step))
        };
        let mut free: Vec<bool> = self.waiting.iter().map(is_free).collect();
        if !free.contains(&true) && self.runs.is_empty() {
            // Steps of a cycle wait for each other: the first to be arrived at goes on.
            let first = self.waiting.iter().position(|one| {
                let mut others = self.waiting.iter();
                others.all(|other| !one.waits_for(other.number) || other.waits_for(one.number))
            });
            if let Some(first) = first {
                free[first] = true;
            }
        }
        let mut is_free = free.iter();
        let entered = self
            .waiting
            .extract_if(.., |_| is_free.next().copied().unwrap_or_default());
        let entered: Vec<_> = entered.collect();
        for Waiting { step, args, .. } in &entered {
            let (step, args) = (step.clone(), args.clone());
            self.queue.push_back(Work::Enter { step, args });
        }
        !entered.is_empty()
    }
}
