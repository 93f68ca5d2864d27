// The footer of every page: the server's version, and a way out of a session. The About page has the whole build stamp.
import { signOut } from "../api/server";
import { useServerState, useSession, useVersion } from "../queries";
import { describe } from "../ui/notices";
import { toast } from "../ui/toasts";

export function Footer() {
  return (
    <footer className="footer">
      <p className="footer-row">
        <span>{useServerLine()}</span>
        <SignOut />
      </p>
    </footer>
  );
}

/** Ends the session, where the server asks for a token. */
function SignOut() {
  const { data } = useSession();
  if (data?.required !== true || !data.authenticated) return null;
  return (
    <button type="button" className="button-link" onClick={() => void leave()}>
      Sign out
    </button>
  );
}

async function leave() {
  try {
    await signOut();
  } catch (error) {
    toast(`The session could not be ended: ${describe(error)}`);
    return;
  }
  // Loading the page anew drops all that it has shown.
  window.location.assign("/");
}

function useServerLine(): string {
  const { server } = useServerState();
  const { data: stamp } = useVersion();
  switch (server.state) {
    case "checking":
      return "NoETL server: checking …";
    case "unreachable":
      return "NoETL server: not reachable";
    case "running":
      return stamp === undefined ? "NoETL server" : `NoETL server ${stamp.version}`;
  }
}
