// Stands at an address whose function does not exist yet. Says so, and shows no data.
import { Link } from "react-router";

export function PlannedPage({ title, purpose }: { title: string; purpose: string }) {
  return (
    <section className="notice">
      <h1>{title}</h1>
      <p className="lead">This page is not part of this version yet.</p>
      <p>{purpose}</p>
      <p>
        <Link to="/">Go to the start page</Link>
      </p>
    </section>
  );
}
