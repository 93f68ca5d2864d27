// Payloads are shown as text, for any content and length.
import { render, screen } from "@testing-library/react";
import { userEvent } from "@testing-library/user-event";
import { expect, test } from "vitest";
import "../testing";
import { asText, cut, LongText } from "./LongText";

const text = () => screen.getByRole("region", { name: "Result" });

test("markup and control characters stay text", () => {
  const value = { name: "<img src=x onerror=alert(1)>", turned: "\u202Eabc" };
  const { container } = render(<LongText value={value} label="Result" />);
  expect(text().textContent).toBe(JSON.stringify(value, null, 2));
  expect(container.querySelector("img")).toBeNull();
  expect(container.querySelector("bdi")).not.toBeNull();
});

test("a megabyte is cut, and shown whole on request", async () => {
  const value = "x".repeat(1_000_000);
  render(<LongText value={value} label="Result" />);
  expect(text().textContent.length).toBeLessThan(5000);
  await userEvent.click(screen.getByRole("button", { name: "Show all (1.0 M characters)" }));
  expect(text().textContent).toHaveLength(1_000_000);
  await userEvent.click(screen.getByRole("button", { name: "Show less" }));
  expect(text().textContent.length).toBeLessThan(5000);
});

test("a cut does not leave half a character", () => {
  expect(cut("ab😀cd", 3)).toBe("ab");
  expect(cut("ab😀cd", 4)).toBe("ab😀");
  expect(cut("short", 10)).toBe("short");
});

test("a text is shown without quotes, an absent value as an empty text", () => {
  expect([asText("a\nb"), asText(null), asText(undefined), asText([1])]).toEqual([
    "a\nb",
    "null",
    "",
    "[\n  1\n]",
  ]);
});

test("a value that the server has left out is linked, and only at this server", () => {
  const large = { omitted_bytes: 1_234_567, href: "/api/executions/1/contents/abc" };
  const value = { rows: [large, { ...large, href: "https://elsewhere.test/" }, { omitted_bytes: "1" }, null] };
  render(<LongText value={value} label="Result" />);
  const links = screen.getAllByRole("link");
  expect(links.map((link) => link.getAttribute("href"))).toEqual(["/api/executions/1/contents/abc"]);
  expect(links[0]?.textContent).toBe("Open the large value (1.2 MB)");
});

test("of many values that were left out, the first are linked and the others counted", () => {
  const value = Array.from({ length: 50 }, (_, at) => ({ omitted_bytes: 300_000, href: `/api/vars/1/${at}` }));
  render(<LongText value={value} label="Result" />);
  expect(screen.getAllByRole("link")).toHaveLength(20);
  expect(screen.getByText("and 30 more, at the addresses above")).toBeTruthy();
});
