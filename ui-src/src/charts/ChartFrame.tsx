// A chart with its numbers: the drawing loads by itself, the table behind it is for screen readers.
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
      {/* A table does not shrink to the pixel of what is hidden; a division does. */}
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
              // Two rows may say the same; their place is what they are told apart by.
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
