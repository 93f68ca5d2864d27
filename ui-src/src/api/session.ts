// Whether the server wants a token before it answers. The token itself goes straight to the server,
// which hands back a cookie that scripts cannot read; nothing of it is kept here.
type Listener = () => void;

let needed = false;
/** Counts the sign-ins, so that what failed before one knows to try again. */
let signIns = 0;
const listeners = new Set<Listener>();

export function tokenNeeded(): void {
  if (needed) return;
  needed = true;
  tell();
}

export function signedIn(): void {
  needed = false;
  signIns += 1;
  tell();
}

export const isTokenNeeded = () => needed;
export const signInCount = () => signIns;

export function onSessionChange(listener: Listener): () => void {
  listeners.add(listener);
  return () => {
    listeners.delete(listener);
  };
}

function tell(): void {
  for (const listener of listeners) listener();
}
