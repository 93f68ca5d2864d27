// Refreshes a query after pushed events: at once after the first, then at most once per interval, so that a thousand
// events do not cause a thousand requests. An answer that takes longer than the interval is waited for: asking again would
// give it up.
import { useQueryClient, type QueryKey } from "@tanstack/react-query";
import { useCallback, useEffect, useRef } from "react";

export function useRefresh(key: QueryKey, intervalMilliseconds = 1000): () => void {
  const client = useQueryClient();
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  const isBusy = useRef(false);
  const isDue = useRef(false);
  const isMounted = useRef(false);
  const current = useRef(key);
  useEffect(() => {
    current.current = key;
  });
  useEffect(() => {
    isMounted.current = true;
    return () => {
      isMounted.current = false;
      isBusy.current = false;
      clearTimeout(timer.current);
    };
  }, []);

  return useCallback(() => {
    if (isBusy.current) {
      isDue.current = true;
      return;
    }
    const look = () => {
      isDue.current = false;
      isBusy.current = true;
      void client.invalidateQueries({ queryKey: current.current }).finally(() => {
        if (!isMounted.current) return;
        timer.current = setTimeout(() => {
          isBusy.current = false;
          if (isDue.current) look();
        }, intervalMilliseconds);
      });
    };
    look();
  }, [client, intervalMilliseconds]);
}
