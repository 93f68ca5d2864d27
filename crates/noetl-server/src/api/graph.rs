//! The graph of a playbook, and the states of an execution's steps.

use std::collections::BTreeMap;

use noetl_api::graph::{
    EdgeKind, Graph, GraphEdge, GraphLoop, GraphNode, LoopMode, LoopProgress, NodeKind, StepState,
};
use noetl_api::{ExecutionStatus, StepStatus};
use noetl_engine::execution::event_name;
use noetl_engine::{Action, Edge, Playbook, Step};
use serde_json::Value;

use super::rows;
use crate::store::EventRow;

/// Returns the graph of a playbook.
pub(super) fn graph_of(playbook: &Playbook) -> Graph {
    let entry = playbook.entry().name.clone();
    let nodes = playbook
        .steps
        .iter()
        .map(|step| node(playbook, step, step.name == entry))
        .collect();
    let mut edges = Vec::new();
    let mut ends = false;
    for step in &playbook.steps {
        let mut add = |edge: &Edge, kind: EdgeKind, condition: Option<String>| {
            ends |= edge.step == "end";
            edges.push(GraphEdge {
                id: format!("e{}", edges.len()),
                source: step.name.clone(),
                target: edge.step.clone(),
                kind,
                condition: condition.or_else(|| edge.when.as_ref().map(text)),
                line: edge.place.line,
            });
        };
        for edge in &step.next.edges {
            let kind = if edge.when.is_some() {
                EdgeKind::Arc
            } else {
                EdgeKind::Next
            };
            add(edge, kind, None);
        }
        for case in &step.cases {
            let condition = case.when.as_ref().map(text);
            for action in &case.then {
                match action {
                    Action::Next(edges) => edges
                        .iter()
                        .for_each(|edge| add(edge, EdgeKind::Case, condition.clone())),
                    Action::Call(edge) => add(edge, EdgeKind::Call, condition.clone()),
                    _ => {}
                }
            }
        }
    }
    let mut graph = Graph { nodes, edges };
    // A step `end` exists even when the playbook does not define it.
    if ends && playbook.step("end").is_none() {
        graph.nodes.push(GraphNode {
            id: "end".to_owned(),
            label: "end".to_owned(),
            description: None,
            kind: NodeKind::End,
            tools: Vec::new(),
            line: 0,
            entry: false,
            repeat: None,
            joins: Vec::new(),
        });
    }
    graph
}

fn text(field: &noetl_engine::Field) -> String {
    field
        .value
        .as_str()
        .map_or_else(|| field.value.to_string(), |text| text.trim().to_owned())
}

fn node(playbook: &Playbook, step: &Step, entry: bool) -> GraphNode {
    let end = step.name.eq_ignore_ascii_case("end");
    let repeat = step.for_each.as_ref().map(|repeat| GraphLoop {
        iterator: repeat.iterator.clone(),
        mode: if repeat.max_in_flight.value.as_u64() == Some(1) {
            LoopMode::Sequential
        } else {
            LoopMode::Parallel
        },
    });
    GraphNode {
        id: step.name.clone(),
        label: step.name.clone(),
        description: step.description.clone(),
        kind: match (entry, end, repeat.is_some()) {
            (_, _, true) => NodeKind::Loop,
            (true, ..) => NodeKind::Start,
            (_, true, _) => NodeKind::End,
            _ => NodeKind::Step,
        },
        tools: step
            .tasks
            .iter()
            .map(|task| task.kind.name().to_owned())
            .collect(),
        line: step.place.line,
        entry,
        repeat,
        joins: playbook
            .joined_by(&step.name)
            .into_iter()
            .map(str::to_owned)
            .collect(),
    }
}

/// The states of an execution's steps, made from its events.
#[derive(Default)]
pub(super) struct States(BTreeMap<String, State>);

/// Where a step stands after the events so far.
#[derive(Default)]
struct State {
    /// None before it begins.
    status: Option<StepStatus>,
    count: u64,
    items: Option<LoopItems>,
}

/// The items of a loop, the last time that it was entered.
#[derive(Default)]
struct LoopItems {
    total: Option<u64>,
    /// The items of commands that have not ended.
    commands: BTreeMap<String, u64>,
    /// Whether the last command of each item ended well.
    ended: BTreeMap<u64, bool>,
}

impl States {
    /// Takes the next event.
    pub(super) fn take(&mut self, event: &EventRow) {
        let Some(step) = &event.node_name else {
            return;
        };
        let state = self.0.entry(step.clone()).or_default();
        let context = || rows::json(event.context.as_deref());
        match event.event_type.as_str() {
            event_name::COMMAND_ISSUED => {
                state.status.get_or_insert(StepStatus::Pending);
                state.issue(event.node_id.as_deref(), &context());
            }
            event_name::STEP_ENTER => {
                state.status = Some(StepStatus::Running);
                state.count += 1;
            }
            event_name::STEP_EXIT => state.status = Some(event.status.into()),
            event_name::STEP_SKIPPED => state.status = Some(StepStatus::Skipped),
            event_name::LOOP_ITEM => state.begin_item(&context()),
            event_name::COMMAND_COMPLETED => state.end(event.node_id.as_deref(), true),
            event_name::COMMAND_FAILED => state.end(event.node_id.as_deref(), false),
            _ => {}
        }
    }

    /// Returns the states after the last event. `ended` is the status with which the execution ended, if it has.
    pub(super) fn finish(self, ended: Option<ExecutionStatus>) -> BTreeMap<String, StepState> {
        let stopped = ended.map(|ended| match ended {
            ExecutionStatus::Failed => StepStatus::Failed,
            _ => StepStatus::Cancelled,
        });
        let state = |(step, state): (String, State)| {
            let status = match (state.status?, stopped) {
                (StepStatus::Pending | StepStatus::Running, Some(stopped)) => stopped,
                (status, _) => status,
            };
            let (count, items) = (state.count, state.items.map(LoopItems::progress));
            Some((
                step,
                StepState {
                    status,
                    count,
                    items,
                },
            ))
        };
        self.0.into_iter().filter_map(state).collect()
    }
}

impl State {
    /// Takes the beginning of an item. The first one begins the loop.
    fn begin_item(&mut self, context: &Value) {
        if context["index"].as_u64() == Some(0) {
            self.items = None;
        }
        self.items.get_or_insert_default().total = context["total"].as_u64();
    }

    /// Takes a command, which may be one of an item: a first one, another attempt, or another page.
    fn issue(&mut self, command: Option<&str>, context: &Value) {
        if let Some(((items, item), command)) = self
            .items
            .as_mut()
            .zip(context["iteration"].as_u64())
            .zip(command)
        {
            items.ended.remove(&item);
            items.commands.insert(command.to_owned(), item);
        }
    }

    /// Takes the end of a command.
    fn end(&mut self, command: Option<&str>, is_well: bool) {
        let Some((items, command)) = self.items.as_mut().zip(command) else {
            return;
        };
        if let Some(item) = items.commands.remove(command) {
            items.ended.insert(item, is_well);
        }
    }
}

impl LoopItems {
    fn progress(self) -> LoopProgress {
        let count = |well| self.ended.values().filter(|ended| **ended == well).count() as u64;
        LoopProgress {
            total: self.total,
            completed: count(true),
            failed: count(false),
        }
    }
}
