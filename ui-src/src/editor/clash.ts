// Whether a text that is saved would follow a version that was not opened. Pure.

/** A version that the text does not come from. */
export interface Clash {
  path: string;
  newest: number;
}

/** Returns the path that a text gives its playbook in `metadata`; none when it has none in a usual form. */
export function pathIn(text: string): string | undefined {
  const metadata = /^metadata:.*\n((?:[ \t]+.*\n|[ \t]*\n)*)/m.exec(`${text}\n`)?.[1] ?? "";
  return /^[ \t]+path:[ \t]*["']?([^\s"'#]+)/m.exec(metadata)?.[1];
}

/** Returns what a text clashes with: a playbook that was not opened, or a newer version of the one that was. */
export function clashOf(
  text: string,
  opened: string,
  version: number | undefined,
  versions: readonly { version: number }[],
): Clash | undefined {
  if (versions.length === 0) return undefined;
  const path = pathIn(text) ?? opened;
  const newest = Math.max(...versions.map((entry) => entry.version));
  // An older version may be opened on purpose, and is then known not to be the newest.
  const isKnown = path === opened && version !== undefined && version >= newest;
  return isKnown ? undefined : { path, newest };
}
