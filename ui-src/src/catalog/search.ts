// Searches the catalog: every word must be in a playbook's path, name or description. Pure.
import type { CatalogEntry } from "../api/schema";

export function search(entries: readonly CatalogEntry[], text: string): CatalogEntry[] {
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

export function playbookPath(path: string): string {
  return `/playbook?${new URLSearchParams({ id: path }).toString()}`;
}
