// Finding a playbook among the catalog's: every word must be in its path, name or description. Pure.
import type { Entry } from "../api/catalog";

export function search(entries: readonly Entry[], text: string): Entry[] {
  const words = text
    .toLowerCase()
    .split(/\s+/)
    .filter((word) => word !== "");
  return entries.filter(({ path, name, description }) => {
    const place = `${path} ${name} ${description ?? ""}`.toLowerCase();
    return words.every((word) => place.includes(word));
  });
}

export function editorPath(path: string, version?: number): string {
  const parameters = new URLSearchParams({ id: path });
  if (version !== undefined) parameters.set("version", String(version));
  return `/editor?${parameters.toString()}`;
}
