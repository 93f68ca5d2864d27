// The panel of a flow: its steps as a graph, which is loaded on demand, or as a list; as a list alone where a graph would
// be too large to be read.
import { lazy, Suspense, useId, useState } from "react";
import { ErrorBoundary } from "../components/ErrorBoundary";
import { count } from "../ui/format";
import { Empty, Loading } from "../ui/notices";
import type { FlowGraphProps } from "./FlowGraph";
import { StepList } from "./StepList";

const FlowGraph = lazy(() => import("./FlowGraph"));

/** With more steps there is only the list: dagre takes seconds from here on, and a screen shows a small part. */
const GRAPH_LIMIT = 400;

const VIEWS = ["Graph", "List"] as const;

export function GraphPanel(props: FlowGraphProps) {
  const { nodes, edges } = props.graph;
  const [chosen, choose] = useState<(typeof VIEWS)[number]>("Graph");
  const group = useId();
  if (nodes.length === 0) {
    return (
      <Empty title="No steps yet">Write a workflow with at least one step; its flow appears here.</Empty>
    );
  }
  const isDrawn = nodes.length <= GRAPH_LIMIT;
  const summary = `${count(nodes.length, "step")}, ${count(edges.length, "connection")}`;
  return (
    <>
      <div className="graph-header">
        <span className="muted">{summary}</span>
        {isDrawn && (
          <fieldset className="segments">
            <legend className="visually-hidden">View of the flow</legend>
            {VIEWS.map((view) => (
              <label key={view}>
                <input
                  type="radio"
                  name={group}
                  className="visually-hidden"
                  checked={view === chosen}
                  onChange={() => {
                    choose(view);
                  }}
                />
                {view}
              </label>
            ))}
          </fieldset>
        )}
      </div>
      {isDrawn && chosen === "Graph" ? (
        <div className="graph-frame" role="group" aria-label={`Flow: ${summary}`}>
          <ErrorBoundary>
            <Suspense fallback={<Loading what="the graph" />}>
              <FlowGraph {...props} />
            </Suspense>
          </ErrorBoundary>
        </div>
      ) : (
        <StepList {...props} />
      )}
    </>
  );
}
