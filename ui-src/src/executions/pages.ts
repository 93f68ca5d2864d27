// The loaded pages of the list, and the changes by pushed executions. Pure. A list of thousands must not be
// requested again because one execution has changed.
import type { ExecutionPage, Filter } from "../api/executions";
import type { Execution } from "../api/schema";
import { matches } from "./filter";

export const PAGE_SIZE = 100;

/** Returns all loaded executions, newest first. New executions shift the pages, so that one may be in two. */
export function flatten(pages: readonly ExecutionPage[]): Execution[] {
  const seen = new Set<string>();
  return pages
    .flatMap(({ items }) => items)
    .filter(({ execution_id }) => {
      if (seen.has(execution_id)) return false;
      seen.add(execution_id);
      return true;
    });
}

/** Returns the last known number of executions on the server, and whether there may be more. */
export function totalOf(pages: readonly ExecutionPage[]): { total: number; isMinimum: boolean } {
  const [first] = pages;
  if (first === undefined) return { total: 0, isMinimum: false };
  const isMinimum = first.isMinimum && nextOffset(pages) !== undefined;
  return { total: first.isMinimum ? Math.max(first.total, loadedOf(pages)) : first.total, isMinimum };
}

function loadedOf(pages: readonly ExecutionPage[]): number {
  return pages.reduce((sum, { items }) => sum + items.length, 0);
}

/** Returns the offset of the next page, or undefined when all are loaded. */
export function nextOffset(pages: readonly ExecutionPage[]): number | undefined {
  const loaded = loadedOf(pages);
  const last = pages.at(-1);
  if (last === undefined || last.items.length < PAGE_SIZE) return undefined;
  return loaded < last.total || last.isMinimum ? loaded : undefined;
}

/** Adds pushed executions at the top, replaces known ones, and removes those that no longer match. */
export function merge(
  pages: readonly ExecutionPage[],
  pushed: ReadonlyMap<string, Execution>,
  filter: Filter,
): ExecutionPage[] {
  const known = new Set<string>();
  let change = 0;
  const updated = pages.map((page) => ({
    ...page,
    items: page.items.flatMap((item) => {
      const next = pushed.get(item.execution_id);
      if (next === undefined) return [item];
      if (known.has(item.execution_id)) return [];
      known.add(item.execution_id);
      if (matches(next, filter)) return [next];
      change -= 1;
      return [];
    }),
  }));
  const fresh = [...pushed.values()].filter(
    (execution) =>
      !known.has(execution.execution_id) && matches(execution, filter) && isWithin(execution, pages),
  );
  fresh.sort((a, b) => Date.parse(b.start_time) - Date.parse(a.start_time));
  change += fresh.length;
  return updated.map((page, at) => ({
    ...page,
    items: at === 0 ? inOrder(fresh, page.items) : page.items,
    total: page.total + change,
  }));
}

/** Whether an execution belongs to the loaded pages. One that started earlier belongs to a later page. */
function isWithin({ start_time }: Execution, pages: readonly ExecutionPage[]): boolean {
  const last = pages.at(-1)?.items.at(-1);
  return last === undefined || nextOffset(pages) === undefined || start_time >= last.start_time;
}

function inOrder(fresh: readonly Execution[], items: readonly Execution[]): Execution[] {
  const newest = items[0];
  if (newest === undefined || fresh.every(({ start_time }) => start_time >= newest.start_time)) {
    return [...fresh, ...items];
  }
  return [...fresh, ...items].sort((a, b) => (a.start_time < b.start_time ? 1 : -1));
}
