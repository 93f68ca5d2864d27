// Converts the server's graph into boxes and edges with coordinates. dagre computes the layout.
import dagre from "@dagrejs/dagre";
import type { Edge, Node } from "@xyflow/react";
import type { Graph, GraphEdge, GraphNode, StepState } from "../api/schema";
import { cut } from "../ui/LongText";

export const NODE_WIDTH = 208;
export const NODE_HEIGHT = 56;
const LABEL_LIMIT = 28;
const LABEL_HEIGHT = 22;
/** The approximate width of a character of a label. */
const CHARACTER_WIDTH = 6.6;
const CORNER = 10;

export interface Point {
  x: number;
  y: number;
}

export interface StepData extends Record<string, unknown> {
  step: GraphNode;
  state?: StepState | undefined;
}

export interface LineData extends Record<string, unknown> {
  points: Point[];
  label?: string;
  labelAt?: Point;
  condition?: string;
}

export type StepNode = Node<StepData, "step">;
export type RoutedLine = Edge<LineData, "routed">;

export interface Placed {
  nodes: StepNode[];
  edges: RoutedLine[];
}

/** Places the steps of a graph. States only change colours, so that the graph does not move during a run. */
export function placeGraph(graph: Graph): Placed {
  const layout = new dagre.graphlib.Graph({ multigraph: true });
  layout.setGraph({ rankdir: "TB", nodesep: 32, ranksep: 36, edgesep: 16, marginx: 8, marginy: 8 });
  // dagre uses the ids as keys of plain objects, where a step named __proto__ would break it.
  const names = new Map(graph.nodes.map(({ id }, index) => [id, `n${index}`]));
  const nameOf = (id: string) => names.get(id) ?? "";
  for (const name of names.values()) layout.setNode(name, { width: NODE_WIDTH, height: NODE_HEIGHT });
  const edges = edgesBetween(graph);
  for (const [index, { source, target, condition }] of edges.entries()) {
    const label = shortCondition(condition);
    const room = { width: label.length * CHARACTER_WIDTH + 12, height: LABEL_HEIGHT, labelpos: "c" };
    layout.setEdge(nameOf(source), nameOf(target), label === "" ? {} : room, `e${index}`);
  }
  dagre.layout(layout);
  return {
    nodes: graph.nodes.map((step) => {
      const { x = 0, y = 0 } = layout.node(nameOf(step.id)) as Partial<Point>;
      return {
        id: step.id,
        type: "step",
        position: { x: x - NODE_WIDTH / 2, y: y - NODE_HEIGHT / 2 },
        data: { step },
        width: NODE_WIDTH,
        height: NODE_HEIGHT,
        ariaLabel: stepLabel(step),
      };
    }),
    edges: edges.map((edge, index) =>
      toLine(edge, layout.edge(nameOf(edge.source), nameOf(edge.target), `e${index}`) as Routed),
    ),
  };
}

interface Routed extends Partial<Point> {
  points?: Point[];
}

/** Returns the edges between existing steps. Validation reports the others, which would break the layout. */
function edgesBetween({ nodes, edges }: Graph): GraphEdge[] {
  const known = new Set(nodes.map(({ id }) => id));
  return edges.filter(({ source, target }) => known.has(source) && known.has(target));
}

function toLine(
  { id, source, target, kind, condition }: GraphEdge,
  { points = [], x, y }: Routed,
): RoutedLine {
  const label = shortCondition(condition);
  const isLabelled = condition !== null && label !== "" && x !== undefined && y !== undefined;
  return {
    id,
    source,
    target,
    type: "routed",
    className: `flow-edge flow-edge-${kind}`,
    ariaLabel:
      condition === null ? `${source} leads to ${target}` : `${source} leads to ${target} if ${condition}`,
    data: { points, ...(isLabelled ? { label, labelAt: { x, y }, condition } : {}) },
  };
}

export function shortCondition(condition: string | null): string {
  if (condition === null) return "";
  const bare = condition.replace(/^\s*\{\{\s*|\s*\}\}\s*$/g, "").replace(/\s+/g, " ");
  return bare.length > LABEL_LIMIT ? `${cut(bare, LABEL_LIMIT)}…` : bare;
}

/** Returns a path through the points of the layout, with rounded corners. */
export function pathOf(points: readonly Point[]): string {
  const [first, ...rest] = points;
  if (first === undefined) return "";
  let path = `M ${at(first)}`;
  for (const [index, point] of rest.entries()) {
    const next = rest[index + 1];
    const before = points[index] ?? first;
    if (next === undefined) {
      path += ` L ${at(point)}`;
    } else {
      path += ` L ${at(towards(point, before))} Q ${at(point)} ${at(towards(point, next))}`;
    }
  }
  return path;
}

/** Returns a point a short way from one point to another, at most half of it. */
function towards(from: Point, to: Point): Point {
  const length = Math.hypot(to.x - from.x, to.y - from.y);
  const share = length === 0 ? 0 : Math.min(CORNER / length, 0.5);
  return { x: from.x + (to.x - from.x) * share, y: from.y + (to.y - from.y) * share };
}

function at({ x, y }: Point): string {
  return `${x.toFixed(1)} ${y.toFixed(1)}`;
}

/** Returns a placed graph with the colours of a run. Edges between steps that ran are drawn as taken. */
export function colour({ nodes, edges }: Placed, states: Record<string, StepState> | undefined): Placed {
  if (states === undefined) return { nodes, edges };
  const isReached = (id: string) => isStarted(stateOf(states, id));
  return {
    nodes: nodes.map((node) => {
      const state = stateOf(states, node.id);
      const label = `${stepLabel(node.data.step)}, ${(state?.status ?? "PENDING").toLowerCase()}`;
      return { ...node, data: { ...node.data, state }, ariaLabel: label };
    }),
    edges: edges.map((edge) => {
      const isTaken = isReached(edge.source) && isReached(edge.target);
      return {
        ...edge,
        animated: isTaken && stateOf(states, edge.target)?.status === "RUNNING",
        className: `${edge.className ?? ""}${isTaken ? " flow-edge-taken" : ""}`,
      };
    }),
  };
}

function isStarted(state: StepState | undefined): boolean {
  return state !== undefined && state.status !== "PENDING" && state.status !== "SKIPPED";
}

/** Returns the state of a step, whose name may be that of a property of every object. */
function stateOf(states: Record<string, StepState>, id: string): StepState | undefined {
  return Object.hasOwn(states, id) ? states[id] : undefined;
}

function stepLabel({ label, kind, tools, joins }: GraphNode): string {
  const waits = joins.length > 0 ? `runs once, after all of ${joins.join(" and ")}` : "";
  const parts = [label, kind === "step" ? "" : kind, ...tools, waits];
  return parts.filter((part) => part !== "").join(", ");
}
