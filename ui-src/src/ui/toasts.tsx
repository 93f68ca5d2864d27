// Short messages about completed actions, read out by screen readers, removed after a while.
import { useSyncExternalStore } from "react";

interface Toast {
  id: number;
  text: string;
}

const SECONDS = 6;
let toasts: readonly Toast[] = [];
let lastId = 0;
const listeners = new Set<() => void>();

export function toast(text: string): void {
  const id = (lastId += 1);
  set([...toasts.slice(-2), { id, text }]);
  setTimeout(() => {
    set(toasts.filter((shown) => shown.id !== id));
  }, SECONDS * 1000);
}

function set(next: readonly Toast[]): void {
  toasts = next;
  for (const listener of listeners) listener();
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => {
    listeners.delete(listener);
  };
}

export function Toasts() {
  const shown = useSyncExternalStore(subscribe, () => toasts);
  return (
    <div className="toasts" role="status" aria-live="polite">
      {shown.map(({ id, text }) => (
        <p key={id} className="toast">
          <bdi>{text}</bdi>
        </p>
      ))}
    </div>
  );
}
