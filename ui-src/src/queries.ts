// When the server is asked again, and what the pages see of it meanwhile. Holds no markup; how a
// question is put is the work of the files in api/.
import { QueryClient, useQuery } from "@tanstack/react-query";
import { getHealth, getVersion } from "./api/server";
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
        // A server on this machine answers without any network, so the browser's guess
        // about being online must not hold a question back.
        networkMode: "always",
        retry: false,
        // Going from page to page within a moment asks nothing twice; what changes is pushed.
        staleTime: 2000,
      },
      mutations: { networkMode: "always" },
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
    staleTime: 0,
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
