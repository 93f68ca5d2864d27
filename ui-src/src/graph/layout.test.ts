// Conversion of the server's graph into boxes, edges and colours.
import { describe, expect, test } from "vitest";
import type { Graph, GraphEdge, GraphNode } from "../api/schema";
import { colour, focusOf, neighbour, NODE_HEIGHT, NODE_WIDTH, pathOf } from "./layout";
import { placeGraph, shortCondition } from "./place";

const node = (id: string, more: Partial<GraphNode> = {}): GraphNode => ({
  id,
  label: id,
  description: null,
  kind: "step",
  tools: ["http"],
  line: 1,
  entry: false,
  loop: null,
  joins: [],
  ...more,
});
const edge = (source: string, target: string, more: Partial<GraphEdge> = {}): GraphEdge => ({
  id: `${source}-${target}`,
  source,
  target,
  kind: "next",
  condition: null,
  line: 1,
  ...more,
});
const GRAPH: Graph = {
  nodes: [node("start", { kind: "start" }), node("a"), node("b"), node("end", { kind: "end", tools: [] })],
  edges: [
    edge("start", "a"),
    edge("start", "b", { kind: "arc", condition: "{{ x > 1 }}" }),
    edge("a", "end"),
    edge("b", "end"),
  ],
};

test("boxes do not overlap, and following steps are below", () => {
  const { nodes } = placeGraph(GRAPH);
  for (const one of nodes) {
    for (const other of nodes) {
      if (one === other) continue;
      const apart =
        Math.abs(one.position.x - other.position.x) >= NODE_WIDTH ||
        Math.abs(one.position.y - other.position.y) >= NODE_HEIGHT;
      expect(apart, `${one.id} and ${other.id}`).toBe(true);
    }
  }
  const top = (id: string) => nodes.find((placed) => placed.id === id)?.position.y ?? Number.NaN;
  expect(top("start")).toBeLessThan(top("a"));
  expect(top("a")).toBe(top("b"));
  expect(top("b")).toBeLessThan(top("end"));
});

test("arrow keys lead along the edges, and to the boxes beside", () => {
  const placed = placeGraph(GRAPH);
  const [left, right] = placed.nodes
    .filter(({ id }) => id === "a" || id === "b")
    .sort((one, other) => one.position.x - other.position.x);
  const to = (id: string, key: string) => neighbour(placed, id, key)?.id;
  expect(to(left?.id ?? "", "ArrowRight")).toBe(right?.id);
  expect(to(right?.id ?? "", "ArrowLeft")).toBe(left?.id);
  expect(["a", "b"]).toContain(to("start", "ArrowDown"));
  expect(to("a", "ArrowUp")).toBe("start");
  expect(to("end", "ArrowDown")).toBeUndefined();
  expect(to("end", "ArrowRight")).toBeUndefined();
  expect(to("a", "x")).toBeUndefined();
});

test("the same graph has the same layout", () => {
  expect(placeGraph(GRAPH)).toEqual(placeGraph(structuredClone(GRAPH)));
});

test("a condition is the label of its edge, and is described for screen readers", () => {
  const { edges } = placeGraph(GRAPH);
  const line = edges.find(({ target }) => target === "b");
  expect(line).toMatchObject({ ariaLabel: "start leads to b if {{ x > 1 }}", data: { label: "x > 1" } });
  expect(edges.find(({ target }) => target === "a")?.data?.label).toBeUndefined();
  expect(shortCondition(`{{ ${"very ".repeat(20)} }}`)).toHaveLength(29);
});

test("self-loops, cycles, duplicate edges and edges to missing steps do not break it", () => {
  const odd: Graph = {
    nodes: [node("a"), node("b"), node("__proto__")],
    edges: [
      edge("a", "a", { id: "1" }),
      edge("a", "b", { id: "2" }),
      edge("a", "b", { id: "3", condition: "{{ y }}" }),
      edge("b", "a", { id: "4" }),
      edge("b", "missing", { id: "5" }),
      edge("b", "__proto__", { id: "6" }),
    ],
  };
  const { nodes, edges } = placeGraph(odd);
  expect(nodes).toHaveLength(3);
  expect(edges.map(({ id }) => id)).toEqual(["1", "2", "3", "4", "6"]);
  for (const { data } of edges) expect(data?.points.length).toBeGreaterThan(1);
  expect(colour({ nodes, edges }, {}).nodes[2]?.data.state).toBeUndefined();
});

describe("a run", () => {
  const states = {
    start: { status: "COMPLETED", count: 1, items: null },
    a: { status: "RUNNING", count: 1, items: null },
    b: { status: "SKIPPED", count: 0, items: null },
  } as const;

  test("colours the boxes and the lines that were taken", () => {
    const { nodes, edges } = colour(placeGraph(GRAPH), states);
    expect(nodes.map(({ data }) => data.state?.status)).toEqual([
      "COMPLETED",
      "RUNNING",
      "SKIPPED",
      undefined,
    ]);
    expect(nodes[1]?.ariaLabel).toBe("a, http, running");
    const taken = edges.filter(({ className }) => className?.includes("flow-edge-taken"));
    expect(taken.map(({ id }) => id)).toEqual(["start-a"]);
    expect(taken[0]?.animated).toBe(true);
  });

  test("is first seen where it is under way, or at the step that is chosen", () => {
    const { nodes } = placeGraph(GRAPH);
    expect(focusOf(nodes, states, "")?.id).toBe("a");
    expect(focusOf(nodes, states, "b")?.id).toBe("b");
    expect(focusOf(nodes, undefined, "")?.id).toBe("start");
    const failed = { ...states, b: { status: "FAILED", count: 1, items: null } } as const;
    expect(focusOf(nodes, failed, "")?.id).toBe("b");
  });

  test("does not move anything", () => {
    const placed = placeGraph(GRAPH);
    const coloured = colour(placed, states);
    expect(coloured.nodes.map(({ position }) => position)).toEqual(
      placed.nodes.map(({ position }) => position),
    );
  });
});

test("a path rounds its corners and reaches its ends", () => {
  expect(pathOf([])).toBe("");
  expect(
    pathOf([
      { x: 0, y: 0 },
      { x: 0, y: 40 },
      { x: 40, y: 40 },
    ]),
  ).toBe("M 0.0 0.0 L 0.0 30.0 Q 0.0 40.0 10.0 40.0 L 40.0 40.0");
});
