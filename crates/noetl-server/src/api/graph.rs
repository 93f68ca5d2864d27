//! The flow of a playbook as the engine understands it: what the page draws.

use std::collections::BTreeMap;

use noetl_engine::{Action, Playbook, Step};
use serde::Serialize;
use utoipa::ToSchema;

use crate::store::EventRow;

/// Steps and the ways between them.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Graph {
    pub(crate) nodes: Vec<Node>,
    pub(crate) edges: Vec<Edge>,
}

/// A step.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Node {
    id: String,
    label: String,
    description: Option<String>,
    /// `start`, `end`, `loop` or `step`.
    kind: &'static str,
    /// The kinds of its tools, in order.
    tools: Vec<&'static str>,
    line: usize,
    /// Whether the execution begins here.
    entry: bool,
    #[serde(rename = "loop")]
    repeat: Option<LoopInfo>,
}

/// A step's loop.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LoopInfo {
    iterator: String,
    /// `sequential` or `parallel`.
    mode: &'static str,
}

/// A way from a step to another.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Edge {
    id: String,
    source: String,
    target: String,
    /// `next` for arcs without a condition, `arc` for those with one, `case` and `call` for rules.
    kind: &'static str,
    condition: Option<String>,
    line: usize,
}

/// Where the steps of an execution stand.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ExecutionGraph {
    pub(crate) nodes: Vec<Node>,
    pub(crate) edges: Vec<Edge>,
    pub(crate) states: BTreeMap<String, StepState>,
}

/// Where one step stands.
#[derive(Debug, Clone, Default, Serialize, ToSchema)]
pub(crate) struct StepState {
    /// PENDING, RUNNING, COMPLETED, FAILED, SKIPPED or CANCELLED.
    pub(crate) status: String,
    /// How often it was entered.
    pub(crate) count: u64,
}

impl Graph {
    pub(crate) fn of(playbook: &Playbook) -> Self {
        let entry = playbook.entry().name.clone();
        let nodes = playbook
            .steps
            .iter()
            .map(|step| node(step, step.name == entry))
            .collect();
        let mut edges = Vec::new();
        let mut ends = false;
        for step in &playbook.steps {
            let mut add =
                |edge: &noetl_engine::Edge, kind: &'static str, condition: Option<String>| {
                    ends |= edge.step == "end";
                    edges.push(Edge {
                        id: format!("e{}", edges.len()),
                        source: step.name.clone(),
                        target: edge.step.clone(),
                        kind,
                        condition: condition.or_else(|| edge.when.as_ref().map(text)),
                        line: edge.place.line,
                    });
                };
            for edge in &step.next.edges {
                let kind = if edge.when.is_some() { "arc" } else { "next" };
                add(edge, kind, None);
            }
            for case in &step.cases {
                let condition = case.when.as_ref().map(text);
                for action in &case.then {
                    match action {
                        Action::Next(edges) => edges
                            .iter()
                            .for_each(|edge| add(edge, "case", condition.clone())),
                        Action::Call(edge) => add(edge, "call", condition.clone()),
                        _ => {}
                    }
                }
            }
        }
        let mut graph = Self { nodes, edges };
        // `end` may go unwritten and is there all the same.
        if ends && playbook.step("end").is_none() {
            graph.nodes.push(Node {
                id: "end".to_owned(),
                label: "end".to_owned(),
                description: None,
                kind: "end",
                tools: Vec::new(),
                line: 0,
                entry: false,
                repeat: None,
            });
        }
        graph
    }
}

fn text(field: &noetl_engine::Field) -> String {
    field
        .value
        .as_str()
        .map_or_else(|| field.value.to_string(), |text| text.trim().to_owned())
}

fn node(step: &Step, entry: bool) -> Node {
    let end = step.name.eq_ignore_ascii_case("end");
    let repeat = step.for_each.as_ref().map(|repeat| LoopInfo {
        iterator: repeat.iterator.clone(),
        mode: if repeat.max_in_flight.value.as_u64() == Some(1) {
            "sequential"
        } else {
            "parallel"
        },
    });
    Node {
        id: step.name.clone(),
        label: step.name.clone(),
        description: step.description.clone(),
        kind: match (entry, end, repeat.is_some()) {
            (_, _, true) => "loop",
            (true, ..) => "start",
            (_, true, _) => "end",
            _ => "step",
        },
        tools: step.tasks.iter().map(|task| task.kind.name()).collect(),
        line: step.place.line,
        entry,
        repeat,
    }
}

/// Where steps stand after these events, oldest first.
pub(crate) fn states(events: &[EventRow], ended: Option<&str>) -> BTreeMap<String, StepState> {
    let mut states: BTreeMap<String, StepState> = BTreeMap::new();
    for event in events {
        let Some(step) = &event.node_name else {
            continue;
        };
        let state = states.entry(step.clone()).or_default();
        match event.event_type.as_str() {
            "command.issued" if state.status.is_empty() => "PENDING".clone_into(&mut state.status),
            "step.enter" => {
                "RUNNING".clone_into(&mut state.status);
                state.count += 1;
            }
            "step.exit" => event.status.clone_into(&mut state.status),
            "step.skipped" => "SKIPPED".clone_into(&mut state.status),
            _ => {}
        }
    }
    states.retain(|_, state| !state.status.is_empty());
    if let Some(ended) = ended {
        for state in states
            .values_mut()
            .filter(|state| matches!(state.status.as_str(), "PENDING" | "RUNNING"))
        {
            let status = if ended == "FAILED" {
                "FAILED"
            } else {
                "CANCELLED"
            };
            status.clone_into(&mut state.status);
        }
    }
    states
}
