// The query client and the queries that several pages share: when they are repeated and what they return.
// The files in api/ define the requests.
import { QueryClient, useQuery } from "@tanstack/react-query";
import type { SessionState } from "./api/schema";
import { getHealth, getSession, getVersion } from "./api/server";
import { tokenNeeded } from "./api/session";
import { describe } from "./ui/notices";

export { describe } from "./ui/notices";

export const HEALTH_INTERVAL_SECONDS = 10;
const VERSION_INTERVAL_SECONDS = 60;

export type ServerState =
  { state: "checking" } | { state: "running" } | { state: "unreachable"; detail: string };

export function createQueryClient(): QueryClient {
  return new QueryClient({
    defaultOptions: {
      queries: {
        // A server on this machine answers without a network, so that the browser's online state
        // must not delay a request.
        networkMode: "always",
        retry: false,
        // Navigation within two seconds repeats no request. Later changes are pushed.
        staleTime: 2000,
      },
      mutations: { networkMode: "always" },
    },
  });
}

/** Returns the state of the server, checked every ten seconds while the page is visible. */
export function useServerState() {
  const { data, isFetching, refetch } = useQuery({
    queryKey: ["health"],
    queryFn: ({ signal }) => checkServer(signal),
    refetchInterval: HEALTH_INTERVAL_SECONDS * 1000,
    // Several parts of a page use this; one that is mounted later must not repeat the request.
    staleTime: HEALTH_INTERVAL_SECONDS * 1000,
  });
  const server: ServerState = data ?? { state: "checking" };
  return { server, isChecking: isFetching, retry: () => void refetch() };
}

/** Returns the build stamp. Requested again when the server comes back, since it may have another version. */
export function useVersion() {
  const { server } = useServerState();
  return useQuery({
    queryKey: ["version"],
    queryFn: ({ signal }) => getVersion(signal),
    enabled: server.state === "running",
    staleTime: 0,
    refetchInterval: VERSION_INTERVAL_SECONDS * 1000,
  });
}

/** Returns whether the server asks for a token, and whether this browser has shown it. */
export function useSession() {
  return useQuery({
    queryKey: ["session"],
    queryFn: ({ signal }) => lookAtSession(signal),
    staleTime: Infinity,
  });
}

/** Checks the session before the first 401, so that a deep link shows no errors behind the prompt. */
async function lookAtSession(signal: AbortSignal): Promise<SessionState> {
  const session = await getSession(signal);
  if (session.required && !session.authenticated) tokenNeeded();
  return session;
}

// A server that does not answer is a result, not a failed query: a failed query that has never succeeded
// returns to "pending" with every retry, and the page would flicker.
async function checkServer(signal: AbortSignal): Promise<ServerState> {
  try {
    await getHealth(signal);
    return { state: "running" };
  } catch (error) {
    if (signal.aborted) throw error;
    return { state: "unreachable", detail: describe(error) };
  }
}
