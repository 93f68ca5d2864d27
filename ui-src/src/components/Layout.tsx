// The frame of every page: skip link, navigation, main, footer. After a change of page it sets title, focus and
// scroll position, which a single-page application must do itself.
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
        {/* The key resets the error when the user goes to another page. */}
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
              {/* The page of an execution is in the list's section; NavLink marks it as active. */}
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

/** Whether a page is in a section of the navigation. Playbooks and the editor are in the catalog's. */
function isInside(path: string, pathname: string): boolean {
  return path === "/catalog" && (pathname === "/editor" || pathname === "/playbook");
}

/** Sets the title, and moves the focus after a change of page, like loading a document does. */
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
    // Going back or forward restores the browser's scroll position.
    if (!byHistory) window.scrollTo(0, 0);
  }, [pathname, byHistory]);
  return main;
}
