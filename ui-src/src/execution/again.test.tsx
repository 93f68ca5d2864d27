// Running an execution again: with other input, and from what failed.
import { cleanup, screen, waitFor, within } from "@testing-library/react";
import { userEvent } from "@testing-library/user-event";
import { expect, test } from "vitest";
import { EXECUTION } from "../executions/filter.test";
import { json, renderAt, RUNNING, sentTo, serve } from "../testing";

const ID = EXECUTION.execution_id;
const base = `/api/executions/${ID}`;
const answers = {
  ...RUNNING,
  "/api/executions": () => json([]),
  [`${base}/graph`]: () => json({ nodes: [], edges: [], states: {} }),
  [`${base}/timeline`]: () => json({ execution_id: ID, steps: [] }),
  [`${base}/events`]: () => json({ events: [], last_event_id: null, status: "FAILED" }),
};

test("what failed is retried, with the newest version on request", async () => {
  const sent = serve({
    ...answers,
    [base]: () => json(EXECUTION),
    [`${base}/status`]: () => json({ status: "FAILED", result: null, variables: {} }),
    [`${base}/retry`]: () => json({ execution_id: "77", status: "started" }),
  });
  renderAt(`/execution/${ID}`);
  await userEvent.click(await screen.findByRole("button", { name: "Retry …" }));
  const dialog = within(screen.getByRole("dialog", { name: "Retry from what failed" }));
  await userEvent.click(dialog.getByRole("radio", { name: "The newest version" }));
  await userEvent.click(dialog.getByRole("button", { name: "Retry" }));
  await waitFor(() => {
    expect(sentTo(sent, `${base}/retry`)).toEqual({ version: "latest" });
  });
});

test("running again begins with the input of the run, as JSON where the form cannot show it", async () => {
  const payload: Record<string, unknown> = { count: 7 };
  const sent = serve({
    ...answers,
    [base]: () => json(EXECUTION),
    [`${base}/status`]: () => json({ status: "FAILED", result: null, variables: {} }),
    [`${base}/input`]: () => json({ payload, target: "fetch" }),
    "/api/catalog/resource": () =>
      json({ path: "sales/Load_Orders", version: 3, catalog_id: "1", payload: { workload: { count: 5, day: "{{ now() }}" } } }),
    "/api/execute": () => json({ execution_id: "77", status: "started" }),
    [`${base}/rerun`]: () => json({ execution_id: "78", status: "started" }),
  });
  renderAt(`/execution/${ID}`);
  await userEvent.click(await screen.findByRole("button", { name: "Run again …" }));
  const dialog = within(await screen.findByRole("dialog", { name: "Run sales/Load_Orders" }));
  const count = await dialog.findByLabelText<HTMLInputElement>(/^count/);
  expect(count.value).toBe("7");
  expect(dialog.getByText("fetch")).toBeTruthy();
  await userEvent.clear(count);
  await userEvent.type(count, "8");
  await userEvent.click(dialog.getByRole("button", { name: "Run" }));
  await waitFor(() => {
    expect(sentTo(sent, "/api/execute")).toEqual({
      path: "sales/Load_Orders",
      version: 3,
      payload: { count: 8 },
      target: "fetch",
    });
  });

  // Unchanged, it is the server that has the input.
  cleanup();
  renderAt(`/execution/${ID}`);
  await userEvent.click(await screen.findByRole("button", { name: "Run again …" }));
  await userEvent.click(await screen.findByRole("button", { name: "Run" }));
  await waitFor(() => {
    expect(sentTo(sent, `${base}/rerun`)).toEqual({});
  });

  // The form has no field for this one.
  payload.extra = [1];
  cleanup();
  renderAt(`/execution/${ID}`);
  await userEvent.click(await screen.findByRole("button", { name: "Run again …" }));
  expect((await screen.findByLabelText<HTMLTextAreaElement>(/^Payload/)).value).toBe(
    JSON.stringify(payload, null, 2),
  );
});
