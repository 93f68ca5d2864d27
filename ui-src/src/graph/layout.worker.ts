// Places graphs beside the page, which stays usable meanwhile: one graph per message, with the answer in the same order.
import type { Graph } from "../api/schema";
import { placeGraph } from "./place";

addEventListener("message", ({ data }: MessageEvent<Graph>) => {
  postMessage(placeGraph(data));
});
