// Small line icons, decorative: next to a text, or in a button with a label.
const PATHS = {
  dashboard: "M2.5 9.5h4v4h-4zM9.5 2.5h4v11h-4zM2.5 2.5h4v4h-4z",
  catalog: "M3 3.5A1.5 1.5 0 0 1 4.5 2H13v12H4.5A1.5 1.5 0 0 1 3 12.5zM3 12.5A1.5 1.5 0 0 1 4.5 11H13M6 5h4",
  executions: "M5 3.5v9l7-4.5z",
  credentials: "M6.5 9.5a3 3 0 1 1 1-1l5 5M10.5 11.5l1.5-1.5",
  workers: "M2.5 3h11v4h-11zM2.5 9h11v4h-11zM5 5h.01M5 11h.01",
  about: "M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12ZM8 7.5V11M8 5h.01",
  play: "M5 3v10l8-5z",
  edit: "M10.5 3 13 5.5 5.5 13H3v-2.5zM9 4.5 11.5 7",
  trash: "M3 4.5h10M6.5 4.5V3h3v1.5M4.5 4.5 5 13.5h6l.5-9M7 7v4M9 7v4",
  versions: "M8 4.5V8l2.5 1.5M3 8a5 5 0 1 1 1.5 3.5M3 13v-2.5h2.5",
  plus: "M8 3v10M3 8h10",
  close: "m4 4 8 8M12 4l-8 8",
  search: "M7 11.5a4.5 4.5 0 1 0 0-9 4.5 4.5 0 0 0 0 9ZM10.5 10.5 13.5 13.5",
  rerun: "M13 8a5 5 0 1 1-1.5-3.5M13 3v2.5h-2.5",
  stop: "M4 4h8v8H4z",
  copy: "M5.5 5.5h7v8h-7zM3.5 10.5v-8h7",
  chevron: "m6 4 4 4-4 4",
  warning: "M8 2.5 14 13H2zM8 6.5v3M8 11.3h.01",
  check: "m3.5 8.5 3 3 6-7",
  upload: "M8 11V3M5 6l3-3 3 3M3 11v2.5h10V11",
  save: "M3 3h8l2 2v8H3zM5.5 3v3h4V3M5.5 13V9h5v4",
  compare: "M8 2v12M2.5 5h3M2.5 8h3M2.5 11h3M10.5 5h3M10.5 8h3M10.5 11h3",
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name }: { name: IconName }) {
  return (
    <svg className="icon" viewBox="0 0 16 16" aria-hidden="true">
      <path d={PATHS[name]} />
    </svg>
  );
}
