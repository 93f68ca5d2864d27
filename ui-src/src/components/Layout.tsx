// The frame around every page: skip link, navigation, main, footer, and what a change of page means for
// title, focus and scrolling, which a single-page application must do by itself.
import { Suspense, useEffect, useRef } from "react";
import { Link, NavLink, NavigationType, Outlet, useLocation, useNavigationType } from "react-router";
import { ROUTES, titleAt } from "../routes";
import { Icon } from "../ui/Icon";
import { Loading } from "../ui/notices";
import { Toasts } from "../ui/toasts";
import { ErrorBoundary } from "./ErrorBoundary";
import { Footer } from "./Footer";
import { Mark } from "./Mark";
import { ServerStatus } from "./ServerStatus";
import { ThemeSwitch } from "./ThemeSwitch";
import { TokenPrompt } from "./TokenPrompt";

export function Layout() {
  const { pathname } = useLocation();
  const main = usePageChange(pathname);
  return (
    <>
      <a className="skip-link" href="#main">
        Skip to content
      </a>
      <header className="header">
        <Link className="wordmark" to="/" aria-label="NoETL, dashboard">
          <Mark />
          <span>
            No<b>ETL</b>
          </span>
        </Link>
        <Navigation pathname={pathname} />
        <ThemeSwitch />
      </header>
      <main id="main" className="main" ref={main} tabIndex={-1}>
        <ServerStatus />
        {/* The key lets a page that broke be left by going to another. */}
        <ErrorBoundary key={pathname}>
          <Suspense fallback={<Loading what="the page" />}>
            <Outlet />
          </Suspense>
        </ErrorBoundary>
      </main>
      <Footer />
      <Toasts />
      <TokenPrompt />
    </>
  );
}

function Navigation({ pathname }: { pathname: string }) {
  return (
    <nav className="navigation" aria-label="Main">
      <ul>
        {ROUTES.map(({ path, title, icon }) =>
          icon === undefined ? null : (
            <li key={path}>
              {/* One execution belongs to the list of executions; NavLink marks that by itself. */}
              <NavLink to={path} end={path === "/"} className={isInside(path, pathname) ? "inside" : ""}>
                <Icon name={icon} />
                {title}
              </NavLink>
            </li>
          ),
        )}
      </ul>
    </nav>
  );
}

/** The editor is part of the catalog, though its address is not. */
function isInside(path: string, pathname: string): boolean {
  return path === "/catalog" && pathname === "/editor";
}

/** Sets the title; after a change of page moves the focus to it, as loading a document would. */
function usePageChange(pathname: string) {
  const main = useRef<HTMLElement>(null);
  const shown = useRef(pathname);
  const byHistory = useNavigationType() === NavigationType.Pop;
  useEffect(() => {
    const title = titleAt(pathname);
    document.title = title === undefined ? "NoETL" : `${title} · NoETL`;
    if (shown.current === pathname) return;
    shown.current = pathname;
    main.current?.focus({ preventScroll: true });
    // Back and forward keep the place that the browser remembers.
    if (!byHistory) window.scrollTo(0, 0);
  }, [pathname, byHistory]);
  return main;
}
