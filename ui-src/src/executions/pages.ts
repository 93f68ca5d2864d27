// The pages of the list that have been loaded, and what a pushed execution changes in them. Pure: a list
// of thousands must not be asked for again because one of them took a step.
import type { ExecutionPage, Filter } from "../api/executions";
import type { Execution } from "../api/schema";
import { matches } from "./filter";

export const PAGE_SIZE = 100;

/** All that is loaded, newest first. Pages shift while new executions come in, so one may be in two. */
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

/** How many there are on the server, as far as is known. */
export function totalOf(pages: readonly ExecutionPage[]): number {
  return pages[0]?.total ?? 0;
}

/** Where the next page begins; none when everything is there. */
export function nextOffset(pages: readonly ExecutionPage[]): number | undefined {
  const loaded = pages.reduce((sum, { items }) => sum + items.length, 0);
  const last = pages.at(-1);
  return last === undefined || last.items.length < PAGE_SIZE || loaded >= last.total ? undefined : loaded;
}

/** Puts pushed executions in: on top, in place of what they were, or out where they no longer match. */
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
    items: at === 0 ? inOrder(fresh, page.items) : page.items,
    total: page.total + change,
  }));
}

/** What started before everything that is loaded belongs to a page further down. */
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
