// When the server is asked again, and what the pages see of it meanwhile. Holds no markup; how a
// question is put is api.ts's work.
import { QueryClient, useQuery } from "@tanstack/react-query";
import { ApiError, getHealth, getVersion } from "./api";

export const HEALTH_INTERVAL_SECONDS = 10;
const VERSION_INTERVAL_SECONDS = 60;

export type ServerState =
  | { state: "checking" }
  | { state: "running" }
  | { state: "unreachable"; detail: string };

export function createQueryClient(): QueryClient {
  return new QueryClient({
    defaultOptions: {
      queries: {
        // A server on this machine answers without any network, so the browser's guess
        // about being online must not hold a question back.
        networkMode: "always",
        retry: false,
      },
    },
  });
}

/** The state of the server, looked at every ten seconds while the page is visible. */
export function useServerState() {
  const { data, isFetching, refetch } = useQuery({
    queryKey: ["health"],
    queryFn: ({ signal }) => checkServer(signal),
    refetchInterval: HEALTH_INTERVAL_SECONDS * 1000,
    // Several parts of a page use this; one that appears later must not ask once more.
    staleTime: HEALTH_INTERVAL_SECONDS * 1000,
  });
  const server: ServerState = data ?? { state: "checking" };
  return { server, isChecking: isFetching, retry: () => void refetch() };
}

/** The build stamp; asked for again whenever the server comes back, for it may be another one. */
export function useVersion() {
  const { server } = useServerState();
  return useQuery({
    queryKey: ["version"],
    queryFn: ({ signal }) => getVersion(signal),
    enabled: server.state === "running",
    refetchInterval: VERSION_INTERVAL_SECONDS * 1000,
  });
}

// A server that does not answer is a finding, not a failed query: a failed query that never
// succeeded goes back to "pending" on every look, and the page would flicker.
async function checkServer(signal: AbortSignal): Promise<ServerState> {
  try {
    await getHealth(signal);
    return { state: "running" };
  } catch (error) {
    if (signal.aborted) throw error;
    return { state: "unreachable", detail: describe(error) };
  }
}

/** One line for people; errors that are not the API's own are faults of this page. */
export function describe(error: unknown): string {
  return error instanceof ApiError ? error.message : `unexpected: ${String(error)}`;
}
