// The stream: the events it delivers, its reconnect after a loss, and where it continues.
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { FakeEventSource } from "../testing";
import { delaySeconds, openStream, type Stream } from "./stream";

const opened: Stream[] = [];
beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  for (const stream of opened.splice(0)) stream.close();
  vi.useRealTimers();
});

function open(options: Partial<Parameters<typeof openStream>[0]> = {}) {
  const stream = openStream({ address: () => "/api/stream", on: {}, ...options });
  opened.push(stream);
  return stream;
}

function last(): FakeEventSource {
  const source = FakeEventSource.all.at(-1);
  if (source === undefined) throw new Error("no stream was opened");
  return source;
}

test("delivers events by their kind, and ignores data that is not JSON", () => {
  const event = vi.fn();
  open({ on: { event } });
  last().send("event", { event_id: "1" });
  last().dispatchEvent(new MessageEvent("event", { data: "{broken" }));
  last().send("other", {});
  expect(event.mock.calls).toEqual([[{ event_id: "1" }]]);
});

test("doubles the delay after each failure, up to 30 seconds", () => {
  expect([0, 1, 2, 3, 4, 5, 20].map(delaySeconds)).toEqual([1, 2, 4, 8, 16, 30, 30]);
});

describe("after a loss", () => {
  test("it connects again, gets the address anew, and reports that events may be missing", () => {
    let after = 0;
    const onReconnect = vi.fn();
    const states: string[] = [];
    open({
      address: () => `/api/stream?after=${after}`,
      onReconnect,
      onState: (state) => states.push(state),
    });
    last().onopen?.();
    expect(onReconnect).not.toHaveBeenCalled();
    after = 7;
    last().onerror?.();
    expect(FakeEventSource.all).toHaveLength(1);
    vi.advanceTimersByTime(1000);
    expect(last().url).toBe("/api/stream?after=7");
    last().onopen?.();
    expect(onReconnect).toHaveBeenCalledOnce();
    expect(states).toEqual(["connecting", "open", "waiting", "connecting", "open"]);
  });

  test("a success resets the delay", () => {
    open();
    for (const seconds of [1, 2, 4]) {
      last().onerror?.();
      const before = FakeEventSource.all.length;
      vi.advanceTimersByTime(seconds * 1000 - 1);
      expect(FakeEventSource.all).toHaveLength(before);
      vi.advanceTimersByTime(1);
      expect(FakeEventSource.all).toHaveLength(before + 1);
    }
    last().onopen?.();
    last().onerror?.();
    vi.advanceTimersByTime(1000);
    expect(FakeEventSource.all).toHaveLength(5);
  });

  test("a retry does not wait", () => {
    const stream = open();
    last().onerror?.();
    stream.retry();
    expect(FakeEventSource.all).toHaveLength(2);
  });
});

test("a closed stream stays closed and delivers nothing", () => {
  const event = vi.fn();
  const stream = open({ on: { event } });
  const source = last();
  stream.close();
  source.send("event", {});
  source.onerror?.();
  vi.advanceTimersByTime(60_000);
  expect(event).not.toHaveBeenCalled();
  expect(source.isClosed).toBe(true);
  expect(FakeEventSource.all).toHaveLength(1);
});

test("a stream that gives nothing is asked for instead, until it gives something", () => {
  const onReconnect = vi.fn();
  const states: string[] = [];
  open({ onReconnect, onState: (state) => states.push(state) });
  last().onopen?.();
  vi.advanceTimersByTime(14_999);
  expect(onReconnect).not.toHaveBeenCalled();
  vi.advanceTimersByTime(10_001);
  expect(onReconnect).toHaveBeenCalledTimes(3);
  last().send("begin", {});
  vi.advanceTimersByTime(60_000);
  expect(onReconnect).toHaveBeenCalledTimes(3);
  expect(states).toEqual(["connecting", "open", "asking", "open"]);
});

test("a stream that begins at once is never asked for", () => {
  const onReconnect = vi.fn();
  open({ onReconnect });
  last().send("begin", {});
  vi.advanceTimersByTime(600_000);
  expect(onReconnect).not.toHaveBeenCalled();
});
