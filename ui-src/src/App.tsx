// Puts every route inside the frame. Which router drives it is for the caller: the browser's or a test's.
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
