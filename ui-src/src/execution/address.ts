// What the address of an execution's page says beside the filters of its log and events: the step that is open, and the
// tab. Pure.
import { filterIn, withFilter } from "./log";
import { withEventFilter, NO_FILTER } from "./events";

/** The step that is open, and which of its calls: that of an item, or one by its number. */
export interface StepChoice {
  step: string;
  item: number | null;
  call: string;
}

export const NO_STEP: StepChoice = { step: "", item: null, call: "" };

export function choiceIn(parameters: URLSearchParams): StepChoice {
  const { step, item } = filterIn(parameters);
  return { step, item, call: parameters.get("call") ?? "" };
}

/** Writes a choice to the parameters of an address. Log and events show what it names; its search is left. */
export function withChoice(parameters: URLSearchParams, { step, item, call }: StepChoice): URLSearchParams {
  const next = withEventFilter(withFilter(parameters, { step, item, attempt: null }), { ...NO_FILTER, step });
  if (call === "") next.delete("call");
  else next.set("call", call);
  return next;
}

export const TABS = [
  { name: "log", label: "Log" },
  { name: "events", label: "Events" },
] as const;

export type TabName = (typeof TABS)[number]["name"];

export function tabIn(parameters: URLSearchParams): TabName {
  return parameters.get("tab") === "events" ? "events" : "log";
}
