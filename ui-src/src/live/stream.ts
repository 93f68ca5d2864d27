// Server-sent events with our own reconnect: the browser's stops for ever after an HTTP error, and requests the
// same address again, while ours continues after the last received event.
const FIRST_DELAY_SECONDS = 1;
const LAST_DELAY_SECONDS = 30;
/** The server sends a message at once. After this time without one, something on the way keeps messages back. */
const SILENCE_SECONDS = 15;
const ASKING_SECONDS = 5;

/** `asking`: the stream gives nothing, and the caller asks every few seconds instead. */
export type StreamState = "connecting" | "open" | "asking" | "waiting" | "closed";

export interface StreamOptions {
  /** Returns the address with the place to continue from; called for every connection. */
  address: () => string;
  /** The handler of each kind of event, which may close the stream. */
  on: Record<string, (data: unknown) => void>;
  onState?: (state: StreamState) => void;
  /** Called after a lost connection, since events may have been missed, and again and again while a stream is silent. */
  onReconnect?: () => void;
}

export interface Stream {
  close: () => void;
  /** Connects at once, without the delay. */
  retry: () => void;
}

export function openStream({ address, on, onState, onReconnect }: StreamOptions): Stream {
  let source: EventSource | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let failures = 0;
  let lost = false;
  let closed = false;
  let silence: ReturnType<typeof setTimeout> | undefined;
  let asking: ReturnType<typeof setInterval> | undefined;

  function stopAsking(): void {
    clearTimeout(silence);
    clearInterval(asking);
    asking = undefined;
  }

  function ask(): void {
    onState?.("asking");
    onReconnect?.();
    asking = setInterval(() => onReconnect?.(), ASKING_SECONDS * 1000);
  }

  /** Notes that a message has arrived. */
  function hear(): void {
    if (asking !== undefined) onState?.("open");
    stopAsking();
  }

  function connect(): void {
    clearTimeout(timer);
    timer = undefined;
    source?.close();
    stopAsking();
    silence = setTimeout(ask, SILENCE_SECONDS * 1000);
    onState?.("connecting");
    const connection = new EventSource(address());
    source = connection;
    connection.onopen = () => {
      failures = 0;
      if (asking === undefined) onState?.("open");
      if (lost) onReconnect?.();
      lost = false;
    };
    connection.onerror = () => {
      // The end of a stream is reported like this too. A caller that expects it has closed the stream by then.
      connection.close();
      stopAsking();
      lost = true;
      if (closed || source !== connection) return;
      onState?.("waiting");
      timer = setTimeout(connect, delaySeconds(failures) * 1000);
      failures += 1;
    };
    connection.addEventListener("begin", hear);
    for (const [name, handle] of Object.entries(on)) {
      connection.addEventListener(name, (event: MessageEvent<string>) => {
        if (closed) return;
        hear();
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
      stopAsking();
      source?.close();
      onState?.("closed");
    },
    retry: () => {
      if (timer !== undefined) connect();
    },
  };
}

/** Doubles with each failure, up to 30 seconds. */
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
