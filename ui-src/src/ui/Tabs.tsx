// Tabs, of which one panel is shown. Arrow keys move between them, as in the tabs pattern of WAI-ARIA.
import type { KeyboardEvent, ReactNode } from "react";

export interface Tab<Name extends string> {
  name: Name;
  label: string;
}

interface Props<Name extends string> {
  label: string;
  tabs: readonly Tab<Name>[];
  selected: Name;
  select: (name: Name) => void;
  children: ReactNode;
}

export function Tabs<Name extends string>({ label, tabs, selected, select, children }: Props<Name>) {
  function move(event: KeyboardEvent<HTMLElement>) {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (step === undefined) return;
    const at = tabs.findIndex(({ name }) => name === selected) + step;
    const next = tabs[(at + tabs.length) % tabs.length];
    if (next === undefined) return;
    select(next.name);
    document.getElementById(`tab-${next.name}`)?.focus();
  }
  return (
    <>
      <div className="tabs" role="tablist" aria-label={label} onKeyDown={move}>
        {tabs.map(({ name, label }) => (
          <button
            key={name}
            id={`tab-${name}`}
            type="button"
            className="tab"
            role="tab"
            aria-selected={name === selected}
            aria-controls={name === selected ? `panel-${name}` : undefined}
            tabIndex={name === selected ? 0 : -1}
            onClick={() => {
              select(name);
            }}
          >
            {label}
          </button>
        ))}
      </div>
      <div id={`panel-${selected}`} role="tabpanel" aria-labelledby={`tab-${selected}`}>
        {children}
      </div>
    </>
  );
}
