// Unsaved texts, kept while the page is open, so that visiting another page does not lose them. In memory only,
// since a playbook may have text that must not be stored.
const drafts = new Map<string, string>();

/** All new playbooks share one draft, since they have no path yet. */
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
