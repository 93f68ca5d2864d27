// The list of executions, loaded page by page and updated by pushed events.
import { keepPreviousData, useInfiniteQuery, useQueryClient, type InfiniteData } from "@tanstack/react-query";
import { useCallback, useEffect, useMemo, useRef } from "react";
import { isExecution, listExecutions, type ExecutionPage } from "../api/executions";
import type { Execution } from "../api/schema";
import { useStream } from "../live/useStream";
import { filterOf, type Choice } from "./filter";
import { flatten, merge, nextOffset, PAGE_SIZE, totalOf } from "./pages";

const FLUSH_MILLISECONDS = 200;
type Loaded = InfiniteData<ExecutionPage, number>;

export function useExecutions(choice: Choice) {
  const client = useQueryClient();
  const { status, text, range } = choice;
  const key = useMemo(() => ["executions", status, text, range], [status, text, range]);
  const list = useInfiniteQuery({
    queryKey: key,
    queryFn: ({ pageParam, signal }) =>
      listExecutions(filterOf(choice, Date.now()), { offset: pageParam, limit: PAGE_SIZE }, signal),
    initialPageParam: 0,
    getNextPageParam: (_, pages) => nextOffset(pages),
    placeholderData: keepPreviousData,
  });

  // Pushed executions are collected, so that a burst changes the list once.
  const pushed = useRef(new Map<string, Execution>());
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  const flush = useCallback(() => {
    timer.current = undefined;
    const changes = pushed.current;
    pushed.current = new Map();
    client.setQueryData<Loaded>(key, (loaded) =>
      loaded === undefined
        ? undefined
        : { ...loaded, pages: merge(loaded.pages, changes, filterOf({ status, text, range }, Date.now())) },
    );
  }, [client, key, status, text, range]);
  useEffect(
    () => () => {
      clearTimeout(timer.current);
      timer.current = undefined;
      pushed.current.clear();
    },
    [flush],
  );

  const { refetch } = list;
  const live = useStream("executions", {
    address: () => "/api/executions/stream",
    on: {
      execution: (data) => {
        if (!isExecution(data)) return;
        pushed.current.set(data.execution_id, data);
        timer.current ??= setTimeout(flush, FLUSH_MILLISECONDS);
      },
    },
    onReconnect: () => void refetch(),
  });

  const pages = list.data?.pages;
  const executions = useMemo(() => flatten(pages ?? []), [pages]);
  return { ...list, executions, ...totalOf(pages ?? []), live };
}
