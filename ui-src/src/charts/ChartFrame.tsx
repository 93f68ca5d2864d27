// A chart, loaded on demand, and a hidden table of its data for screen readers.
import { lazy, Suspense } from "react";
import { ErrorBoundary } from "../components/ErrorBoundary";
import type { CanvasProps } from "./Canvas";

const Canvas = lazy(() => import("./Canvas"));

interface Props extends CanvasProps {
  columns: readonly string[];
  rows: readonly (readonly string[])[];
}

export function ChartFrame({ columns, rows, ...canvas }: Props) {
  return (
    <ErrorBoundary>
      <Suspense fallback={<div className="chart" style={{ height: canvas.height }} />}>
        <Canvas {...canvas} />
      </Suspense>
      {/* The div is needed because a table does not shrink to the size of the hidden box. */}
      <div className="visually-hidden">
        <table>
          <caption>{canvas.label}</caption>
          <thead>
            <tr>
              {columns.map((column) => (
                <th key={column} scope="col">
                  {column}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {rows.map((row, at) => (
              // The key is the index, since two rows may be equal.
              <tr key={at}>
                {row.map((cell, column) => (
                  <td key={column}>{cell}</td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </ErrorBoundary>
  );
}
