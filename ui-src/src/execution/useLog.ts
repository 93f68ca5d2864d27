// The lines of an execution's log: all that there are, and while it runs those that come.
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect } from "react";
import { getLog, getLogAttempts, type LogFilter } from "../api/logs";
import type { LogLine } from "../api/schema";

/** Lines are seen within a second: the worker gathers them for a fifth of one. */
const ASK_MILLISECONDS = 500;

interface Log {
  lines: readonly LogLine[];
  after: string;
}

export function useLog(id: string, filter: LogFilter, isRunning: boolean) {
  const client = useQueryClient();
  const key = ["execution-log", id, filter.step, filter.item, filter.attempt];
  const log = useQuery({
    queryKey: key,
    queryFn: async ({ signal }): Promise<Log> => {
      let known = client.getQueryData<Log>(key) ?? { lines: [], after: "" };
      for (;;) {
        const page = await getLog(id, filter, known.after, signal);
        if (page.lines.length > 0) known = { lines: known.lines.concat(page.lines), after: page.after };
        if (!page.more) return known;
        // The first lines are shown before the last ones are here.
        client.setQueryData<Log>(key, known);
      }
    },
    refetchInterval: isRunning ? ASK_MILLISECONDS : false,
    staleTime: 0,
    structuralSharing: false,
  });
  // The last lines, which came between the last question and the end.
  useEffect(() => {
    if (isRunning) return;
    void client.invalidateQueries({ queryKey: ["execution-log", id] });
    void client.invalidateQueries({ queryKey: ["execution-log-attempts", id] });
  }, [client, id, isRunning]);
  const attempts = useQuery({
    queryKey: ["execution-log-attempts", id],
    queryFn: ({ signal }) => getLogAttempts(id, signal),
    refetchInterval: isRunning ? 2 * ASK_MILLISECONDS : false,
    staleTime: 0,
  });
  return { log, attempts };
}
