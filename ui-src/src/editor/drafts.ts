// Text that was changed and not saved, kept while the page is open: going to look at an execution and
// coming back must not lose it. In memory only, for a playbook may hold what should not be stored.
const drafts = new Map<string, string>();

/** New playbooks have no path yet; they share one draft. */
export function draftKey(path: string, version: number | undefined): string {
  return version === undefined ? path : `${path}@${version}`;
}

export function keepDraft(key: string, content: string, saved: string): void {
  if (content === saved) drafts.delete(key);
  else drafts.set(key, content);
}

export function draftOf(key: string): string | undefined {
  return drafts.get(key);
}

export function dropDraft(key: string): void {
  drafts.delete(key);
}
