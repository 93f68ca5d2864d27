//! The graph of a playbook, which the web page draws.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::StepStatus;

/// The steps of a playbook and the edges between them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Graph {
    /// The steps.
    pub nodes: Vec<GraphNode>,
    /// The edges, in the order of their steps.
    pub edges: Vec<GraphEdge>,
}

/// A step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct GraphNode {
    /// The step's name.
    pub id: String,
    /// What is written on the node.
    pub label: String,
    /// The step's description.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub description: Option<String>,
    /// How the node is drawn.
    pub kind: NodeKind,
    /// The kinds of its tools, in order.
    pub tools: Vec<String>,
    /// Its line in the playbook; 0 for a step that is not written there.
    pub line: usize,
    /// Whether the execution begins here.
    pub entry: bool,
    /// The step's loop.
    #[serde(rename = "loop")]
    #[cfg_attr(feature = "openapi", schema(required))]
    pub repeat: Option<GraphLoop>,
    /// The steps that lead here when there are several: this one runs once, when no branch that is under way can still
    /// reach it.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required))]
    pub joins: Vec<String>,
}

word_enum! {
    /// What a node stands for.
    NodeKind {
        /// The step at which the execution begins.
        Start = "start",
        /// The end of the workflow.
        End = "end",
        /// A step with a loop.
        Loop = "loop",
        /// Any other step.
        Step = "step",
    }
}

/// A step's loop.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct GraphLoop {
    /// The name under which the step sees the item.
    pub iterator: String,
    /// Whether items run at once.
    pub mode: LoopMode,
}

word_enum! {
    /// Whether the items of a loop run at once.
    LoopMode {
        /// One after the other.
        Sequential = "sequential",
        /// Several at once.
        Parallel = "parallel",
    }
}

/// An edge from a step to another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct GraphEdge {
    /// Unique in the graph.
    pub id: String,
    /// The step that it leaves.
    pub source: String,
    /// The step that it enters.
    pub target: String,
    /// Where it comes from in the playbook.
    pub kind: EdgeKind,
    /// The condition, as it is written.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub condition: Option<String>,
    /// Its line in the playbook.
    pub line: usize,
}

word_enum! {
    /// Where an edge comes from in the playbook.
    EdgeKind {
        /// An arc of `next` without a condition.
        Next = "next",
        /// An arc of `next` with a condition.
        Arc = "arc",
        /// A rule that continues with another step.
        Case = "case",
        /// A rule that calls another step.
        Call = "call",
    }
}

/// The flow of an execution, and where its steps stand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ExecutionGraph {
    /// The steps.
    pub nodes: Vec<GraphNode>,
    /// The edges, in the order of their steps.
    pub edges: Vec<GraphEdge>,
    /// Where the steps stand, by name; one that has not begun is missing.
    pub states: BTreeMap<String, StepState>,
}

/// Where one step stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct StepState {
    /// Where it stands.
    pub status: StepStatus,
    /// How often it was entered.
    pub count: u64,
    /// Where the items of its loop stand, the last time that it was entered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub items: Option<LoopProgress>,
}

/// Where the items of a loop stand.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LoopProgress {
    /// How many there are; null while a cursor may give more.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub total: Option<u64>,
    /// How many have ended well.
    pub completed: u64,
    /// How many have failed.
    pub failed: u64,
}
