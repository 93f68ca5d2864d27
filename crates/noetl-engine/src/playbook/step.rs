//! Iterators over the parts of a step.

use super::model::{Action, Edge, Items, Step};
use super::task::{Assignment, Task};
use crate::field::Field;

impl Step {
    /// Returns the names of the steps that this one can lead to.
    pub fn targets(&self) -> impl Iterator<Item = &str> {
        self.edges().map(|edge| edge.step.as_str())
    }

    /// Returns every edge: of `next`, and of case rules.
    pub fn edges(&self) -> impl Iterator<Item = &Edge> {
        let routed =
            self.cases
                .iter()
                .flat_map(|case| &case.then)
                .flat_map(|action| match action {
                    Action::Next(edges) => edges.as_slice(),
                    Action::Call(edge) => std::slice::from_ref(edge),
                    _ => &[],
                });
        self.next.edges.iter().chain(routed)
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

    /// Returns the tasks of the pipeline, and the sinks.
    pub(super) fn all_tasks(&self) -> impl Iterator<Item = &Task> {
        self.tasks.iter().chain(self.sinks())
    }

    /// Returns every assignment of the step, its rules and its edges.
    pub(super) fn assignments(&self) -> impl Iterator<Item = &Assignment> {
        let acted = self.actions().flat_map(|action| match action {
            Action::Set(assignments) => assignments.as_slice(),
            _ => &[],
        });
        let ruled = self
            .all_tasks()
            .flat_map(|task| &task.rules)
            .flat_map(|rule| &rule.set);
        let edges = self.edges().flat_map(|edge| &edge.set);
        let tasks = self.all_tasks().flat_map(|task| &task.set);
        let own = self.set.iter().chain(tasks);
        own.chain(acted).chain(ruled).chain(edges)
    }

    /// Returns the variables that `collect` sets.
    pub(super) fn collected_variables(&self) -> impl Iterator<Item = &str> {
        self.actions().filter_map(|action| match action {
            Action::Collect(collect) => collect.into.as_deref(),
            _ => None,
        })
    }

    /// Returns every field with templates.
    pub(super) fn fields(&self) -> impl Iterator<Item = &Field> {
        self.fields_before_call()
            .chain(self.fields_of_later_tasks())
            .chain(&self.args)
            .chain(self.fields_after_call())
    }

    /// Returns the fields that are evaluated before the step's call, its arguments not included.
    pub(super) fn fields_before_call(&self) -> impl Iterator<Item = &Field> {
        let repeated = self.for_each.iter().flat_map(|each| {
            let items = match &each.items {
                Items::List(items) => vec![&**items],
                Items::Cursor(cursor) => cursor.claim.fields().collect(),
            };
            items.into_iter().chain([&each.max_in_flight])
        });
        let first = self.tasks.iter().take(1).flat_map(Task::call_fields);
        repeated.chain(first)
    }

    /// Returns the fields of the tasks behind another one, which see its `output`.
    pub(super) fn fields_of_later_tasks(&self) -> impl Iterator<Item = &Field> {
        self.tasks.iter().skip(1).flat_map(Task::call_fields)
    }

    /// Returns the fields that are evaluated after the call, and the conditions of admission.
    pub(super) fn fields_after_call(&self) -> impl Iterator<Item = &Field> {
        let admitted = self
            .admit
            .iter()
            .filter_map(|admission| admission.when.as_ref());
        let conditions = self.cases.iter().filter_map(|case| case.when.as_ref());
        let acted = self.actions().flat_map(|action| match action {
            Action::Result(field) | Action::Fail(field) => vec![field],
            Action::Collect(collect) => collect.from.iter().collect(),
            Action::Repeat(repeat) => repeat.overrides.iter().collect(),
            _ => Vec::new(),
        });
        let edges = self
            .edges()
            .flat_map(|edge| edge.when.iter().chain(&edge.args));
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
            .chain(edges)
            .chain(guards)
            .chain(saved)
            .chain(assigned)
    }
}
