// Refreshes a query after pushed events: at once after the first, then at most once per interval, so that a thousand
// events do not cause a thousand requests.
import { useQueryClient, type QueryKey } from "@tanstack/react-query";
import { useCallback, useEffect, useRef } from "react";

export function useRefresh(key: QueryKey, intervalMilliseconds = 1000): () => void {
  const client = useQueryClient();
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  const isDue = useRef(false);
  const current = useRef(key);
  useEffect(() => {
    current.current = key;
  });
  useEffect(
    () => () => {
      clearTimeout(timer.current);
      timer.current = undefined;
    },
    [],
  );

  return useCallback(() => {
    if (timer.current !== undefined) {
      isDue.current = true;
      return;
    }
    const look = () => {
      isDue.current = false;
      void client.invalidateQueries({ queryKey: current.current });
      timer.current = setTimeout(() => {
        timer.current = undefined;
        if (isDue.current) look();
      }, intervalMilliseconds);
    };
    look();
  }, [client, intervalMilliseconds]);
}
