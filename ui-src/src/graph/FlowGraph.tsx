// Draws the server's graph of a playbook: steps as boxes, edges with their conditions, coloured by state when there
// is an execution. Loaded on demand.
import {
  Background,
  BackgroundVariant,
  Controls,
  Handle,
  MarkerType,
  Position,
  ReactFlow,
  ReactFlowProvider,
  useReactFlow,
  type NodeProps,
} from "@xyflow/react";
import "@xyflow/react/dist/base.css";
import { useEffect, useMemo } from "react";
import type { Graph, StepState } from "../api/schema";
import { StatusIcon, statusWord } from "../ui/StatusBadge";
import "../styles/graph.css";
import { colour, placeGraph, type StepNode } from "./layout";
import { RoutedEdge } from "./RoutedEdge";

const NODE_TYPES = { step: StepBox };
const EDGE_TYPES = { routed: RoutedEdge };
const EDGE_OPTIONS = {
  markerEnd: { type: MarkerType.ArrowClosed, width: 18, height: 18, markerUnits: "userSpaceOnUse" },
};

export interface FlowGraphProps {
  graph: Graph;
  states?: Record<string, StepState>;
  onSelect?: (step: string) => void;
}

export default function FlowGraph(props: FlowGraphProps) {
  return (
    <ReactFlowProvider>
      <Flow {...props} />
    </ReactFlowProvider>
  );
}

function Flow({ graph, states, onSelect }: FlowGraphProps) {
  const placed = useMemo(() => placeGraph(graph), [graph]);
  const { nodes, edges } = useMemo(() => colour(placed, states), [placed, states]);
  const { fitView } = useReactFlow();
  useEffect(() => {
    // Runs after the boxes are in the document. A change of colours keeps the user's view.
    const frame = requestAnimationFrame(() => void fitView({ padding: 0.12, maxZoom: 1 }));
    return () => {
      cancelAnimationFrame(frame);
    };
  }, [placed, fitView]);

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
      deleteKeyCode={null}
      minZoom={0.1}
      maxZoom={1.6}
      fitView
      fitViewOptions={{ padding: 0.12, maxZoom: 1 }}
      // Scrolling the page must not stop at the graph: zoom with Ctrl and wheel, or with the buttons.
      preventScrolling={false}
      zoomOnScroll={false}
      onlyRenderVisibleElements={graph.nodes.length > 150}
      proOptions={{ hideAttribution: true }}
      onNodeClick={(_, node) => onSelect?.(node.id)}
      onSelectionChange={({ nodes: [node] }) => {
        if (node !== undefined) onSelect?.(node.id);
      }}
    >
      <Background variant={BackgroundVariant.Dots} gap={20} size={1} />
      <Controls showInteractive={false} />
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
          {(state?.count ?? 0) > 1 && <span className="step-count">×{state?.count}</span>}
        </span>
      )}
      <Handle type="source" position={Position.Bottom} isConnectable={false} />
    </div>
  );
}
