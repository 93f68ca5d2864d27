// The frame around every page: skip link, header, main, footer, and what a change of page means for
// title, focus and scrolling, which a single-page application must do by itself.
import { useEffect, useRef } from "react";
import { Link, NavLink, NavigationType, Outlet, useLocation, useNavigationType } from "react-router";
import { ROUTES, titleAt } from "../routes";
import { ErrorBoundary } from "./ErrorBoundary";
import { Footer } from "./Footer";
import { Mark } from "./Mark";
import { ThemeSwitch } from "./ThemeSwitch";

export function Layout() {
  const { pathname } = useLocation();
  const main = usePageChange(pathname);
  return (
    <>
      <a className="skip-link" href="#main">
        Skip to content
      </a>
      <header className="header">
        <div className="header-row">
          <Link className="wordmark" to="/" aria-label="NoETL, start page">
            <Mark />
            <span>
              No<b>ETL</b>
            </span>
          </Link>
          <nav className="navigation" aria-label="Main">
            <ul>
              {ROUTES.filter(({ inNavigation }) => inNavigation).map(({ path, title }) => (
                <li key={path}>
                  <NavLink to={path} end>
                    {title}
                  </NavLink>
                </li>
              ))}
            </ul>
          </nav>
          <ThemeSwitch />
        </div>
      </header>
      <main id="main" className="main" ref={main} tabIndex={-1}>
        {/* The key lets a page that broke be left by going to another. */}
        <ErrorBoundary key={pathname}>
          <Outlet />
        </ErrorBoundary>
      </main>
      <Footer />
    </>
  );
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
