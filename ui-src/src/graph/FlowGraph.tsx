// Draws the server's graph of a playbook: steps as boxes, edges with their conditions, coloured by state when there
// is an execution. Loaded on demand.
import {
  Background,
  BackgroundVariant,
  Controls,
  Handle,
  MarkerType,
  MiniMap,
  Position,
  ReactFlow,
  ReactFlowProvider,
  useReactFlow,
  type NodeProps,
} from "@xyflow/react";
import "@xyflow/react/dist/base.css";
import { useEffect, useMemo, type KeyboardEvent } from "react";
import type { Graph, LoopProgress, StepState } from "../api/schema";
import { StatusIcon, statusWord } from "../ui/StatusBadge";
import "../styles/graph.css";
import { Empty, Loading } from "../ui/notices";
import { colour, focusOf, neighbour, NODE_HEIGHT, NODE_WIDTH, type Placed, type StepNode } from "./layout";
import { RoutedEdge } from "./RoutedEdge";
import { usePlaced } from "./usePlaced";

const NODE_TYPES = { step: StepBox };
const EDGE_TYPES = { routed: RoutedEdge };
const EDGE_OPTIONS = {
  markerEnd: { type: MarkerType.ArrowClosed, width: 18, height: 18, markerUnits: "userSpaceOnUse" },
};

/** What screen readers are told of the keys of a box. */
const KEYS = {
  "node.a11yDescription.default": "Enter opens the step, and arrow keys lead to the steps beside it.",
  "node.a11yDescription.keyboardDisabled": "Enter opens the step, and arrow keys lead to the steps beside it.",
};

/** Smaller than this, the names of steps cannot be read: then a part of the graph is shown, and a map of the whole. */
const READABLE_ZOOM = 0.75;
/** Graphs with more steps have a map. */
const MAP_FROM = 12;
const FIT = { padding: 0.12, maxZoom: 1 };

export interface FlowGraphProps {
  graph: Graph;
  states?: Record<string, StepState>;
  /** The step that is open. */
  selected?: string;
  onSelect?: (step: string) => void;
}

export default function FlowGraph(props: FlowGraphProps) {
  const { placed, error } = usePlaced(props.graph);
  if (error !== null) return <Empty title="The graph could not be drawn">{error}</Empty>;
  if (placed === undefined) return <Loading what="the graph" />;
  return (
    <ReactFlowProvider>
      <Flow {...props} placed={placed} />
    </ReactFlowProvider>
  );
}

function Flow({ placed, states, selected = "", onSelect }: FlowGraphProps & { placed: Placed }) {
  const { nodes, edges } = useMemo(() => colour(placed, states, selected), [placed, states, selected]);
  const { fitView, getZoom, setCenter } = useReactFlow();
  const steps = placed.nodes.map(({ id }) => id).join("\n");
  useEffect(() => {
    // Runs after the boxes are in the document. A change of colours or of lines keeps the user's view.
    const frame = requestAnimationFrame(() => {
      void fitView(FIT).then(() => {
        const focus = focusOf(placed.nodes, states, selected);
        if (getZoom() < READABLE_ZOOM && focus !== undefined) {
          // What follows the first step is seen with it.
          void show(focus, focus.data.step.entry ? 2 * NODE_HEIGHT : 0);
        }
      });
    });
    return () => {
      cancelAnimationFrame(frame);
    };
    // eslint-disable-next-line react-hooks/exhaustive-deps -- the view is set for other steps alone
  }, [steps]);

  /** Moves a box to the middle, or `below` pixels above it. */
  function show({ position: { x, y } }: StepNode, below = 0) {
    const zoom = Math.max(getZoom(), READABLE_ZOOM);
    return setCenter(x + NODE_WIDTH / 2, y + NODE_HEIGHT / 2 + below, { zoom });
  }

  /** Arrow keys move between boxes, and Enter or the space bar opens one. */
  function press(event: KeyboardEvent<HTMLElement>) {
    const box = event.target instanceof Element ? event.target.closest<HTMLElement>(".react-flow__node") : null;
    const id = box?.dataset.id;
    if (id === undefined) return;
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      onSelect?.(id);
      return;
    }
    const next = neighbour({ nodes, edges }, id, event.key);
    if (next === undefined) return;
    event.preventDefault();
    // One that is out of sight is not in the document of a large graph until it is shown.
    void show(next).then(() => {
      box?.parentElement?.querySelector<HTMLElement>(`[data-id="${CSS.escape(next.id)}"]`)?.focus();
    });
  }

  return (
    <ReactFlow
      nodes={nodes}
      edges={edges}
      nodeTypes={NODE_TYPES}
      edgeTypes={EDGE_TYPES}
      defaultEdgeOptions={EDGE_OPTIONS}
      nodesDraggable={false}
      nodesConnectable={false}
      edgesFocusable={false}
      elementsSelectable={false}
      nodesFocusable
      deleteKeyCode={null}
      minZoom={0.1}
      maxZoom={1.6}
      // Scrolling the page must not stop at the graph: zoom with Ctrl and wheel, or with the buttons.
      preventScrolling={false}
      zoomOnScroll={false}
      onlyRenderVisibleElements={placed.nodes.length > 150}
      proOptions={{ hideAttribution: true }}
      ariaLabelConfig={KEYS}
      onNodeClick={(_, node) => onSelect?.(node.id)}
      onKeyDown={press}
    >
      <Background variant={BackgroundVariant.Dots} gap={20} size={1} />
      <Controls showInteractive={false} fitViewOptions={FIT} />
      {placed.nodes.length > MAP_FROM && (
        <MiniMap
          pannable
          style={{ width: 112, height: 96 }}
          ariaLabel="Map of the flow"
          nodeClassName={({ id }) => `map-box map-${states?.[id]?.status ?? "none"}`}
        />
      )}
    </ReactFlow>
  );
}

function StepBox({ data: { step, state } }: NodeProps<StepNode>) {
  const status = state?.status;
  return (
    <div
      className="step-box"
      data-kind={step.kind}
      data-status={status}
      title={step.description ?? undefined}
    >
      <Handle type="target" position={Position.Top} isConnectable={false} />
      <span className="step-name">
        <bdi>{step.label}</bdi>
      </span>
      <span className="step-detail">
        {step.tools.map((tool, at) => (
          // A pipeline may use the same tool twice.
          <span key={`${tool}-${at}`} className="tool">
            {tool}
          </span>
        ))}
        {step.loop !== null && (
          <span className="tool tool-loop">
            {step.loop.mode} loop: <bdi>{step.loop.iterator}</bdi>
          </span>
        )}
        {step.joins.length > 0 && (
          <span className="tool" title={`runs once, after all of ${step.joins.join(", ")}`}>
            waits for {step.joins.length}
          </span>
        )}
        {step.tools.length === 0 && step.loop === null && <span className="tool">{step.kind}</span>}
      </span>
      {status !== undefined && (
        <span className="step-state">
          <StatusIcon status={status} />
          <span className="visually-hidden">{statusWord(status)}</span>
          {state?.items != null && <Items items={state.items} />}
          {state?.items == null && (state?.count ?? 0) > 1 && <span className="step-count">×{state?.count}</span>}
        </span>
      )}
      <Handle type="source" position={Position.Bottom} isConnectable={false} />
    </div>
  );
}

/** How many items of a loop have ended, of how many, and how many of them failed. */
function Items({ items: { total, completed, failed } }: { items: LoopProgress }) {
  const ended = completed + failed;
  return (
    <span className="step-count">
      {total === null ? ended : `${ended}/${total}`}
      {failed > 0 && <span className="step-failed"> {failed} failed</span>}
      <span className="visually-hidden"> items ended</span>
    </span>
  );
}
