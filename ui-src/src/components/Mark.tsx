// The logo of NoETL: four steps of a workflow, joined to an N. Decorative, since the name is next to it.
export function Mark() {
  return (
    <svg className="mark" viewBox="0 0 24 24" aria-hidden="true">
      <path d="M5 20V4L19 20V4" fill="none" stroke="currentColor" strokeWidth="2" strokeLinejoin="round" />
      <g fill="currentColor">
        <circle cx="5" cy="4" r="3" />
        <circle cx="5" cy="20" r="3" />
        <circle cx="19" cy="4" r="3" />
        <circle cx="19" cy="20" r="3" />
      </g>
    </svg>
  );
}
