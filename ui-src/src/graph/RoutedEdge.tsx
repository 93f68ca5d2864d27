// An edge on the route that the layout found around the boxes, with its condition as a label.
import { BaseEdge, EdgeLabelRenderer, type EdgeProps } from "@xyflow/react";
import { pathOf, type RoutedLine } from "./layout";

export function RoutedEdge({ id, data, markerEnd }: EdgeProps<RoutedLine>) {
  if (data === undefined) return null;
  const { points, label, labelAt, condition } = data;
  return (
    <>
      <BaseEdge id={id} path={pathOf(points)} {...(markerEnd === undefined ? {} : { markerEnd })} />
      {label !== undefined && labelAt !== undefined && (
        <EdgeLabelRenderer>
          <span
            className="flow-label nodrag nopan"
            title={condition}
            style={{ transform: `translate(-50%, -50%) translate(${labelAt.x}px, ${labelAt.y}px)` }}
          >
            <bdi>{label}</bdi>
          </span>
        </EdgeLabelRenderer>
      )}
    </>
  );
}
