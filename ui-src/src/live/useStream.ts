// Keeps a stream open while its component is mounted and the page is visible: browsers allow six connections to a
// server, which hidden tabs must not use up.
import { useEffect, useEffectEvent, useState } from "react";
import { onSessionChange } from "../api/session";
import { openStream, type Stream, type StreamOptions, type StreamState } from "./stream";

const HIDDEN_SECONDS = 30;

interface LiveOptions extends Omit<StreamOptions, "onState"> {
  enabled?: boolean;
}

/** Opens one stream per `key`. The options may change with every render. */
export function useStream(
  key: string,
  { enabled = true, address, on, onReconnect }: LiveOptions,
): StreamState {
  const [state, setState] = useState<StreamState>("connecting");
  const currentAddress = useEffectEvent(address);
  const handle = useEffectEvent((name: string, data: unknown) => on[name]?.(data));
  const reconnected = useEffectEvent(() => onReconnect?.());
  const names = Object.keys(on).join(" ");

  useEffect(() => {
    if (!enabled) return;
    let stream: Stream | undefined;
    let timer: ReturnType<typeof setTimeout> | undefined;
    let paused = false;
    const open = () => {
      stream = openStream({
        address: () => currentAddress(),
        on: Object.fromEntries(names.split(" ").map((name) => [name, (data: unknown) => handle(name, data)])),
        onState: setState,
        onReconnect: () => {
          reconnected();
        },
      });
    };
    const followVisibility = () => {
      clearTimeout(timer);
      if (document.visibilityState === "hidden") {
        timer = setTimeout(() => {
          paused = true;
          stream?.close();
        }, HIDDEN_SECONDS * 1000);
      } else if (paused) {
        paused = false;
        open();
        reconnected();
      }
    };
    open();
    document.addEventListener("visibilitychange", followVisibility);
    const forgetSession = onSessionChange(() => stream?.retry());
    return () => {
      document.removeEventListener("visibilitychange", followVisibility);
      forgetSession();
      clearTimeout(timer);
      stream?.close();
    };
  }, [key, enabled, names]);

  return enabled ? state : "closed";
}
