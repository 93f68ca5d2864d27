// The server's validation of the text during typing: problems with their places, and the flow. Invalid YAML has no
// flow; then the last one is shown and marked as outdated.
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { validate } from "../api/catalog";
import type { Graph, Problem } from "../api/schema";
import { useDebounced } from "../live/useDebounced";

const TYPING_MILLISECONDS = 350;
const NONE: readonly Problem[] = [];

export function useValidation(content: string) {
  const settled = useDebounced(content, TYPING_MILLISECONDS);
  const { data, error, isPlaceholderData, refetch } = useQuery({
    queryKey: ["validate", settled],
    queryFn: ({ signal }) => validate(settled, signal),
    placeholderData: keepPreviousData,
    staleTime: Infinity,
    gcTime: 0,
  });
  const [graph, setGraph] = useState<Graph>();
  const fresh = data?.graph ?? undefined;
  if (fresh !== undefined && fresh !== graph) setGraph(fresh);
  return {
    /** Undefined until the server has validated the current text. */
    isValid: isPlaceholderData || settled !== content ? undefined : data?.valid,
    problems: data?.problems ?? NONE,
    path: data?.path ?? undefined,
    graph,
    isGraphOld: data !== undefined && fresh === undefined && graph !== undefined,
    error,
    retry: () => void refetch(),
  };
}
