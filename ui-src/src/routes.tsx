// The only list of routes: address, title, page, and the icon if the route is in the navigation. Pages are loaded
// on demand; code that they share is in the first load.
import { lazy, type ReactElement } from "react";
import { matchPath } from "react-router";
import { DashboardPage } from "./dashboard/DashboardPage";
import { AboutPage } from "./pages/AboutPage";
import { NotFoundPage } from "./pages/NotFoundPage";
import type { IconName } from "./ui/Icon";

const CatalogPage = lazy(() => import("./catalog/CatalogPage"));
const PlaybookPage = lazy(() => import("./playbook/PlaybookPage"));
const EditorPage = lazy(() => import("./editor/EditorPage"));
const ExecutionsPage = lazy(() => import("./executions/ExecutionsPage"));
const ExecutionPage = lazy(() => import("./execution/ExecutionPage"));
const CredentialsPage = lazy(() => import("./credentials/CredentialsPage"));
const DocsPage = lazy(() => import("./docs/DocsPage"));
const WorkersPage = lazy(() => import("./pages/WorkersPage"));

export interface Route {
  path: string;
  title: string;
  page: ReactElement;
  icon?: IconName;
}

/** In the order of the navigation. The last route matches all other addresses. */
export const ROUTES: readonly Route[] = [
  { path: "/", title: "Dashboard", page: <DashboardPage />, icon: "dashboard" },
  { path: "/catalog", title: "Catalog", page: <CatalogPage />, icon: "catalog" },
  { path: "/playbook", title: "Playbook", page: <PlaybookPage /> },
  { path: "/editor", title: "Editor", page: <EditorPage /> },
  { path: "/execution", title: "Executions", page: <ExecutionsPage />, icon: "executions" },
  { path: "/execution/:id", title: "Execution", page: <ExecutionPage /> },
  { path: "/credentials", title: "Credentials", page: <CredentialsPage />, icon: "credentials" },
  { path: "/workers", title: "Workers", page: <WorkersPage />, icon: "workers" },
  { path: "/docs", title: "API", page: <DocsPage /> },
  { path: "/about", title: "About", page: <AboutPage />, icon: "about" },
  { path: "*", title: "Page not found", page: <NotFoundPage /> },
];

export function titleAt(pathname: string): string | undefined {
  return ROUTES.find(({ path }) => matchPath(path, pathname) !== null)?.title;
}
