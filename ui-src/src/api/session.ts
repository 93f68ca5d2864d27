// Whether the server requires a token. The token is sent to the server, which answers with a cookie that scripts
// cannot read; the page stores nothing.
type Listener = () => void;

let needed = false;
/** The number of sign-ins. A change of it makes failed queries run again. */
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
