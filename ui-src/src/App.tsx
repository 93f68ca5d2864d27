// Renders the current route inside the frame. The caller provides the router: the browser's or a test's.
import { Route, Routes } from "react-router";
import { Layout } from "./components/Layout";
import { ROUTES } from "./routes";

export function App() {
  return (
    <Routes>
      <Route element={<Layout />}>
        {ROUTES.map(({ path, page }) => (
          <Route key={path} path={path} element={page} />
        ))}
      </Route>
    </Routes>
  );
}
