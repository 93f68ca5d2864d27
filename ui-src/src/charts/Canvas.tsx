// A chart on a canvas, drawn by Chart.js and loaded on demand. The caller provides the data, and a table of the
// same data for screen readers.
import {
  BarController,
  BarElement,
  CategoryScale,
  Chart,
  Filler,
  LinearScale,
  LineController,
  LineElement,
  PointElement,
  Tooltip,
  type ChartConfiguration,
} from "chart.js";
import { useEffect, useRef } from "react";
import { readPalette, useColourScheme, type Palette } from "./palette";

Chart.register(
  BarController,
  BarElement,
  CategoryScale,
  Filler,
  LinearScale,
  LineController,
  LineElement,
  PointElement,
  Tooltip,
);

export interface CanvasProps {
  /** Pure: the same arguments give the same chart. */
  configure: (palette: Palette) => ChartConfiguration;
  label: string;
  height: number;
}

export default function Canvas({ configure, label, height }: CanvasProps) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const chart = useRef<Chart>(undefined);
  const drawn = useRef("");
  const scheme = useColourScheme();

  useEffect(
    () => () => {
      chart.current?.destroy();
      chart.current = undefined;
    },
    [],
  );

  useEffect(() => {
    if (canvas.current === null) return;
    const configuration = withDefaults(configure(readPalette()), readPalette());
    // New data updates the chart; a change of theme or kind creates a new one.
    if (chart.current !== undefined && drawn.current === scheme) {
      chart.current.data = configuration.data;
      if (configuration.options !== undefined) chart.current.options = configuration.options;
      chart.current.update("none");
      return;
    }
    chart.current?.destroy();
    drawn.current = scheme;
    chart.current = new Chart(canvas.current, configuration);
  }, [configure, scheme]);

  return (
    <div className="chart" style={{ height }}>
      <canvas ref={canvas} role="img" aria-label={label} />
    </div>
  );
}

function withDefaults(configuration: ChartConfiguration, palette: Palette): ChartConfiguration {
  const { font } = Chart.defaults;
  font.family = getComputedStyle(document.body).fontFamily;
  font.size = 12;
  Chart.defaults.color = palette.text;
  Chart.defaults.borderColor = palette.line;
  return {
    ...configuration,
    options: {
      animation: false,
      responsive: true,
      maintainAspectRatio: false,
      interaction: { mode: "index", intersect: false },
      ...configuration.options,
      plugins: {
        ...configuration.options?.plugins,
        tooltip: {
          backgroundColor: palette.ink,
          titleColor: palette.surface,
          bodyColor: palette.surface,
          padding: 10,
          cornerRadius: 6,
          boxPadding: 4,
          ...configuration.options?.plugins?.tooltip,
        },
      },
    },
  };
}
