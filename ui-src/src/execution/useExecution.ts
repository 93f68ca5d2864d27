// One execution with its events, flow and timeline. Events come from a stream that continues after the last known
// one; each event refreshes flow and timeline.
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useCallback, useEffect, useRef } from "react";
import {
  getEvents,
  getExecution,
  getLiveGraph,
  getOutcome,
  getTimeline,
  isEvent,
  listExecutions,
} from "../api/executions";
import type { ExecutionEvent } from "../api/schema";
import { isLive } from "../executions/filter";
import { useRefresh } from "../live/useRefresh";
import { useStream } from "../live/useStream";
import { append } from "./events";

const FLUSH_MILLISECONDS = 100;
const REFRESH_MILLISECONDS = 400;
const CHILDREN_SHOWN = 50;

export function useExecution(id: string) {
  const item = useQuery({
    queryKey: ["execution", id, "item"],
    queryFn: ({ signal }) => getExecution(id, signal),
  });
  const isKnown = item.data !== undefined;
  const isRunning = isKnown && isLive(item.data.status);
  const graph = useQuery({
    queryKey: ["execution", id, "graph"],
    queryFn: ({ signal }) => getLiveGraph(id, signal),
    enabled: isKnown,
  });
  const timeline = useQuery({
    queryKey: ["execution", id, "timeline"],
    queryFn: ({ signal }) => getTimeline(id, signal),
    enabled: isKnown,
  });
  const outcome = useQuery({
    queryKey: ["execution", id, "outcome"],
    queryFn: ({ signal }) => getOutcome(id, signal),
    enabled: isKnown && !isRunning,
  });
  const children = useQuery({
    queryKey: ["execution", id, "children"],
    queryFn: ({ signal }) =>
      listExecutions({ status: "", text: "", since: "", parent: id }, { limit: CHILDREN_SHOWN }, signal),
    enabled: isKnown,
  });
  const { events, live } = useEvents(id, isKnown, isRunning);
  return { item, graph, timeline, outcome, children, events, live, isRunning };
}

function useEvents(id: string, isKnown: boolean, isRunning: boolean) {
  const client = useQueryClient();
  const events = useQuery({
    queryKey: ["execution-events", id],
    queryFn: async ({ signal }) => {
      let known = client.getQueryData<ExecutionEvent[]>(["execution-events", id]) ?? [];
      for (;;) {
        const page = await getEvents(id, known.at(-1)?.event_id ?? null, signal);
        const longer = append(known, page.events.filter(isEvent));
        if (page.events.length === 0 || longer.length === known.length) return known;
        known = longer;
      }
    },
    enabled: isKnown,
    // Later events come from the stream.
    staleTime: Infinity,
  });

  // The last events, which the stream may not have brought before it was closed.
  useEffect(() => {
    if (isKnown && !isRunning) void client.invalidateQueries({ queryKey: ["execution-events", id] });
  }, [client, id, isKnown, isRunning]);

  const pushed = useRef<ExecutionEvent[]>([]);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  const refresh = useRefresh(["execution", id], REFRESH_MILLISECONDS);
  const flush = useCallback(() => {
    clearTimeout(timer.current);
    timer.current = undefined;
    const fresh = pushed.current;
    pushed.current = [];
    if (fresh.length === 0) return;
    client.setQueryData<ExecutionEvent[]>(["execution-events", id], (known) => append(known ?? [], fresh));
    refresh();
  }, [client, id, refresh]);
  useEffect(() => flush, [flush]);

  const live = useStream(`execution ${id}`, {
    enabled: isRunning && events.isSuccess,
    address: () => {
      const known = client.getQueryData<ExecutionEvent[]>(["execution-events", id]);
      const last = pushed.current.at(-1) ?? known?.at(-1);
      const after = last === undefined ? "" : `?after=${encodeURIComponent(last.event_id)}`;
      return `/api/executions/${encodeURIComponent(id)}/stream${after}`;
    },
    on: {
      event: (data) => {
        if (!isEvent(data)) return;
        pushed.current.push(data);
        timer.current ??= setTimeout(flush, FLUSH_MILLISECONDS);
      },
      // The execution has ended. Its new status disables the stream.
      status: () => {
        flush();
        refresh();
      },
    },
    onReconnect: refresh,
  });
  return { events, live };
}
