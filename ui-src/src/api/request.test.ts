// How answers, error answers and connection failures are returned to the caller.
import { describe, expect, test } from "vitest";
import { ApiError, query, request } from "./request";
import { getHealth, getVersion } from "./server";
import { json, refuseConnection, RUNNING, serve, STAMP } from "../testing";

async function failure(promise: Promise<unknown>): Promise<ApiError> {
  const error: unknown = await promise.then(
    () => "no error",
    (error: unknown) => error,
  );
  if (!(error instanceof ApiError)) throw new Error(`expected an ApiError, got ${String(error)}`);
  return error;
}

describe("an answer", () => {
  test("of the known form is returned", async () => {
    serve(RUNNING);
    await expect(getHealth()).resolves.toEqual({ status: "ok" });
    await expect(getVersion()).resolves.toEqual(STAMP);
  });

  test("may have no page hash, and fields of a later version", async () => {
    const stamp = { ...STAMP, ui_sha256: null, ui_embedded: false, later: 1 };
    serve({ "/api/version": () => json(stamp) });
    await expect(getVersion()).resolves.toEqual(stamp);
  });

  test.each([
    ["a health that is not ok", { status: "starting" }],
    ["a list", []],
    ["null", null],
  ])("of an unknown form is an error: %s", async (_, body) => {
    serve({ "/api/health": () => json(body) });
    const error = await failure(getHealth());
    expect(error).toMatchObject({ status: 200, detail: "the answer from /api/health has an unknown form" });
  });

  test("with a stamp that lacks a field is an error", async () => {
    serve({ "/api/version": () => json({ ...STAMP, rustc: undefined }) });
    expect((await failure(getVersion())).detail).toContain("unknown form");
  });

  test("that is not JSON is an error", async () => {
    serve({ "/api/health": () => new Response("<!doctype html>") });
    const error = await failure(getHealth());
    expect(error).toMatchObject({ status: 200, detail: "the answer from /api/health is not JSON" });
  });
});

describe("an error answer", () => {
  test("has the status and the server's detail", async () => {
    serve({});
    const error = await failure(getHealth());
    expect(error).toMatchObject({ status: 404, detail: "API endpoint not found" });
    expect(error.message).toBe("API endpoint not found (HTTP 404)");
  });

  test.each([
    ["text of a proxy", () => new Response("Bad Gateway", { status: 502 })],
    ["a detail that is no text", () => json({ detail: [{ loc: ["body"] }] }, 502)],
    ["nothing", () => new Response(null, { status: 502 })],
  ])("without a readable detail still says what happened: %s", async (_, answer) => {
    serve({ "/api/health": answer });
    const error = await failure(getHealth());
    expect(error).toMatchObject({ status: 502, detail: "the server refused the request" });
  });
});

test("an error answer for a playbook has its problems and the help", async () => {
  const problem = { severity: "error", message: "no such step", place: { file: "x", line: 3, column: 5 } };
  const body = { detail: "the playbook is not valid", help: "mend line 3", problems: [problem, "nonsense"] };
  serve({ "/api/health": () => json(body, 422) });
  expect(await failure(getHealth())).toMatchObject({ help: "mend line 3", problems: [problem] });
});

test("a list of parameters becomes a query, without unset ones", () => {
  expect(query({ path: "a/b c", version: 2, status: "", q: undefined })).toBe("?path=a%2Fb+c&version=2");
  expect(query({})).toBe("");
});

describe("no answer", () => {
  test("has status 0 and keeps the cause", async () => {
    serve({ "/api/health": refuseConnection });
    const error = await failure(getHealth());
    expect(error).toMatchObject({ status: 0, message: "no connection to the server" });
    expect(error.cause).toBeInstanceOf(TypeError);
  });

  test("in time is reported as a timeout", async () => {
    const late = () => {
      throw new DOMException("signal timed out", "TimeoutError");
    };
    serve({ "/api/health": late });
    expect((await failure(getHealth())).detail).toBe("no answer within 10 seconds");
  });

  test("because the caller cancelled is no ApiError", async () => {
    serve({ "/api/health": refuseConnection });
    await expect(getHealth(AbortSignal.abort())).rejects.toBeInstanceOf(TypeError);
  });
});

test("a body is sent as JSON to a relative address", async () => {
  const fetch = serve({ "/api/execute": () => json("started") });
  const isText = (answer: unknown): answer is string => typeof answer === "string";
  await request("/api/execute", isText, { method: "POST", body: { path: "hello" } });
  const [path, init] = fetch.mock.calls[0] ?? [];
  expect(path).toBe("/api/execute");
  expect(init).toMatchObject({ method: "POST", body: '{"path":"hello"}' });
  expect(new Headers(init?.headers).get("content-type")).toBe("application/json");
});
