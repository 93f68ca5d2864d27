// Asks the user for the server's token after an answer 401. The token is sent to the server, which answers with a
// cookie that scripts cannot read; it does not stay on the page.
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useRef, useSyncExternalStore } from "react";
import { ApiError } from "../api/request";
import { signIn } from "../api/server";
import { isTokenNeeded, onSessionChange, signedIn } from "../api/session";
import { useSession } from "../queries";
import { Dialog } from "../ui/Dialog";
import { ErrorNotice } from "../ui/notices";

export function TokenPrompt() {
  const isNeeded = useSyncExternalStore(onSessionChange, isTokenNeeded);
  useSession();
  return isNeeded ? <Prompt /> : null;
}

function Prompt() {
  const client = useQueryClient();
  const field = useRef<HTMLInputElement>(null);
  const { mutate, isPending, error } = useMutation({
    mutationFn: signIn,
    onSuccess: async () => {
      signedIn();
      await client.invalidateQueries();
    },
    // The mutation cache must not keep the token as its variables.
    gcTime: 0,
  });
  return (
    <Dialog title="This server asks for a token" onClose={() => undefined} isRequired>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          const token = field.current?.value ?? "";
          if (token !== "" && !isPending) mutate(token);
        }}
      >
        <div className="dialog-body form">
          <p>
            It is the value of <code>NOETL_API_TOKEN</code> with which the server was started. Without one,{" "}
            <code>noetl server start</code> made a token, and prints in which file it is.
          </p>
          <label className="field">
            <span className="field-label">Token</span>
            <input ref={field} type="password" name="token" autoComplete="off" required spellCheck={false} />
          </label>
        </div>
        {error !== null &&
          (error instanceof ApiError && error.status === 401 ? (
            <p className="error-line" role="alert">
              The server does not know this token. Look whether it was copied whole.
            </p>
          ) : (
            <ErrorNotice error={error} what="Signing in failed" />
          ))}
        <div className="dialog-footer">
          <button type="submit" aria-disabled={isPending}>
            {isPending ? "Signing in …" : "Sign in"}
          </button>
        </div>
      </form>
    </Dialog>
  );
}
