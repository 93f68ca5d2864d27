// Gives the boxes and edges of the server's graph their coordinates. dagre computes the layout, which takes about a second
// for 400 steps, so that a worker runs this.
import dagre from "@dagrejs/dagre";
import type { Graph, GraphEdge } from "../api/schema";
import { cut } from "../ui/LongText";
import { NODE_HEIGHT, NODE_WIDTH, stepLabel, type Placed, type Point, type RoutedLine } from "./layout";

const LABEL_LIMIT = 28;
const LABEL_HEIGHT = 22;
/** The approximate width of a character of a label. */
const CHARACTER_WIDTH = 6.6;

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
