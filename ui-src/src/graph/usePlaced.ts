// A graph with its coordinates, once the worker has computed them. A change of the graph keeps the old drawing until then.
import { useEffect, useState } from "react";
import type { Graph } from "../api/schema";
import type { Placed } from "./layout";

interface Answer {
  placed: Placed | undefined;
  /** The message of what failed. */
  error: string | null;
}

export function usePlaced({ nodes, edges }: Graph): Answer {
  const [answer, setAnswer] = useState<Answer>({ placed: undefined, error: null });
  useEffect(() => {
    const worker = new Worker(new URL("./layout.worker.ts", import.meta.url), { type: "module" });
    worker.onmessage = ({ data }: MessageEvent<Placed>) => {
      setAnswer({ placed: data, error: null });
    };
    worker.onerror = (event) => {
      // A script that could not be loaded has no message.
      setAnswer({ placed: undefined, error: event.message || "its script could not be loaded" });
    };
    worker.postMessage({ nodes, edges });
    return () => {
      worker.terminate();
    };
    // The lists keep their identity while a run changes the states of steps.
  }, [nodes, edges]);
  return answer;
}
