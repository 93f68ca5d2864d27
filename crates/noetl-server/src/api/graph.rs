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
    items: Option<LoopProgress>,
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
            event_name::COMMAND_ISSUED => state.issue(&context()),
            event_name::STEP_ENTER => {
                state.status = Some(StepStatus::Running);
                state.count += 1;
            }
            event_name::STEP_EXIT => state.status = Some(event.status.into()),
            event_name::STEP_SKIPPED => state.status = Some(StepStatus::Skipped),
            event_name::LOOP_ITEM => state.begin_item(&context()),
            event_name::CALL_DONE if !context()["iteration"].is_null() => {
                state.items.get_or_insert_default().completed += 1;
            }
            event_name::CALL_ERROR if !context()["iteration"].is_null() => {
                state.items.get_or_insert_default().failed += 1;
            }
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
            let (count, items) = (state.count, state.items);
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
    /// Takes a command. One that tries an item again takes its failure back.
    fn issue(&mut self, context: &Value) {
        self.status.get_or_insert(StepStatus::Pending);
        let is_again = context["attempt"].as_u64() > Some(1) && !context["iteration"].is_null();
        if is_again && let Some(items) = &mut self.items {
            items.failed = items.failed.saturating_sub(1);
        }
    }

    /// Takes the beginning of an item. The first one begins the loop.
    fn begin_item(&mut self, context: &Value) {
        if context["index"].as_u64() == Some(0) {
            self.items = None;
        }
        let items = self.items.get_or_insert_default();
        items.total = context["total"].as_u64();
    }
}
