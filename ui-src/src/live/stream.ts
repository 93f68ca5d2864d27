// Server-sent events with a reconnect of our own: the browser's gives up for good on any HTTP error,
// and asks the same address again where ours goes on after the last event it has seen.
const FIRST_DELAY_SECONDS = 1;
const LAST_DELAY_SECONDS = 30;

export type StreamState = "connecting" | "open" | "waiting" | "closed";

export interface StreamOptions {
  /** The address to go on from; asked at every connection. */
  address: () => string;
  /** What each kind of event is for; a handler may close the stream. */
  on: Record<string, (data: unknown) => void>;
  onState?: (state: StreamState) => void;
  /** After a connection that was lost: what came meanwhile may have been missed. */
  onReconnect?: () => void;
}

export interface Stream {
  close: () => void;
  /** Connects at once, whatever the delay. */
  retry: () => void;
}

export function openStream({ address, on, onState, onReconnect }: StreamOptions): Stream {
  let source: EventSource | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let failures = 0;
  let lost = false;
  let closed = false;

  function connect(): void {
    clearTimeout(timer);
    timer = undefined;
    source?.close();
    onState?.("connecting");
    const connection = new EventSource(address());
    source = connection;
    connection.onopen = () => {
      failures = 0;
      onState?.("open");
      if (lost) onReconnect?.();
      lost = false;
    };
    connection.onerror = () => {
      // Also how the server ends a stream; whoever expects that has closed it by then.
      connection.close();
      lost = true;
      if (closed || source !== connection) return;
      onState?.("waiting");
      timer = setTimeout(connect, delaySeconds(failures) * 1000);
      failures += 1;
    };
    for (const [name, handle] of Object.entries(on)) {
      connection.addEventListener(name, (event: MessageEvent<string>) => {
        if (closed) return;
        const data = parse(event.data);
        if (data !== undefined) handle(data);
      });
    }
  }

  connect();
  return {
    close: () => {
      closed = true;
      clearTimeout(timer);
      source?.close();
      onState?.("closed");
    },
    retry: () => {
      if (timer !== undefined) connect();
    },
  };
}

/** Twice as long after each failure, up to half a minute. */
export function delaySeconds(failures: number): number {
  return Math.min(FIRST_DELAY_SECONDS * 2 ** failures, LAST_DELAY_SECONDS);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
