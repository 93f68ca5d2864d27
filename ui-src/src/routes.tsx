// The only list of routes: address, title, page, and whether the navigation leads there.
// It links only to what does something; the other addresses are bookmarks of earlier versions.
import type { ReactElement } from "react";
import { matchPath } from "react-router";
import { AboutPage } from "./pages/AboutPage";
import { NotFoundPage } from "./pages/NotFoundPage";
import { PlannedPage } from "./pages/PlannedPage";
import { StartPage } from "./pages/StartPage";

export interface Route {
  path: string;
  title: string;
  page: ReactElement;
  inNavigation: boolean;
}

/** In the order of the navigation; the last one takes every other address. */
export const ROUTES: readonly Route[] = [
  { path: "/", title: "Start", page: <StartPage />, inNavigation: true },
  planned("/catalog", "Catalog", "It will list the registered playbooks and start them."),
  planned("/editor", "Editor", "It will change a playbook, check it and save it to the catalog."),
  planned("/execution", "Executions", "It will list what has run, what runs, and how it ended."),
  planned("/execution/:id", "Execution", "It will show the steps and events of one execution."),
  planned("/credentials", "Credentials", "It will hold the credentials that playbooks refer to by name."),
  planned("/workers", "Workers", "It will show the workers that run the steps of playbooks."),
  { path: "/about", title: "About", page: <AboutPage />, inNavigation: true },
  { path: "*", title: "Page not found", page: <NotFoundPage />, inNavigation: false },
];

export function titleAt(pathname: string): string | undefined {
  return ROUTES.find(({ path }) => matchPath(path, pathname) !== null)?.title;
}

function planned(path: string, title: string, purpose: string): Route {
  return { path, title, page: <PlannedPage title={title} purpose={purpose} />, inNavigation: false };
}
