// The panel of a flow graph: loads the drawing on demand, with a message when there is nothing to draw.
import { lazy, Suspense } from "react";
import { ErrorBoundary } from "../components/ErrorBoundary";
import { count } from "../ui/format";
import { Empty, Loading } from "../ui/notices";
import type { FlowGraphProps } from "./FlowGraph";

const FlowGraph = lazy(() => import("./FlowGraph"));

export function GraphPanel(props: FlowGraphProps) {
  const { nodes, edges } = props.graph;
  if (nodes.length === 0) {
    return (
      <Empty title="No steps yet">Write a workflow with at least one step; its flow appears here.</Empty>
    );
  }
  return (
    <div
      className="graph-frame"
      role="group"
      aria-label={`Flow: ${count(nodes.length, "step")}, ${count(edges.length, "connection")}`}
    >
      <ErrorBoundary>
        <Suspense fallback={<Loading what="the graph" />}>
          <FlowGraph {...props} />
        </Suspense>
      </ErrorBoundary>
    </div>
  );
}
