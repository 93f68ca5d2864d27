// The page for all addresses without a route, inside the frame.
import { Link, useLocation } from "react-router";

export function NotFoundPage() {
  const { pathname } = useLocation();
  return (
    <section className="notice">
      <h1>Page not found</h1>
      <p className="lead">
        There is no page at <code>{pathname}</code>.
      </p>
      <p>
        <Link to="/">Go to the dashboard</Link>
      </p>
    </section>
  );
}
