// The boxes and edges of a graph that has its coordinates: their colours in a run, their routes, and which box lies where.
import type { Edge, Node } from "@xyflow/react";
import type { GraphNode, StepState } from "../api/schema";

export const NODE_WIDTH = 208;
export const NODE_HEIGHT = 56;
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
export function colour(
  { nodes, edges }: Placed,
  states: Record<string, StepState> | undefined,
  selected = "",
): Placed {
  if (states === undefined) return { nodes: nodes.map((node) => ({ ...node, selected: node.id === selected })), edges };
  const isReached = (id: string) => isStarted(stateOf(states, id));
  return {
    nodes: nodes.map((node) => {
      const state = stateOf(states, node.id);
      const label = `${stepLabel(node.data.step)}, ${(state?.status ?? "PENDING").toLowerCase()}`;
      return { ...node, selected: node.id === selected, data: { ...node.data, state }, ariaLabel: label };
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
export function stateOf(states: Record<string, StepState> | undefined, id: string): StepState | undefined {
  return states !== undefined && Object.hasOwn(states, id) ? states[id] : undefined;
}

export function stepLabel({ label, kind, tools, joins }: GraphNode): string {
  const waits = joins.length > 0 ? `runs once, after all of ${joins.join(" and ")}` : "";
  const parts = [label, kind === "step" ? "" : kind, ...tools, waits];
  return parts.filter((part) => part !== "").join(", ");
}

/**
 * Returns the box to which an arrow key leads from another: up and down along the edges, and to the sides among the boxes
 * of the same height. None where there is nothing.
 */
export function neighbour({ nodes, edges }: Placed, id: string, key: string): StepNode | undefined {
  const from = nodes.find((node) => node.id === id);
  if (from === undefined) return undefined;
  const aside = (node: StepNode) => node.position.x - from.position.x;
  const isBeside = (node: StepNode) => Math.abs(node.position.y - from.position.y) < NODE_HEIGHT;
  const follows = new Set(edges.flatMap(({ source, target }) => (source === id ? [target] : [])));
  const precedes = new Set(edges.flatMap(({ source, target }) => (target === id ? [source] : [])));
  const leadsTo: Record<string, (node: StepNode) => boolean> = {
    ArrowUp: (node) => precedes.has(node.id),
    ArrowDown: (node) => follows.has(node.id),
    ArrowLeft: (node) => isBeside(node) && aside(node) < 0,
    ArrowRight: (node) => isBeside(node) && aside(node) > 0,
  };
  const among = Object.hasOwn(leadsTo, key) ? leadsTo[key] : undefined;
  if (among === undefined) return undefined;
  const found = nodes.filter((node) => node.id !== id && among(node));
  return found.sort((one, other) => Math.abs(aside(one)) - Math.abs(aside(other)))[0];
}

/** The step that is looked at first where not all fit: the one that is chosen, that failed, that runs, or the first. */
export function focusOf(
  nodes: readonly StepNode[],
  states: Record<string, StepState> | undefined,
  selected: string,
): StepNode | undefined {
  const inState = (status: StepState["status"]) =>
    nodes.find(({ id }) => stateOf(states, id)?.status === status);
  return (
    nodes.find(({ id }) => id === selected) ??
    inState("FAILED") ??
    inState("RUNNING") ??
    nodes.find(({ data }) => data.step.entry) ??
    nodes[0]
  );
}
